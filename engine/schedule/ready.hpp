/// The one dependency rule: may this action run here now, and if not, what is
/// missing. The validator, the simulator, an oracle and a stage actor all ask
/// it, so none of them has a rule of its own.
///
///     F  the activation of every upstream stage; a free place in flight
///     B  its own F, the gradient of every downstream stage
///     I  as B
///     W  its own I
///     U  every backward of its round, on every replica, and if updates are
///        joint on every stage; the version before
///     E  as F; the acknowledgement of the evaluation `depth` before it
///
/// F, B, I and E need their version of the weights, too. The first stage has
/// no upstream (its loader is not waited for here), the last no downstream.
///
/// Invariants:
///
/// (1) Facts are told once each; in which order they come does not matter.
///
/// (2) lacks() and the facts cost O(edges of the stage) and allocate nothing.
///
/// (3) An acknowledgement of E is a gradient without a value: a downstream
///     stage says that it has run E and can take another.

#pragma once

#include "engine/schedule/timetable.hpp"
#include "engine/schedule/topology.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace pd {

/// What an action waits for.
enum class want : std::uint8_t {
  nothing,
  activation,
  gradient,
  acknowledgement,
  own_forward,
  own_input,
  version,
  round,
  joint_round, ///< on all stages
  place,       ///< one of `depth` in flight
  batch,       ///< from the data loader: a runner of rows adds it to the rule
  reduction    ///< of a round's gradients over the replicas: likewise
};

/// Why an action cannot run yet.
struct missing {
  want what = want::nothing;
  std::int64_t index = 0; ///< the microbatch; of version and round: a version
  int stage = 0;          ///< virtual; where it comes from, or this one
  bool operator==(const missing&) const = default;
};

/// "waits for the gradient of microbatch 3 from stage 2".
[[nodiscard]] std::string to_string(const missing& lack);

/// What has arrived at one worker and been done there, in one epoch.
///
/// Thread: its owner only.
class worker_progress {
public:
  /// Room for all facts of the epoch. Reads no row.
  /// @pre check_head(head); links are for head.shape.
  worker_progress(const timetable& head, const topology& links, int worker);

  /// The rule. @pre knows(what)
  [[nodiscard]] missing lacks(const action& what) const;

  /// True if chunk, index and version exist in this epoch and the microbatch
  /// is this replica's.
  [[nodiscard]] bool knows(const action& what) const;

  // -- facts; @pre of all: the microbatch is one of this replica's ------------

  /// Of a chunk here, from virtual stage `from`, one of its upstream.
  void activation_arrived(int chunk, std::int64_t microbatch, int from);

  /// Likewise, from one of its downstream; also an acknowledgement (3).
  void gradient_arrived(int chunk, std::int64_t microbatch, int from);

  /// Another replica of this stage has run B or W of a chunk.
  void backward_elsewhere(int chunk, std::int64_t microbatch);

  /// The gradients of a round are whole on every stage. Told if updates are
  /// joint.
  void round_joined(std::int64_t round);

  /// This worker has run it. @pre lacks(what).what == want::nothing
  void done(const action& what);

  // -- what it knows ----------------------------------------------------------

  [[nodiscard]] std::int64_t in_flight() const { return in_flight_; }
  /// Every replica's backwards of the round are done, at the chunk.
  [[nodiscard]] bool is_round_whole(int chunk, std::int64_t round) const {
    return chunks_[static_cast<std::size_t>(chunk)]
             .backwards_due[static_cast<std::size_t>(round)]
           == 0;
  }
  [[nodiscard]] std::int64_t newest(int chunk) const {
    return chunks_[static_cast<std::size_t>(chunk)].newest;
  }

private:
  /// Of one microbatch at one chunk. A bit an edge: what has not come yet.
  struct marks {
    std::uint32_t activations_due = 0;
    std::uint32_t gradients_due = 0;
    bool is_forwarded = false;
    bool has_input = false; ///< its input gradient is done
  };

  struct chunk_state {
    stage_links links;
    int virtual_stage = 0;
    std::int64_t newest = 0;
    std::vector<marks> by_local;             ///< by local microbatch
    std::vector<std::int64_t> backwards_due; ///< by round, of all replicas
  };

  [[nodiscard]] std::int64_t local(std::int64_t microbatch) const {
    return microbatch / replicas_;
  }
  [[nodiscard]] const marks& marks_of(const action& what) const;
  [[nodiscard]] const chunk_state& chunk_of(const action& what) const;
  [[nodiscard]] missing lacks_activation(const action& what) const;
  [[nodiscard]] missing lacks_gradient(const action& what) const;
  [[nodiscard]] missing lacks_acknowledgement(const action& what) const;
  [[nodiscard]] missing lacks_version(const action& what) const;
  [[nodiscard]] missing lacks_round(const action& what) const;
  [[nodiscard]] missing forward_lacks(const action& what) const;
  [[nodiscard]] missing backward_lacks(const action& what) const;
  [[nodiscard]] missing weight_lacks(const action& what) const;
  [[nodiscard]] missing evaluate_lacks(const action& what) const;
  void count_backward(chunk_state& chunk, std::int64_t microbatch) const;

  std::int64_t microbatches_, round_, depth_;
  int replicas_, replica_;
  std::int64_t in_flight_ = 0; ///< of all chunks
  std::vector<chunk_state> chunks_;
  std::vector<bool> joint_rounds_due_; ///< empty: updates are not joint
};

} // namespace pd
