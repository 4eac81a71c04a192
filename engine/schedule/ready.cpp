#include "engine/schedule/ready.hpp"

#include "engine/base/assert.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace pd {

namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// The lowest `count` bits.
std::uint32_t all_of(std::size_t count) {
  PD_ASSERT(count <= max_links);
  return static_cast<std::uint32_t>((std::uint64_t{1} << count) - 1);
}

std::uint32_t bit_of(const std::vector<int>& stages, int from) {
  const auto here = std::find(stages.begin(), stages.end(), from);
  PD_ASSERT(here != stages.end());
  return std::uint32_t{1} << static_cast<std::size_t>(here - stages.begin());
}

int first_of(const std::vector<int>& stages, std::uint32_t due) {
  return stages[at(std::countr_zero(due))];
}

} // namespace

std::string to_string(const missing& lack) {
  const auto number = std::to_string(lack.index);
  const auto of_microbatch = " of microbatch " + number;
  const auto from = " from stage " + std::to_string(lack.stage);
  switch (lack.what) {
  case want::activation:
    return "waits for the activation" + of_microbatch + from;
  case want::gradient:
    return "waits for the gradient" + of_microbatch + from;
  case want::acknowledgement:
    return "waits for the acknowledgement" + of_microbatch + from;
  case want::own_forward:
    return "waits for its own forward" + of_microbatch;
  case want::own_input:
    return "waits for its own input gradient" + of_microbatch;
  case want::version:
    return "waits for version " + number + " of its weights";
  case want::round:
    return "waits for all backwards of the round that makes version " + number
           + " of stage " + std::to_string(lack.stage);
  case want::joint_round:
    return "waits for the gradients of all stages for the round that makes "
           "version "
           + number;
  case want::place:
    return "waits for a place in flight for microbatch " + number;
  case want::batch:
    return "waits for microbatch " + number + " from the data loader";
  case want::reduction:
    return "waits for the reduction of the gradients over the replicas";
  case want::nothing:
    break;
  }
  return "waits for nothing";
}

worker_progress::worker_progress(const timetable& head, const topology& links,
                                 int worker)
  : microbatches_{head.microbatches} {
  const placement place{head.shape};
  const int stage = place.stage_of(worker);
  round_ = head.rounds[at(stage)];
  depth_ = head.depth[at(stage)];
  replicas_ = place.replicas(stage);
  replica_ = place.replica_of(worker);
  if (head.joint_updates)
    joint_rounds_due_.assign(at(microbatches_ / round_), true);
  chunks_.resize(at(head.shape.chunks));
  for (int c = 0; c < head.shape.chunks; ++c) {
    auto& chunk = chunks_[at(c)];
    chunk.virtual_stage = place.virtual_stage(stage, c);
    chunk.links = links[at(chunk.virtual_stage)];
    const marks start{.activations_due = all_of(chunk.links.upstream.size()),
                      .gradients_due = all_of(chunk.links.downstream.size())};
    chunk.by_local.assign(at(microbatches_ / replicas_ + 1), start);
    chunk.backwards_due.assign(at(microbatches_ / round_), round_);
  }
}

const worker_progress::chunk_state&
worker_progress::chunk_of(const action& what) const {
  return chunks_[at(what.chunk)];
}

const worker_progress::marks&
worker_progress::marks_of(const action& what) const {
  return chunk_of(what).by_local[at(local(what.index))];
}

bool worker_progress::knows(const action& what) const {
  const auto rounds = microbatches_ / round_;
  if (what.chunk < 0 || at(what.chunk) >= chunks_.size())
    return false;
  if (what.kind == act::update)
    return what.index >= 1 && what.index <= rounds;
  return what.index >= 0 && what.index < microbatches_
         && what.index % replicas_ == replica_ && what.version >= 0
         && what.version <= rounds;
}

// -- the rule -----------------------------------------------------------------

missing worker_progress::lacks(const action& what) const {
  switch (what.kind) {
  case act::forward:
    return forward_lacks(what);
  case act::backward:
  case act::input:
    return backward_lacks(what);
  case act::weight:
    return weight_lacks(what);
  case act::update:
    return lacks_round(what);
  case act::evaluate:
    return evaluate_lacks(what);
  }
  return {};
}

