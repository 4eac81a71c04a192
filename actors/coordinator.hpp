/// Starts passes, knows when they are over, and watches every other actor: the
/// first that ends with an error ends the run, with its name and its text.

#pragma once

#include "actors/handles.hpp"
#include "actors/stage.hpp"

#include <caf/actor_addr.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace pd {

/// Everybody, once all are spawned.
struct run_actors {
  std::vector<stage_actor> stages;        ///< by worker
  std::vector<data_loader_actor> loaders; ///< by worker; empty: reads nothing
  std::vector<gradient_sync_actor> syncs; ///< by worker; empty: one replica
};

struct coordinator_options {
  std::shared_ptr<const deployment> all;
  std::shared_ptr<const run_actors> actors; ///< read after the first message
  client_actor client;                      ///< gets what messages.hpp says
};

/// Spawn event-based: with shell<coordinator, coordinator_actor>.
class coordinator {
public:
  static inline const char* name = "coordinator";

  coordinator(coordinator_actor::pointer self, coordinator_options options);

  coordinator_actor::behavior_type make_behavior();

private:
  void begin(const run_pass& order);
  void watch_all();
  template <class Handle>
  void watch(const Handle& who, const std::string& called);
  void ended(const caf::actor_addr& who, const caf::error& why);
  void stop();
  void held(std::int64_t begun);
  void log_waits();
  void worker_done(const pass_done& done);
  template <class Message>
  void forward(const Message& what);

  coordinator_actor::pointer self_;
  coordinator_options is_;
  std::map<caf::actor_addr, std::string> names_; ///< of the watched
  std::int64_t generation_ = 0;
  bool is_training_ = false;
  bool is_stopping_ = false;
  int workers_left_ = 0;
  int holds_left_ = 0;
  std::int64_t begun_ = 0;
  std::int64_t stall_us_ = 0;
};

} // namespace pd
