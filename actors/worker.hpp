/// Hosts one worker of a job: its device, memory and programs, and the actors
/// that work on them. All that the coordinator wants of them goes through it,
/// so it is what a process publishes.
///
///     deploy_worker ─▶ memory, programs ─▶ worker_ready
///     join_groups ─▶ meets the others, spawns
///                        stage, data_loader, gradient_sync, link_in, link_out
///                    ─▶ groups_joined
///
/// Invariants:
///
/// (1) It ends by order, or when its coordinator is gone; then it closes its
///     groups, which ends every wait, ends its actors, and waits for them
///     before what they work on goes.

#pragma once

#include "actors/handles.hpp"
#include "actors/link.hpp"
#include "actors/stage.hpp"
#include "actors/status_board.hpp"
#include "engine/comm/communicator.hpp"
#include "engine/data/dataset.hpp"
#include "engine/train/edges.hpp"
#include "engine/train/worker_parts.hpp"

#include <caf/actor_addr.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace pd {

/// What a worker is given of its job. The datasets are null if it reads none.
struct worker_seat {
  std::shared_ptr<const deployment> all;
  int worker = 0;
  const registry* ops = nullptr;
  std::shared_ptr<const dataset> training;
  std::shared_ptr<const dataset> evaluation;
};

/// Whom it meets.
struct worker_groups {
  std::shared_ptr<communicator> all;      ///< by worker; the client is last
  std::shared_ptr<communicator> replicas; ///< null: its stage has no others
};

/// The two functions are called once, on the worker's thread, and may take as
/// long as they need.
struct worker_options {
  std::function<result<worker_seat>(const deploy_worker&)> take_seat;
  std::function<result<worker_groups>(const worker_seat&)> join;
  /// By worker: the stages of this process; each worker adds its own.
  std::shared_ptr<std::vector<tensor_receiver>> receivers;
  std::shared_ptr<status_board> board;
  bool has_links = false; ///< other workers are in other processes
};

/// Spawn detached: with shell<worker, worker_actor>.
class worker {
public:
  static inline const char* name = "worker";

  worker(worker_actor::pointer self, worker_options options);
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;
  ~worker();

  worker_actor::behavior_type make_behavior();

private:
  /// One of its own, and where it says what it does.
  struct part {
    role as = role::worker;
    const status_place* shown = nullptr;
  };

  void deploy(const deploy_worker& order);
  void refuse(const deploy_worker& order);
  result<void> make(const deploy_worker& order);
  result<void> make_links();
  void join();
  result<void> meet();
  void fail(const error& why, bool is_peer = false);

  void spawn_all();
  void spawn_loader();
  void spawn_sync();
  void spawn_links();
  /// `options` has a `shown`, which this sets.
  template <class State, class Handle, class Options>
  Handle spawn(role as, Options options);

  void begin(const begin_pass& order);
  void end_at(const end_pass_at& order);
  void align(const align_statistics& order);
  void give_weights();
  void give_trace();
  void tell_status();
  void ended(const caf::actor_addr& who, const caf::error& why);

  worker_actor::pointer self_;
  worker_options is_;
  coordinator_actor coordinator_;
  status_place* shown_ = nullptr;
  worker_seat seat_;
  worker_parts parts_;
  worker_groups groups_;
  trace_ring spans_;
  std::shared_ptr<stage_peers> peers_ = std::make_shared<stage_peers>();
  stage_actor stage_;
  checkpointer_actor checkpointer_;    ///< empty: it writes no shard
  std::vector<link_in_options> links_; ///< until they are spawned
  std::vector<link_in_actor> links_in_;
  std::map<caf::actor_addr, part> actors_;
  std::vector<caf::strong_actor_ptr> handles_;
  std::vector<named_tensor> given_; ///< weights, until they are sent
  std::vector<transfer> sends_;
};

} // namespace pd
