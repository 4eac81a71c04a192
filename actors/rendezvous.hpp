/// Where the workers of a job find each other's addresses: a store of keys in
/// the coordinator's process, over CAF's messages.

#pragma once

#include "actors/handles.hpp"
#include "engine/comm/store.hpp"

#include <caf/typed_response_promise.hpp>

#include <map>
#include <string>
#include <vector>

namespace pd {

/// Spawn event-based: with shell<rendezvous, rendezvous_actor>. A get is
/// answered once its key is set, or fails when the store is closed.
class rendezvous {
public:
  static inline const char* name = "rendezvous";

  explicit rendezvous(rendezvous_actor::pointer self) : self_{self} {}

  rendezvous_actor::behavior_type make_behavior();

private:
  using promise = caf::typed_response_promise<key_value>;

  void set(const set_key& order);
  promise get(const get_key& order);
  void close(const close_store& order);

  rendezvous_actor::pointer self_;
  std::map<std::string, std::vector<char>> values_;
  std::map<std::string, std::vector<promise>> waiting_;
  std::string closed_; ///< why; empty: it is not
};

/// The store as engine/comm sees it, from any process that has the actor.
///
/// Thread: any that is no actor's scheduled one: get() blocks it.
/// Errors of get(): io if the key is not set in time, or the store is closed.
class actor_store final : public rendezvous_store {
public:
  actor_store(caf::actor_system& in, rendezvous_actor at)
    : in_{in}, at_{std::move(at)} {}

  result<void> set(const std::string& key, bytes value) override;
  [[nodiscard]] result<bytes> get(const std::string& key,
                                  std::chrono::milliseconds timeout) override;

private:
  caf::actor_system& in_;
  rendezvous_actor at_;
};

} // namespace pd
