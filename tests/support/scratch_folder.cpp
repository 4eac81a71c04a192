#include "tests/support/scratch_folder.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <unistd.h>

namespace pd::test {

namespace fs = std::filesystem;

scratch_folder::scratch_folder() : scratch_folder{fs::temp_directory_path()} {}

scratch_folder::scratch_folder(const std::string& parent)
  : path_{parent + "/pd-test-XXXXXX"} {
  if (mkdtemp(path_.data()) == nullptr)
    throw std::runtime_error{"no folder " + path_};
}

scratch_folder::~scratch_folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string scratch_folder::write(const std::string& name,
                                  const std::string& bytes) const {
  write_bytes(*this / name, bytes);
  return *this / name;
}

std::string memory_folder() {
  const std::string shared_memory = "/dev/shm";
  return ::access(shared_memory.c_str(), W_OK | X_OK) == 0
           ? shared_memory
           : fs::temp_directory_path().string();
}

std::string read(const std::string& path) {
  const std::ifstream from{path, std::ios::binary};
  std::ostringstream bytes;
  bytes << from.rdbuf();
  return bytes.str();
}

void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream to{path, std::ios::binary | std::ios::trunc};
  to.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  to.close();
  if (!to)
    throw std::runtime_error{"cannot write " + path};
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& each : fs::directory_iterator{folder})
    names.push_back(each.path().filename().string());
  std::ranges::sort(names);
  return names;
}

} // namespace pd::test
