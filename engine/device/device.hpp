/// Where memory is and kernels run.

#pragma once

#include "engine/base/dtype.hpp"
#include "engine/base/error.hpp"
#include "engine/device/layout.hpp"
#include "engine/device/pool.hpp"
#include "engine/device/stream.hpp"

#include <memory>
#include <string>

namespace pd {

/// A family of devices; kernels are registered for one of them.
enum class device_kind { cpu, cuda, replay };

/// "cpu", "cuda", "replay".
[[nodiscard]] const char* to_string(device_kind kind);

struct device_options {
  int threads = 0;               ///< CPU: of a stream's team; 0: all cores
  std::int64_t memory_bytes = 0; ///< the pool's budget; 0: no budget
};

/// One device of this process.
///
/// Thread: any, but for what a stream says of itself.
class device {
public:
  device() = default;
  device(const device&) = delete;
  device& operator=(const device&) = delete;
  virtual ~device() = default;

  [[nodiscard]] virtual device_kind kind() const = 0;
  /// One line for people: "cpu, AVX2, 2 threads".
  [[nodiscard]] virtual std::string describe() const = 0;
  /// How every 4-D activation of this precision lies on this device.
  [[nodiscard]] virtual layout activation_layout(dtype precision) const = 0;
  [[nodiscard]] virtual std::unique_ptr<stream> make_stream() = 0;
  [[nodiscard]] virtual pool& memory() = 0;
};

/// Opens "cpu" or "replay"; "auto" is the CPU.
///
/// Errors: unknown_name; not_supported for a device that this build or this
/// machine does not have.
[[nodiscard]] result<std::unique_ptr<device>>
open_device(const std::string& name, const device_options& options = {});

} // namespace pd
