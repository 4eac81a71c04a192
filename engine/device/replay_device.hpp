/// The CPU's memory and another device's time: work takes as long as it says,
/// and computes nothing to speak of. For rehearsals.

#pragma once

#include "engine/device/cpu_device.hpp"

#include <cstdint>

namespace pd {

/// Work is done in the order it was queued; the time that it spends passes when
/// somebody asks how far the stream is. Who sleeps, takes no core: one machine
/// rehearses many. A team has one thread, so none spins on a core that another
/// worker wants.
///
/// Thread: one at a time.
class replay_stream final : public cpu_stream {
public:
  replay_stream() : cpu_stream{1} {}
  void run(const std::function<void()>& work) override;
  /// Returns when the work's time is over.
  [[nodiscard]] event record() override;

  /// By work that runs on a replay_stream: it takes so long. Elsewhere nothing
  /// happens.
  static void spend(double us);

private:
  double unspent_us_ = 0;
  double late_us_ = 0; ///< that the last sleep lasted too long
};

class replay_device final : public cpu_device {
public:
  explicit replay_device(const device_options& options = {})
    : cpu_device{{1, options.memory_bytes}} {}

  [[nodiscard]] device_kind kind() const override {
    return device_kind::replay;
  }
  [[nodiscard]] std::string describe() const override { return "replay"; }
  [[nodiscard]] std::unique_ptr<stream> make_stream() override {
    return std::make_unique<replay_stream>();
  }
};

} // namespace pd
