#include "engine/device/device.hpp"

#include "engine/device/cpu_device.hpp"
#include "engine/device/replay_device.hpp"
#include "engine/device/tensor.hpp"

#include <array>

namespace pd {

const char* to_string(device_kind kind) {
  constexpr std::array names{"cpu", "cuda", "replay"};
  return names[static_cast<std::size_t>(kind)];
}

std::string to_string(const tensor_type& type) {
  return std::string{to_string(type.type)} + " " + to_string(type.extents) + " "
         + to_string(type.order);
}

result<std::unique_ptr<device>> open_device(const std::string& name,
                                            const device_options& options) {
  if (name == "cpu" || name == "auto")
    return std::unique_ptr<device>{std::make_unique<cpu_device>(options)};
  if (name == "replay")
    return std::unique_ptr<device>{std::make_unique<replay_device>(options)};
  if (name.starts_with("cuda"))
    return error{errc::not_supported,
                 "device '" + name + "': this build has no CUDA; wanted cpu"};
  return error{errc::unknown_name,
               "device '" + name + "': wanted cpu, cuda, replay or auto"};
}

} // namespace pd
