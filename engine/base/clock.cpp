#include "engine/base/clock.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace pd {

std::int64_t now_us() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

double seconds_since(std::int64_t start_us) {
  return static_cast<double>(now_us() - start_us) * 1e-6;
}

std::chrono::milliseconds
time_until(std::chrono::steady_clock::time_point deadline) {
  using std::chrono::milliseconds;
  return std::max(milliseconds{0},
                  std::chrono::duration_cast<milliseconds>(
                    deadline - std::chrono::steady_clock::now()));
}

std::string timestamp() {
  const auto now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[32];
  const auto size = std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &parts);
  return {text, size};
}

} // namespace pd
