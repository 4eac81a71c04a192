/// Every message that crosses an actor boundary, and nothing else.
///
///     client        -> coordinator    deploy_job, run_pass, stop_pass,
///                                     save_checkpoint,
///                                     collect_weights, report_status,
///                                     report_trace; run_failed, if it is
///                                     interrupted before all are ready
///     client        -> worker         open_log
///     coordinator   -> client         workers_ready, job_deployed,
///                                     progress_reported, pass_over,
///                                     weights_copied, checkpoint_ended,
///                                     weights_named, trace_reported,
///                                     run_failed
///     coordinator   -> worker         deploy_worker, join_groups, begin_pass,
///                                     hold_pass; the reply is pass_held
///                                     end_pass_at, align_statistics,
///                                     store_shard, send_weights,
///                                     report_status, report_trace
///     worker        -> coordinator    worker_ready, groups_joined,
///                                     statistics_aligned, weights_named,
///                                     status_reported, trace_reported,
///                                     worker_failed
///     child_process -> coordinator    process_ended
///     worker        -> its own actors begin_pass, hold_pass, end_pass_at,
///                                     align_statistics
///
///     stage k       -> stage k + 1    activation
///     stage k + 1   -> stage k        gradient
///     stage         -> link_out ~~~▶ link_in -> stage
///                                     the same, if the stages are in two
///                                     processes: bytes go by engine/comm
///     link_in       -> itself         receive_next, slot_filled
///     data_loader   -> stage          batch
///     stage         -> data_loader    batches_used
///     stage         -> gradient_sync  bucket_ready
///     gradient_sync -> stage          round_reduced
///     gradient_sync -> worker         statistics_aligned
///     worker        -> checkpointer   store_shard
///     checkpointer  -> coordinator    shard_copied, shard_stored
///     coordinator   -> archivist      save_checkpoint, end_checkpoint
///     archivist     -> coordinator    checkpoint_begun, checkpoint_ended
///     stage         -> coordinator    progress_reported, pass_done,
///                                     round_measured
///     coordinator   -> worker -> stage
///                                     round_joined
///
///     anyone        -> rendezvous     set_key, close_store
///                                     get_key; the reply is key_value
///
/// Invariants:
///
/// (1) A message is an immutable value. A tensor in it is a handle: to send it
///     moves no bytes and takes one reference.
///
/// (2) Who sent a tensor writes it no more. Who got it may queue work on it
///     after its ready event.
///
/// (3) What belongs to a pass carries its generation: a stage keeps what came
///     before its begin_pass, and drops what is left of an older one.
///
/// (4) A message with a handle stays in its process: it has no type id, and CAF
///     refuses to serialize it. Bytes go between processes in engine/comm.

#pragma once

#include "engine/base/error.hpp"
#include "engine/program/row_runner.hpp"

#include <caf/actor_control_block.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/type_id.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pd {

// -- orders: of a job --------------------------------------------------------

/// Makes every worker ready.
struct deploy_job {};

/// Runs a part of an epoch, or an evaluation: `microbatches` from `begin` on.
struct run_pass {
  std::int64_t epoch = 0;
  std::int64_t begin = 0;
  std::int64_t microbatches = 0;
  bool is_training = true;
};

/// Ends the pass after the rounds that have begun.
struct stop_pass {};

/// Begins a checkpoint, from which a run goes on after `samples` of `epoch`.
/// @pre between two passes, and the last one has ended
struct save_checkpoint {
  std::int64_t epoch = 0;
  std::int64_t samples = 0;
};

/// Asks replica 0 of every stage for its weights.
struct collect_weights {};

/// Logs what every actor does and waits for.
struct report_status {};

/// Asks every worker for its newest spans.
struct report_trace {};

// -- orders: to a worker -----------------------------------------------------

/// Makes worker `worker` of the job and its actors.
struct deploy_worker {
  int worker = 0;
  std::string job;          ///< as a file; empty: the process has it already
  std::string resumed_from; ///< a checkpoint; empty: from the beginning
  std::int64_t training_samples = 0;
  std::int64_t evaluation_samples = 0;
  caf::strong_actor_ptr coordinator;
  caf::strong_actor_ptr rendezvous; ///< null: all are in one process
};

