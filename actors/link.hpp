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
/// (1) There are as many slots as messages that may be on their way or in use,
///     and one more (slots_on), so one is posted or about to be when its bytes
///     are sent. A send waits for the wire and for the link at its other end,
///     and never for the other stage.
///
/// (2) A handler of a link waits for the other process; closing the group ends
///     every wait.
///
/// (3) What came is given its number by the sender's whole row until an
///     end_pass_at comes, and by what it left of it then. Both are the same
///     number: [Note: stopped passes].

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

/// The values of one message; none in an acknowledgement.
using link_slot = std::vector<tensor>;

/// Memory for all that may come along an edge at once, into a chunk with this
/// plan. Errors: out_of_memory.
[[nodiscard]] result<std::vector<link_slot>> make_slots(const stage_edge& along,
                                                        const deployment& all,
                                                        const stage_plan& plan,
                                                        pool& memory);

struct link_in_options {
  std::shared_ptr<const deployment> all;
  stage_edge along;
  std::vector<link_slot> slots; ///< make_slots; their memory outlives the actor
  std::shared_ptr<communicator> group;
  stage_actor to;
  status_place* shown = nullptr;
};

/// Spawn detached: with shell<link_in, link_in_actor>. Ends with the error of a
/// receive.
class link_in {
public:
  static inline const char* name = "link_in";

  link_in(link_in_actor::pointer self, link_in_options options);

  link_in_actor::behavior_type make_behavior();

private:
  /// A slot, and the bytes on their way to it.
  struct posted_slot {
    link_slot values;
    std::vector<transfer> transfers;
  };

  struct due_message {
    std::int64_t generation = 0;
    std::int64_t microbatch = 0;
  };

  void post_free_slots();
  void post(const link_slot& values);
  void begin(const begin_pass& order);
  void end_at(const end_pass_at& order);
  void receive();
  void hand_on();

  link_in_actor::pointer self_;
  link_in_options is_;
  std::deque<posted_slot> posted_;
  std::deque<link_slot> arrived_; ///< not yet numbered
  std::deque<due_message> due_;   ///< in the order of the sender
  bool waits_for_pass_ = false;
};

} // namespace pd
