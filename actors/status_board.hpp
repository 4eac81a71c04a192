/// What every actor of a process does and waits for, to be read at any time,
/// also while the actor is busy, hangs, or is dead: a board may lie in memory
/// that the process shares with the one that started it.
///
/// Invariants:
///
/// (1) One actor writes a place, at every transition; writing neither blocks
///     nor allocates. A reader that is overtaken looks again.

#pragma once

#include "engine/program/row_runner.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace pd {

/// What an actor is to its worker.
enum class role : std::uint8_t {
  worker,
  stage,
  data_loader,
  gradient_sync,
  checkpointer,
  link_in,
  link_out
};

/// "data loader", ...
[[nodiscard]] const char* to_string(role of);

enum class doing : std::uint8_t {
  nothing,  ///< between two passes, or orders
  deploys,  ///< makes itself ready
  meets,    ///< joins the groups of the other workers
  runs,     ///< an action
  waits,    ///< for what an action lacks
  reads,    ///< the batch of microbatch `index`
  reduces,  ///< bucket `index` of the gradients, over the replicas
  sends,    ///< what belongs to microbatch `index` to worker `peer`
  receives, ///< the next message from worker `peer`
  copies,   ///< the weights, for a checkpoint
  saves,    ///< shard `index` of a checkpoint
};

/// At one moment.
struct status {
  doing what = doing::nothing;
  action which{};         ///< of runs and waits
  missing lack{};         ///< of waits
  std::int64_t index = 0; ///< of reads, reduces, sends and saves
  int peer = 0;           ///< of sends and receives
};

/// "runs B3", "F3 waits for the activation of microbatch 3 from stage 0".
[[nodiscard]] std::string to_string(const status& of);

/// One actor's place: what it said last, and a few before that, so that a
/// writer that was stopped in the midst of it hides nothing.
///
/// Thread: set() from its actor only; read() from any.
class status_place {
public:
  void set(const status& now);
  [[nodiscard]] status read() const;

private:
  friend class status_board;

  struct cell {
    std::atomic<std::uint64_t> what; ///< doing, kind and chunk, lack, peer
    std::atomic<std::int64_t> action_index, lack_index, index;
  };
  static constexpr std::size_t cells = 4;

  std::atomic<std::uint64_t> owner_; ///< worker and role, and that it is
  std::atomic<std::uint64_t> said_;  ///< how many times
  cell cells_[cells];                ///< the last one is in said_ % cells
};

/// Who does what.
struct status_line {
  int worker = 0;
  role of = role::worker;
  status now;
};

/// The places of one process.
class status_board {
public:
  /// Bytes of shared memory for so many actors.
  [[nodiscard]] static std::size_t bytes_for(std::size_t places);

  /// In memory of its own.
  explicit status_board(std::size_t places);
  /// In `memory`, which is zero at first and stays longer than this. Both
  /// processes say so.
  status_board(void* memory, std::size_t bytes);

  /// A free place, for an actor that is about to begin. If none is left, one
  /// that nobody reads. Thread: any.
  [[nodiscard]] status_place& add(int worker, role of);

  /// Everybody, in the order of add(). Thread: any.
  [[nodiscard]] std::vector<status_line> read() const;
  /// What a worker's stage does; before there is one, the worker itself.
  [[nodiscard]] std::string doing_of(int worker) const;

private:
  std::unique_ptr<std::byte[]> own_;
  std::atomic<std::uint64_t>* used_;
  status_place* places_;
  std::size_t capacity_;
  status_place unread_;
};

} // namespace pd