missing worker_progress::forward_lacks(const action& what) const {
  if (const auto lack = lacks_activation(what); lack.what != want::nothing)
    return lack;
  if (in_flight_ >= depth_)
    return {want::place, what.index, chunk_of(what).virtual_stage};
  return lacks_version(what);
}

missing worker_progress::backward_lacks(const action& what) const {
  if (!marks_of(what).is_forwarded)
    return {want::own_forward, what.index, chunk_of(what).virtual_stage};
  if (const auto lack = lacks_gradient(what); lack.what != want::nothing)
    return lack;
  return lacks_version(what);
}

missing worker_progress::weight_lacks(const action& what) const {
  if (!marks_of(what).has_input)
    return {want::own_input, what.index, chunk_of(what).virtual_stage};
  return {};
}

missing worker_progress::evaluate_lacks(const action& what) const {
  if (const auto lack = lacks_activation(what); lack.what != want::nothing)
    return lack;
  if (const auto lack = lacks_acknowledgement(what); lack.what != want::nothing)
    return lack;
  return lacks_version(what);
}

missing worker_progress::lacks_activation(const action& what) const {
  const auto due = marks_of(what).activations_due;
  if (due == 0)
    return {};
  return {want::activation, what.index,
          first_of(chunk_of(what).links.upstream, due)};
}

missing worker_progress::lacks_gradient(const action& what) const {
  const auto due = marks_of(what).gradients_due;
  if (due == 0)
    return {};
  return {want::gradient, what.index,
          first_of(chunk_of(what).links.downstream, due)};
}

missing worker_progress::lacks_acknowledgement(const action& what) const {
  auto earlier = what;
  earlier.index -= depth_ * replicas_;
  if (earlier.index < 0)
    return {};
  auto lack = lacks_gradient(earlier);
  if (lack.what == want::gradient)
    lack.what = want::acknowledgement;
  return lack;
}

missing worker_progress::lacks_version(const action& what) const {
  if (what.version <= chunk_of(what).newest)
    return {};
  return {want::version, what.version, chunk_of(what).virtual_stage};
}

missing worker_progress::lacks_round(const action& what) const {
  const auto& chunk = chunk_of(what);
  if (chunk.newest != what.index - 1)
    return {want::version, what.index - 1, chunk.virtual_stage};
  if (chunk.backwards_due[at(what.index - 1)] > 0)
    return {want::round, what.index, chunk.virtual_stage};
  if (!joint_rounds_due_.empty() && joint_rounds_due_[at(what.index - 1)])
    return {want::joint_round, what.index, chunk.virtual_stage};
  return {};
}

// -- facts --------------------------------------------------------------------

void worker_progress::activation_arrived(int chunk, std::int64_t microbatch,
                                         int from) {
  auto& state = chunks_[at(chunk)];
  state.by_local[at(local(microbatch))].activations_due &=
    ~bit_of(state.links.upstream, from);
}

void worker_progress::gradient_arrived(int chunk, std::int64_t microbatch,
                                       int from) {
  auto& state = chunks_[at(chunk)];
  state.by_local[at(local(microbatch))].gradients_due &=
    ~bit_of(state.links.downstream, from);
}

void worker_progress::backward_elsewhere(int chunk, std::int64_t microbatch) {
  count_backward(chunks_[at(chunk)], microbatch);
}

void worker_progress::round_joined(std::int64_t round) {
  joint_rounds_due_[at(round)] = false;
}

void worker_progress::count_backward(chunk_state& chunk,
                                     std::int64_t microbatch) const {
  --chunk.backwards_due[at(microbatch / round_)];
}

void worker_progress::done(const action& what) {
  auto& chunk = chunks_[at(what.chunk)];
  if (what.kind == act::update) {
    chunk.newest = what.index;
    return;
  }
  auto& mark = chunk.by_local[at(local(what.index))];
  if (what.kind == act::forward) {
    mark.is_forwarded = true;
    ++in_flight_;
  } else if (what.kind == act::input) {
    mark.has_input = true;
  } else if (is_last_of_backward(what.kind)) {
    --in_flight_;
    count_backward(chunk, what.index);
  }
}

} // namespace pd
