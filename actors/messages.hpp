/// Every message that crosses an actor boundary, and nothing else.
///
///     client        -> coordinator    run_pass, stop_pass, report_waits
///     coordinator   -> client         loss_reported, version_made, pass_done,
///                                     run_failed
///     coordinator   -> stage, data_loader, gradient_sync
///                                     begin_pass, end_pass_at
///     coordinator   -> stage          hold_pass; the reply is pass_held
///                                     report_waits; the reply is wait_reported
///     stage k       -> stage k + 1    activation
///     stage k + 1   -> stage k        gradient
///     data_loader   -> stage          batch
///     stage         -> data_loader    batch_used
///     stage         -> gradient_sync  round_summed
///     gradient_sync -> gradient_sync  part_ready, segment_reduced
///     gradient_sync -> stage          round_reduced
///     stage         -> coordinator    loss_reported, version_made, pass_done
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

#include "engine/program/row_runner.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/meta/type_name.hpp>
#include <caf/type_id.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace pd {

// -- orders ------------------------------------------------------------------

/// Runs the training timetable, or the evaluation's.
struct run_pass {
  std::int64_t epoch = 0;
  std::int64_t first_microbatch = 0; ///< of the whole run
  bool is_training = true;
};

/// Ends the pass after the rounds that have begun.
struct stop_pass {};

/// Logs what every stage waits for.
struct report_waits {};

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

// -- facts -------------------------------------------------------------------

/// Microbatches from `begun` on have not begun here.
struct pass_held {
  std::int64_t begun = 0;
};

/// "F3 waits for the activation of microbatch 3 from stage 0".
struct wait_reported {
  std::string what;
};

struct loss_reported {
  std::int64_t generation = 0;
  std::int64_t microbatch = 0;
  std::int64_t samples = 0;
  double loss = 0; ///< mean
  double correct = 0;
  double correct_top5 = 0;
};

/// Replica 0 of the last stage made a version, with this learning rate.
struct version_made {
  std::int64_t generation = 0;
  std::int64_t version = 0;
  double lr = 0;
};

/// A worker's row is over; told to the client, all are.
struct pass_done {
  std::int64_t generation = 0;
  int worker = 0;
  std::int64_t stall_us = 0; ///< that the stage waited for data alone
};

/// An actor ended with an error.
struct run_failed {
  std::string what; ///< who and why, one line
};

/// A stage will not read the batch any more.
struct batch_used {
  std::int64_t generation = 0;
  std::int64_t microbatch = 0;
};

/// The stage's part of a round lies in its gradients.
struct round_summed {
  std::int64_t generation = 0;
  int chunk = 0;
  std::int64_t round = 0;
};

/// All replicas' parts are summed up in the stage's gradients.
struct round_reduced {
  std::int64_t generation = 0;
  int chunk = 0;
  std::int64_t round = 0;
};

/// A replica has summed its segment into the gradients of all.
struct segment_reduced {
  std::int64_t generation = 0;
  int chunk = 0;
  std::int64_t round = 0;
};

#define PD_INSPECT(T, ...)                                                     \
  template <class Inspector>                                                   \
  auto inspect(Inspector& f, T& x) {                                           \
    return f(caf::meta::type_name(#T) __VA_OPT__(, ) __VA_ARGS__);             \
  }

PD_INSPECT(run_pass, x.epoch, x.first_microbatch, x.is_training)
template <class Inspector>
auto inspect(Inspector& f, stop_pass&) {
  return f(caf::meta::type_name("stop_pass"));
}
template <class Inspector>
auto inspect(Inspector& f, report_waits&) {
  return f(caf::meta::type_name("report_waits"));
}
PD_INSPECT(wait_reported, x.what)
PD_INSPECT(begin_pass, x.generation, x.what)
PD_INSPECT(hold_pass, x.generation)
PD_INSPECT(end_pass_at, x.generation, x.end)
PD_INSPECT(pass_held, x.begun)
PD_INSPECT(loss_reported, x.generation, x.microbatch, x.samples, x.loss,
           x.correct, x.correct_top5)
PD_INSPECT(version_made, x.generation, x.version, x.lr)
PD_INSPECT(pass_done, x.generation, x.worker, x.stall_us)
PD_INSPECT(run_failed, x.what)
PD_INSPECT(batch_used, x.generation, x.microbatch)
PD_INSPECT(round_summed, x.generation, x.chunk, x.round)
PD_INSPECT(round_reduced, x.generation, x.chunk, x.round)
PD_INSPECT(segment_reduced, x.generation, x.chunk, x.round)

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
};

/// A replica's gradients, which every replica's sync may read and write until
/// the round is reduced. grads: f32 [elems].
struct part_ready {
  std::int64_t generation = 0;
  int chunk = 0;
  std::int64_t round = 0;
  int replica = 0;
  float* grads = nullptr;
};

} // namespace pd

#ifndef PD_FIRST_TYPE_ID
#  define PD_FIRST_TYPE_ID (caf::first_custom_type_id + 1000)
#endif

CAF_BEGIN_TYPE_ID_BLOCK(pd_engine, PD_FIRST_TYPE_ID)

  CAF_ADD_TYPE_ID(pd_engine, (pd::run_pass))
  CAF_ADD_TYPE_ID(pd_engine, (pd::stop_pass))
  CAF_ADD_TYPE_ID(pd_engine, (pd::report_waits))
  CAF_ADD_TYPE_ID(pd_engine, (pd::wait_reported))
  CAF_ADD_TYPE_ID(pd_engine, (pd::begin_pass))
  CAF_ADD_TYPE_ID(pd_engine, (pd::hold_pass))
  CAF_ADD_TYPE_ID(pd_engine, (pd::end_pass_at))
  CAF_ADD_TYPE_ID(pd_engine, (pd::pass_held))
  CAF_ADD_TYPE_ID(pd_engine, (pd::loss_reported))
  CAF_ADD_TYPE_ID(pd_engine, (pd::version_made))
  CAF_ADD_TYPE_ID(pd_engine, (pd::pass_done))
  CAF_ADD_TYPE_ID(pd_engine, (pd::run_failed))
  CAF_ADD_TYPE_ID(pd_engine, (pd::batch_used))
  CAF_ADD_TYPE_ID(pd_engine, (pd::round_summed))
  CAF_ADD_TYPE_ID(pd_engine, (pd::round_reduced))
  CAF_ADD_TYPE_ID(pd_engine, (pd::segment_reduced))

CAF_END_TYPE_ID_BLOCK(pd_engine)

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pd::activation)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pd::gradient)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pd::batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pd::part_ready)