/// Meets the other workers: all are ready.
struct join_groups {};

struct begin_pass {
  std::int64_t generation = 0;
  run_pass what;
};

/// No forward begins until end_pass_at comes.
struct hold_pass {
  std::int64_t generation = 0;
};

/// Leaves out the microbatches from `end` on.
struct end_pass_at {
  std::int64_t generation = 0;
  std::int64_t end = 0;
};

/// Gives all replicas of a stage the statistics of its replica 0.
struct align_statistics {
  std::int64_t generation = 0;
};

/// Copies the weights, and writes them beside the next pass as a shard of a
/// checkpoint that is being made in `folder`.
struct store_shard {
  std::string folder;
  int shard = 0;
  int shards = 1;
};

/// Sends all parameters and statistics to the client, after their names.
struct send_weights {};

/// From now on the process logs into this file, too.
struct open_log {
  std::string path;
};

// -- facts -------------------------------------------------------------------

/// One line for people: "cpu, AVX2, 1 thread".
struct worker_ready {
  int worker = 0;
  std::string device;
};

struct groups_joined {
  int worker = 0;
};

/// All workers are ready, on such devices, and about to meet.
struct workers_ready {
  std::string device;
};

/// All have met.
struct job_deployed {};

/// An actor of the worker ended with an error, or the worker's making did.
struct worker_failed {
  int worker = 0;
  errc code = errc::failed;
  std::string who;      ///< "data loader"; empty: the worker
  std::string doing;    ///< "runs B3"; empty: nothing that is known
  std::string what;     ///< why
  bool is_peer = false; ///< another worker may be the cause
};

/// A worker's process is no more.
struct process_ended {
  int worker = 0;
  std::string how; ///< "killed by signal 9 (Killed)"
};

/// Microbatches from `begun` on have not begun here.
struct pass_held {
  std::int64_t begun = 0;
};

/// A line for each actor of the worker.
struct status_reported {
  int worker = 0;
  std::vector<std::string> lines;
};

struct span_report {
  std::string name;
  std::int64_t index = 0;
  std::int64_t begin_us = 0;
  std::int64_t end_us = 0;
};

/// The newest actions of the worker's stage, oldest first.
struct trace_reported {
  int worker = 0;
  std::vector<span_report> spans;
};

struct statistics_aligned {
  std::int64_t generation = 0;
  int worker = 0;
};

/// Its worker may go on with the next pass.
struct shard_copied {};

/// What the manifest says of a tensor.
struct tensor_report {
  std::string name;
  std::vector<std::int64_t> extents;
  std::uint8_t kind = 0; ///< tensor_kind
  std::int64_t updates = 0;
};

/// A shard is on the disk, or why it is not.
struct shard_stored {
  std::string why; ///< with the file; empty: it is
  int shard = 0;
  std::int64_t bytes = 0;
  std::string hash;
  int moments = 0;
  std::vector<tensor_report> tensors;
};

/// All have copied their weights: the next pass may begin.
struct weights_copied {};

/// A checkpoint is whole, or why there is none.
struct checkpoint_ended {
  std::int64_t epoch = 0;
  std::int64_t samples = 0;
  std::string path;
  std::string why; ///< with the file; empty: it is whole
};

/// What comes next from the worker over the group, in this order, f32.
struct weights_named {
  int worker = 0;
  std::vector<std::string> names;
  std::vector<std::vector<std::int64_t>> extents;
  std::vector<std::uint8_t> are_counters;
};

/// Tag of their values, worker to client in the group of all workers.
inline constexpr std::uint64_t weights_tag = 0;

/// Of one microbatch.
struct loss_report {
  std::int64_t microbatch = 0;
  std::int64_t samples = 0;
  double loss = 0; ///< mean
  double correct = 0;
  double correct_top5 = 0;
};

