#include "tools/pd_engine/host_facts.hpp"

#include "engine/device/cpu_device.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/utsname.h>
#include <unistd.h>

namespace pd {

namespace {

std::string processor() {
  std::ifstream from{"/proc/cpuinfo"};
  for (std::string line; std::getline(from, line);)
    if (line.starts_with("model name"))
      return line.substr(line.find(':') + 2);
  return "unknown";
}

std::int64_t memory_bytes() {
  return std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
}

} // namespace

std::string host_facts(const std::string& device) {
  utsname system{};
  uname(&system);
  return nlohmann::ordered_json{
           {"host", system.nodename},
           {"system", std::string{system.sysname} + " " + system.release},
           {"processor", processor()},
           {"cores", available_cores()},
           {"memory_bytes", memory_bytes()},
           {"device", device},
           {"version", PD_VERSION}}
           .dump(2)
         + "\n";
}

} // namespace pd
