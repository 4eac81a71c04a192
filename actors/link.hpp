/// The two ends of what goes between the stages of two processes: an actor
/// that sends to another worker, and one that receives what comes along one
/// edge from another worker.
///
///     stage ─▶ link_out ── bytes, by the group ──▶ link_in ─▶ stage
///
/// Bytes carry no header. What comes along an edge comes in the order of its
/// sender's row, so its receiver knows what it is.
///
/// Invariants:
///
/// (1) A slot is always posted before its bytes are sent: there are as many as
///     messages that may be on their way or in use (slots_on), and one more.
///     So a send waits for the wire and never for the other stage.
///
/// (2) A handler of a link waits for the other process, as no other actor's
///     but gradient_sync's does; closing the group ends every wait.
///
/// (3) What came is given its number in a handler of its own. An end_pass_at
///     that was sent before the bytes were has been handled by then.

#pragma once

#include "actors/handles.hpp"
#include "actors/status_board.hpp"
#include "engine/comm/communicator.hpp"
#include "engine/train/edges.hpp"

#include <deque>
#include <memory>
#include <vector>

namespace pd {

/// `group` has a rank for each worker, by its number.
struct link_out_options {
  std::shared_ptr<communicator> group;
  int to_worker = 0;
  status_place* shown = nullptr;
};

/// Spawn detached: with shell<link_out, tensor_receiver>. Ends with the error
/// of a send.
class link_out {
public:
  static inline const char* name = "link_out";

  link_out(tensor_receiver::pointer self, link_out_options options);

  tensor_receiver::behavior_type make_behavior();

private:
  void send(const stage_edge& along, std::int64_t microbatch,
            const std::vector<tensor>& values);

  link_out_options is_;
};

/// types: of the values of one message. memory: outlives the actor.
struct link_in_options {
  std::shared_ptr<const deployment> all;
  stage_edge along;
  std::vector<tensor_type> types;
  std::shared_ptr<communicator> group;
  pool* memory = nullptr;
  stage_actor to;
  status_place* shown = nullptr;
};

/// Spawn detached: with shell<link_in, link_in_actor>. Allocates its slots as
/// it begins. Ends with the error of a receive, or out_of_memory.
class link_in {
public:
  static inline const char* name = "link_in";

  link_in(link_in_actor::pointer self, link_in_options options);

  link_in_actor::behavior_type make_behavior();

private:
  /// Memory of one message, and the bytes on their way to it.
  struct slot {
    std::vector<tensor> values;
    std::vector<transfer> transfers;
  };

  struct due_message {
    std::int64_t generation = 0;
    std::int64_t microbatch = 0;
  };

  void allocate();
  void post_free_slots();
  void post(const std::vector<tensor>& values);
  void begin(const begin_pass& order);
  void end_at(const end_pass_at& order);
  void receive();
  void hand_on();

  link_in_actor::pointer self_;
  link_in_options is_;
  std::vector<std::vector<tensor>> memory_; ///< by slot
  std::deque<slot> posted_;
  std::deque<std::vector<tensor>> arrived_; ///< not yet numbered
  std::deque<due_message> due_;             ///< in the order of the sender
  bool waits_for_pass_ = false;
};

} // namespace pd