/// Of a version that replica 0 of the last stage made, with this rate.
struct version_report {
  std::int64_t version = 0;
  double lr = 0;
};

/// What a worker of the last stage has come to since it last said so.
struct progress_reported {
  std::int64_t generation = 0;
  std::vector<loss_report> losses;
  std::vector<version_report> versions;
};

/// All rows are over.
struct pass_over {
  std::int64_t generation = 0;
  std::int64_t stall_us = 0;         ///< of all stages
  std::vector<std::int64_t> busy_us; ///< by worker
  std::vector<std::string> broken;   ///< files that were found so, by path
};

/// A worker's row is over.
struct pass_done {
  std::int64_t generation = 0;
  int worker = 0;
  std::int64_t stall_us = 0;       ///< that the stage waited for data alone
  std::int64_t busy_us = 0;        ///< in actions
  std::vector<std::string> broken; ///< files that its loader found so
};

/// A virtual stage's gradients of a round are whole, and this long; for joint
/// updates.
struct round_measured {
  std::int64_t generation = 0;
  int stage = 0;
  std::int64_t round = 0;
  double sum_of_squares = 0;
};

/// All stages' are; the sum over them, stage 0 first.
struct round_joined {
  std::int64_t generation = 0;
  std::int64_t round = 0;
  double sum_of_squares = 0;
};

/// The job cannot go on.
struct run_failed {
  errc code = errc::failed;
  std::string what; ///< who and why, one line
};

/// A stage will not read so many batches any more, the oldest that it has.
struct batches_used {
  std::int64_t generation = 0;
  std::int64_t count = 0;
};

/// All replicas' parts are summed up in the stage's gradients.
struct round_reduced {
  std::int64_t generation = 0;
  int chunk = 0;
  std::int64_t round = 0;
};

// -- between the coordinator and who keeps checkpoints ------------------------

/// Shards may be written into this folder.
struct checkpoint_begun {
  std::string folder;
};

/// Of every writer; the checkpoint is given up if one of them has failed.
struct end_checkpoint {
  std::vector<shard_stored> shards;
};

// -- of one actor to itself --------------------------------------------------

/// Waits for the bytes of the oldest slot.
struct receive_next {};

/// They are here.
struct slot_filled {};

// -- where the ranks of a group meet -----------------------------------------

struct set_key {
  std::string key;
  std::vector<char> value;
};

/// Answered once the key is set.
struct get_key {
  std::string key;
};

struct key_value {
  std::vector<char> value;
};

/// Every get fails with this, now and later.
struct close_store {
  std::string why;
};

