/// Lets the actors of this process be late at random.

#pragma once

#include "actors/supervise.hpp"
#include "engine/base/random.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace pd {

/// One message in eight waits up to 300 us, while this lives.
class random_delays {
public:
  explicit random_delays(std::uint64_t seed) {
    key = make_random_key(seed, "delays");
    before_each_message = [] {
      const auto word = philox(key, count.fetch_add(1))[0];
      if (word % 8 == 0)
        std::this_thread::sleep_for(std::chrono::microseconds{word / 8 % 300});
    };
  }
  random_delays(const random_delays&) = delete;
  random_delays& operator=(const random_delays&) = delete;
  ~random_delays() { before_each_message = nullptr; }

private:
  static inline random_key key;
  static inline std::atomic<std::uint64_t> count{0};
};

} // namespace pd
