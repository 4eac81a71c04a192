/// The CPU as a device: streams that run their work at once.

#pragma once

#include "engine/device/device.hpp"

namespace pd {

/// Runs work at once on the calling thread, with an OpenMP team of its own
/// size.
class cpu_stream : public stream {
public:
  explicit cpu_stream(int threads) : threads_{threads} {}

  void run(const std::function<void()>& work) override;
  [[nodiscard]] event record() override { return {}; }
  void wait(const event& point) override { point.block(); }

private:
  int threads_;
};

/// The cores of this process.
class cpu_device : public device {
public:
  explicit cpu_device(const device_options& options = {});

  [[nodiscard]] device_kind kind() const override { return device_kind::cpu; }
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] layout activation_layout(dtype precision) const override;
  [[nodiscard]] std::unique_ptr<stream> make_stream() override;
  [[nodiscard]] pool& memory() override { return memory_; }
  [[nodiscard]] int threads() const { return threads_; }

private:
  int threads_;
  pool memory_;
};

/// Cores that this process may run on.
[[nodiscard]] int available_cores();

} // namespace pd