#define PD_INSPECT(T, ...)                                                     \
  template <class Inspector>                                                   \
  auto inspect(Inspector& f, [[maybe_unused]] T& x) {                          \
    return f(caf::meta::type_name(#T) __VA_OPT__(, ) __VA_ARGS__);             \
  }

PD_INSPECT(deploy_job)
PD_INSPECT(run_pass, x.epoch, x.begin, x.microbatches, x.is_training)
PD_INSPECT(stop_pass)
PD_INSPECT(save_checkpoint, x.epoch, x.samples)
PD_INSPECT(store_shard, x.folder, x.shard, x.shards)
PD_INSPECT(shard_copied)
PD_INSPECT(tensor_report, x.name, x.extents, x.kind, x.updates)
PD_INSPECT(shard_stored, x.why, x.shard, x.bytes, x.hash, x.moments, x.tensors)
PD_INSPECT(weights_copied)
PD_INSPECT(checkpoint_ended, x.epoch, x.samples, x.path, x.why)
PD_INSPECT(checkpoint_begun, x.folder)
PD_INSPECT(end_checkpoint, x.shards)
PD_INSPECT(collect_weights)
PD_INSPECT(report_status)
PD_INSPECT(report_trace)
PD_INSPECT(deploy_worker, x.worker, x.job, x.resumed_from, x.training_samples,
           x.evaluation_samples, x.coordinator, x.rendezvous)
PD_INSPECT(join_groups)
PD_INSPECT(begin_pass, x.generation, x.what)
PD_INSPECT(hold_pass, x.generation)
PD_INSPECT(end_pass_at, x.generation, x.end)
PD_INSPECT(align_statistics, x.generation)
PD_INSPECT(send_weights)
PD_INSPECT(open_log, x.path)
PD_INSPECT(worker_ready, x.worker, x.device)
PD_INSPECT(groups_joined, x.worker)
PD_INSPECT(workers_ready, x.device)
PD_INSPECT(job_deployed)
PD_INSPECT(worker_failed, x.worker, x.code, x.who, x.doing, x.what, x.is_peer)
PD_INSPECT(process_ended, x.worker, x.how)
PD_INSPECT(pass_held, x.begun)
PD_INSPECT(status_reported, x.worker, x.lines)
PD_INSPECT(span_report, x.name, x.index, x.begin_us, x.end_us)
PD_INSPECT(trace_reported, x.worker, x.spans)
PD_INSPECT(statistics_aligned, x.generation, x.worker)
PD_INSPECT(weights_named, x.worker, x.names, x.extents, x.are_counters)
PD_INSPECT(loss_report, x.microbatch, x.samples, x.loss, x.correct,
           x.correct_top5)
PD_INSPECT(version_report, x.version, x.lr)
PD_INSPECT(progress_reported, x.generation, x.losses, x.versions)
PD_INSPECT(pass_over, x.generation, x.stall_us, x.busy_us, x.broken)
PD_INSPECT(pass_done, x.generation, x.worker, x.stall_us, x.busy_us, x.broken)
PD_INSPECT(run_failed, x.code, x.what)
PD_INSPECT(batches_used, x.generation, x.count)
PD_INSPECT(round_reduced, x.generation, x.chunk, x.round)
PD_INSPECT(round_measured, x.generation, x.stage, x.round, x.sum_of_squares)
PD_INSPECT(round_joined, x.generation, x.round, x.sum_of_squares)
PD_INSPECT(receive_next)
PD_INSPECT(slot_filled)
PD_INSPECT(set_key, x.key, x.value)
PD_INSPECT(get_key, x.key)
PD_INSPECT(key_value, x.value)
PD_INSPECT(close_store, x.why)

#undef PD_INSPECT

// -- data: messages that hold a handle ---------------------------------------

/// What virtual stage `from` hands on to `to` for one microbatch.
struct activation {
  std::int64_t generation = 0;
  int from = 0;
  int to = 0;
  std::int64_t microbatch = 0;
  std::vector<tensor> values;
};

/// The gradients by an activation, on their way back; without values, an
/// acknowledgement in an evaluation.
struct gradient {
  std::int64_t generation = 0;
  int from = 0;
  int to = 0;
  std::int64_t microbatch = 0;
  std::vector<tensor> values;
};

struct batch {
  std::int64_t generation = 0;
  loaded_batch value;
  std::vector<std::string> broken; ///< files that were found so meanwhile
};

/// A bucket of the replica's gradients of a round, which its sync may read and
/// write after the event until the round is reduced.
struct bucket_ready {
  std::int64_t generation = 0;
  int chunk = 0;
  std::int64_t round = 0;
  int bucket = 0;
  event ready;
};

} // namespace pd

#ifndef PD_FIRST_TYPE_ID
#  define PD_FIRST_TYPE_ID (caf::first_custom_type_id + 1000)
#endif

CAF_BEGIN_TYPE_ID_BLOCK(pd_engine, PD_FIRST_TYPE_ID)

  CAF_ADD_TYPE_ID(pd_engine, (pd::deploy_job))
  CAF_ADD_TYPE_ID(pd_engine, (pd::run_pass))
  CAF_ADD_TYPE_ID(pd_engine, (pd::stop_pass))
  CAF_ADD_TYPE_ID(pd_engine, (pd::save_checkpoint))
  CAF_ADD_TYPE_ID(pd_engine, (pd::store_shard))
  CAF_ADD_TYPE_ID(pd_engine, (pd::shard_copied))
  CAF_ADD_TYPE_ID(pd_engine, (pd::tensor_report))
  CAF_ADD_TYPE_ID(pd_engine, (pd::shard_stored))
  CAF_ADD_TYPE_ID(pd_engine, (pd::weights_copied))
  CAF_ADD_TYPE_ID(pd_engine, (pd::checkpoint_ended))
  CAF_ADD_TYPE_ID(pd_engine, (pd::checkpoint_begun))
  CAF_ADD_TYPE_ID(pd_engine, (pd::end_checkpoint))
  CAF_ADD_TYPE_ID(pd_engine, (pd::collect_weights))
  CAF_ADD_TYPE_ID(pd_engine, (pd::report_status))
  CAF_ADD_TYPE_ID(pd_engine, (pd::report_trace))
  CAF_ADD_TYPE_ID(pd_engine, (pd::span_report))
  CAF_ADD_TYPE_ID(pd_engine, (pd::trace_reported))
  CAF_ADD_TYPE_ID(pd_engine, (pd::deploy_worker))
  CAF_ADD_TYPE_ID(pd_engine, (pd::join_groups))
  CAF_ADD_TYPE_ID(pd_engine, (pd::begin_pass))
  CAF_ADD_TYPE_ID(pd_engine, (pd::hold_pass))
  CAF_ADD_TYPE_ID(pd_engine, (pd::end_pass_at))
  CAF_ADD_TYPE_ID(pd_engine, (pd::align_statistics))
  CAF_ADD_TYPE_ID(pd_engine, (pd::send_weights))
  CAF_ADD_TYPE_ID(pd_engine, (pd::open_log))
  CAF_ADD_TYPE_ID(pd_engine, (pd::worker_ready))
  CAF_ADD_TYPE_ID(pd_engine, (pd::groups_joined))
  CAF_ADD_TYPE_ID(pd_engine, (pd::workers_ready))
  CAF_ADD_TYPE_ID(pd_engine, (pd::job_deployed))
  CAF_ADD_TYPE_ID(pd_engine, (pd::worker_failed))
  CAF_ADD_TYPE_ID(pd_engine, (pd::process_ended))
  CAF_ADD_TYPE_ID(pd_engine, (pd::pass_held))
  CAF_ADD_TYPE_ID(pd_engine, (pd::status_reported))
  CAF_ADD_TYPE_ID(pd_engine, (pd::statistics_aligned))
  CAF_ADD_TYPE_ID(pd_engine, (pd::weights_named))
  CAF_ADD_TYPE_ID(pd_engine, (pd::loss_report))
  CAF_ADD_TYPE_ID(pd_engine, (pd::version_report))
  CAF_ADD_TYPE_ID(pd_engine, (pd::progress_reported))
  CAF_ADD_TYPE_ID(pd_engine, (pd::pass_over))
  CAF_ADD_TYPE_ID(pd_engine, (pd::pass_done))
  CAF_ADD_TYPE_ID(pd_engine, (pd::run_failed))
  CAF_ADD_TYPE_ID(pd_engine, (pd::batches_used))
  CAF_ADD_TYPE_ID(pd_engine, (pd::round_reduced))
  CAF_ADD_TYPE_ID(pd_engine, (pd::round_measured))
  CAF_ADD_TYPE_ID(pd_engine, (pd::round_joined))
  CAF_ADD_TYPE_ID(pd_engine, (pd::receive_next))
  CAF_ADD_TYPE_ID(pd_engine, (pd::slot_filled))
  CAF_ADD_TYPE_ID(pd_engine, (pd::set_key))
  CAF_ADD_TYPE_ID(pd_engine, (pd::get_key))
  CAF_ADD_TYPE_ID(pd_engine, (pd::key_value))
  CAF_ADD_TYPE_ID(pd_engine, (pd::close_store))

CAF_END_TYPE_ID_BLOCK(pd_engine)

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pd::activation)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pd::gradient)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pd::batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pd::bucket_ready)
