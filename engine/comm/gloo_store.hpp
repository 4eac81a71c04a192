/// A rendezvous_store as Gloo wants one.

#pragma once

#include "engine/comm/store.hpp"

#include <chrono>
#include <gloo/rendezvous/store.h>
#include <string>
#include <vector>

namespace pd {

/// Keys get a prefix. Waits end at one deadline, whatever Gloo asks for.
/// Throws gloo::IoException with the store's error.
class gloo_store final : public gloo::rendezvous::Store {
public:
  using clock = std::chrono::steady_clock;

  /// @pre `store` outlives this
  gloo_store(rendezvous_store& store, std::string prefix,
             clock::time_point deadline);

  void set(const std::string& key, const std::vector<char>& data) override;
  std::vector<char> get(const std::string& key) override;
  void wait(const std::vector<std::string>& keys) override;
  void wait(const std::vector<std::string>& keys,
            const std::chrono::milliseconds& timeout) override;

private:
  rendezvous_store& store_;
  std::string prefix_;
  clock::time_point deadline_;
};

} // namespace pd
