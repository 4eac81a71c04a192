/// The connections of one rank to all others, which may be given up while they
/// are made: Gloo's own connectFullMesh waits ten seconds for the connection of
/// a rank that has died.

#pragma once

#include "engine/comm/store.hpp"

#include <chrono>
#include <gloo/context.h>
#include <gloo/transport/device.h>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace pd {

class gloo_mesh final : public gloo::Context {
public:
  gloo_mesh(int own_rank, int ranks) : gloo::Context{own_rank, ranks} {}

  /// Connects to every other rank; addresses go by the store. Called once.
  /// Errors: of the store; why it was given up. Throws what Gloo throws.
  [[nodiscard]] result<void>
  connect(const std::shared_ptr<gloo::transport::Device>& by,
          rendezvous_store& store, const std::string& prefix,
          std::chrono::steady_clock::time_point deadline);

  /// Ends connect(), also one that is still to come. Thread: any.
  void give_up(const error& why);

private:
  [[nodiscard]] rendezvous_store::bytes
  open_pairs(const std::shared_ptr<gloo::transport::Device>& by);
  [[nodiscard]] result<void> connect_to(int peer,
                                        const rendezvous_store::bytes& all);
  [[nodiscard]] result<void> check_wanted();

  std::mutex mutex_; ///< of the next, and of whether there are pairs
  std::optional<error> given_up_;
};

/// While it lives, a mesh is given up if the store is closed: who closes it
/// knows that a rank is gone. Waits for `key`, which it sets in the end.
///
/// Owns: a thread. @pre store and mesh outlive it
class store_watch {
public:
  store_watch(rendezvous_store& store, gloo_mesh& mesh, std::string key,
              std::chrono::steady_clock::time_point deadline);
  store_watch(const store_watch&) = delete;
  store_watch& operator=(const store_watch&) = delete;
  ~store_watch();

private:
  rendezvous_store& store_;
  std::string key_;
  std::thread watcher_;
};

} // namespace pd
