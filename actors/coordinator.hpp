/// Deploys the workers of a job, starts passes, knows when they are over, and
/// watches: the first worker that fails ends the run, with its name, what it
/// was doing, and why.
///
/// Invariants:
///
/// (1) The client hears of one failure. A worker whose peer is gone is not the
///     cause: its complaint waits a moment for the news of who died.

#pragma once

#include "actors/handles.hpp"
#include "engine/program/round_sums.hpp"
#include "engine/train/deployment.hpp"

#include <caf/actor_addr.hpp>
#include <caf/error.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pd {

struct coordinator_options {
  std::shared_ptr<const deployment> all;
  std::vector<worker_actor> workers; ///< by worker; perhaps in other processes
  client_actor client;               ///< gets what messages.hpp says
  std::string job;                   ///< for other processes, as a file
  rendezvous_actor rendezvous;       ///< empty: all are in one process
  /// What the stage of a worker did last; empty if that is not known.
  std::function<std::string(int worker)> last_doing;
  archivist_actor archivist; ///< empty: no checkpoints are made
};

/// Spawn event-based: with shell<coordinator, coordinator_actor>.
class coordinator {
public:
  static inline const char* name = "coordinator";

  coordinator(coordinator_actor::pointer self, coordinator_options options);

  coordinator_actor::behavior_type make_behavior();

private:
  void deploy();
  void ready(const worker_ready& from);
  void joined();

  void begin(const run_pass& order);
  void aligned(const statistics_aligned& done);
  void start_pass();
  void stop();
  void hold();
  void held(std::int64_t begun);
  void worker_done(const pass_done& done);
  void measured(const round_measured& what);
  void save(const save_checkpoint& order);
  void write_shards(const checkpoint_begun& into);
  void copied();
  void stored(const shard_stored& what);
  void saved(const checkpoint_ended& what);
  void collect();
  void forward(const progress_reported& what);
  template <class Message>
  void tell_workers(const Message& what);
  void log_status(const status_reported& from) const;

  void worker_lost(const caf::actor_addr& who, const caf::error& why);
  void process_lost(const process_ended& what);
  void worker_complained(const worker_failed& what);
  void fail_later(const run_failed& what);
  void fail(const run_failed& what);
  [[nodiscard]] const worker_actor& first_of(int stage) const;
  [[nodiscard]] std::string called(int worker, const std::string& who,
                                   const std::string& doing) const;
  [[nodiscard]] std::string last_doing(int worker) const;

  coordinator_actor::pointer self_;
  coordinator_options is_;
  placement where_;
  std::vector<std::string> devices_; ///< by worker
  std::int64_t generation_ = 0;
  run_pass pass_;
  bool is_stopping_ = false;
  bool has_started_ = false; ///< all were told to begin the pass
  bool has_failed_ = false;
  int workers_left_ = 0; ///< that have not done what all do now
  int holds_left_ = 0;
  std::int64_t begun_ = 0;
  pass_over sum_;
  round_sums measures_;
  std::optional<save_checkpoint> asked_; ///< for a checkpoint, until it begins
  int copies_left_ = 0;                  ///< of a checkpoint that begins
  std::vector<shard_stored> shards_;     ///< on the disk, or failed
};

} // namespace pd
