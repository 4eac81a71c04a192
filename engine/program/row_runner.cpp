#include "engine/program/row_runner.hpp"

#include "engine/program/backward_plan.hpp"

#include <algorithm>
#include <set>

namespace pd {

namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

bool is_forward(act kind) {
  return kind == act::forward || kind == act::evaluate;
}

/// The stages at the other ends, each once.
std::set<int> peers_of(const std::vector<crossing>& all) {
  std::set<int> peers;
  for (const auto& each : all)
    peers.insert(each.peer);
  return peers;
}

using message_key = std::pair<std::int64_t, int>; // microbatch, peer

} // namespace

struct row_runner::chunk_state {
  chunk_parts parts;
  int virtual_stage = 0;
  int index = 0;
  std::set<int> upstream, downstream;
  std::map<message_key, std::vector<tensor>> activations, gradients;
  std::int64_t first_version = 0; ///< of the weights, when the epoch started
  std::int64_t begun_round = -1;  ///< whose gradients are being summed
  std::vector<std::int64_t> left; ///< own backwards still due, by round
  std::int64_t reduced = -1;      ///< the last round that all replicas summed
  bool takes_images = false;
  bool takes_labels = false;
  bucket_watch watch; ///< for the last own backward of a round

  /// Index among the plan's outputs of a node.
  [[nodiscard]] int output_of(int node) const {
    const auto& all = parts.program->plan().outputs;
    return static_cast<int>(std::ranges::find(all, node) - all.begin());
  }
  [[nodiscard]] const std::string& op_of(std::size_t node) const {
    return parts.stage->net.net.nodes[node].op;
  }
};

row_runner::row_runner(const std::vector<chunk_parts>& chunks, topology links,
                       int worker, outbox& to)
  : links_{std::move(links)}, worker_{worker}, to_{to} {
  for (const auto& each : chunks) {
    auto made = std::make_unique<chunk_state>();
    made->parts = each;
    made->index = static_cast<int>(chunks_.size());
    made->upstream = peers_of(each.stage->arrivals);
    made->downstream = peers_of(each.stage->departures);
    for (const auto& node : each.stage->net.net.nodes) {
      made->takes_images |= node.op == "input" && is_from_loader(node);
      made->takes_labels |= node.op == "labels";
    }
    made->watch = {
      each.buckets, [this, chunk = made.get()](int bucket, const event& ready) {
        to_.bucket_done(chunk->index, chunk->begun_round, bucket, ready);
      }};
    chunks_.push_back(std::move(made));
  }
}

row_runner::~row_runner() = default;

void row_runner::start(std::shared_ptr<const timetable> all,
                       std::int64_t first_microbatch) {
  PD_ASSERT(is_over());
  first_microbatch_ = first_microbatch;
  end_ = all->microbatches;
  begun_ = 0;
  all_ = std::move(all);
  next_ = 0;
  batches_.clear(); // of a pass that ended early
  batch_uses_.clear();
  joint_sums_.clear();
  progress_ = std::make_unique<worker_progress>(*all_, links_, worker_);
  where_.emplace(all_->shape);
  const auto& where = *where_;
  const int stage = where.stage_of(worker_);
  const auto round = all_->rounds[at(stage)];
  for (auto& each : chunks_) {
    each->virtual_stage = where.virtual_stage(stage, each->index);
    each->first_version = each->parts.program->weights().newest().number;
    each->begun_round = -1;
    each->reduced = -1;
    each->left.assign(at(all_->microbatches / round + 1),
                      round / where.replicas(stage));
  }
}

bool row_runner::is_left_out(const action& what) const {
  if (what.kind != act::update)
    return what.index >= end_;
  const int stage = where_->stage_of(worker_);
  return what.index * all_->rounds[at(stage)] > end_;
}

void row_runner::end_at(std::int64_t end) {
  end_ = end;
  while (!is_over() && is_left_out(next()))
    ++next_;
}

bool row_runner::is_over() const {
  return !all_ || next_ == all_->rows[at(worker_)].size();
}

const action& row_runner::next() const {
  return all_->rows[at(worker_)][next_];
}

std::int64_t row_runner::in_flight() const {
  return progress_ ? progress_->in_flight() : 0;
}

row_runner::chunk_state& row_runner::chunk_of(const action& what) const {
  return *chunks_[at(what.chunk)];
}

// -- facts -------------------------------------------------------------------

void row_runner::batch_arrived(loaded_batch batch) {
  batches_.insert_or_assign(batch.microbatch, std::move(batch));
}

void row_runner::activation_arrived(int from, int to, std::int64_t microbatch,
                                    std::vector<tensor> values) {
  const int chunk = where_->chunk_of_virtual(to);
  chunks_[at(chunk)]->activations.insert_or_assign({microbatch, from},
                                                   std::move(values));
  progress_->activation_arrived(chunk, microbatch, from);
}

void row_runner::gradient_arrived(int from, int to, std::int64_t microbatch,
                                  std::vector<tensor> values) {
  const int chunk = where_->chunk_of_virtual(to);
  if (!values.empty())
    chunks_[at(chunk)]->gradients.insert_or_assign({microbatch, from},
                                                   std::move(values));
  progress_->gradient_arrived(chunk, microbatch, from);
}

void row_runner::round_reduced(int chunk, std::int64_t round) {
  const auto& where = *where_;
  const int stage = where.stage_of(worker_);
  const auto size = all_->rounds[at(stage)];
  for (auto k = round * size; k < (round + 1) * size; ++k)
    if (where.worker_of(stage, k) != worker_)
      progress_->backward_elsewhere(chunk, k);
  chunks_[at(chunk)]->reduced = round;
  measure(*chunks_[at(chunk)], round);
}

void row_runner::round_joined(std::int64_t round, double sum_of_squares) {
  joint_sums_[round] = sum_of_squares;
  progress_->round_joined(round);
}

// -- what has to wait --------------------------------------------------------

bool row_runner::lacks_batch(const action& what) const {
  const auto& chunk = chunk_of(what);
  return is_forward(what.kind) && (chunk.takes_images || chunk.takes_labels)
         && !batches_.contains(what.index);
}

missing row_runner::lacks() const {
  const auto& what = next();
  if (const auto lack = progress_->lacks(what); lack.what != want::nothing)
    return lack;
  if (lacks_batch(what))
    return {want::batch, what.index};
  if (lacks_reduction(what))
    return {want::reduction, what.index};
  return {};
}

bool row_runner::lacks_only_batch() const {
  return !is_over() && lacks().what == want::batch;
}

bool row_runner::reads_batches() const {
  return std::ranges::any_of(chunks_, [](const auto& each) {
    return each->takes_images || each->takes_labels;
  });
}

bool row_runner::lacks_reduction(const action& what) const {
  return what.kind == act::update && has_replicas()
         && chunk_of(what).reduced < what.index - 1;
}

bool row_runner::has_replicas() const {
  const auto& where = *where_;
  return where.replicas(where.stage_of(worker_)) > 1;
}

/// @pre what is no update
std::int64_t row_runner::round_of(const action& what) const {
  const int stage = where_->stage_of(worker_);
  return what.index / all_->rounds[at(stage)];
}

std::string row_runner::waits_for() const {
  if (is_over())
    return "waits for the next epoch";
  const auto lack = lacks();
  return to_string(next()) + " "
         + (lack.what == want::nothing ? "is ready" : to_string(lack));
}

bool row_runner::step() {
  if (is_over() || lacks().what != want::nothing)
    return false;
  const auto& what = next();
  progress_->done(what);
  run(what);
  do
    ++next_;
  while (!is_over() && is_left_out(next()));
  return true;
}

void row_runner::run(const action& what) {
  switch (what.kind) {
  case act::forward:
    return run_forward(what, run_mode::training);
  case act::evaluate:
    return run_forward(what, run_mode::evaluation);
  case act::update:
    return run_update(what);
  case act::backward:
  case act::input:
  case act::weight:
    return run_backward(what);
  }
}

// -- forward -----------------------------------------------------------------

/// In the order of the stage's nodes, as its program wants them.
std::vector<tensor> row_runner::inputs_of(chunk_state& chunk,
                                          std::int64_t microbatch) {
  std::map<int, tensor> by_node;
  for (const int peer : chunk.upstream) {
    auto values = chunk.activations.extract({microbatch, peer});
    auto next = values.mapped().begin();
    for (const auto& each : chunk.parts.stage->arrivals)
      if (each.peer == peer)
        by_node[each.node] = std::move(*next++);
  }
  std::vector<tensor> inputs;
  const auto& values = chunk.parts.program->plan().values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i].is_external)
      continue;
    if (const auto found = by_node.find(static_cast<int>(i));
        found != by_node.end())
      inputs.push_back(std::move(found->second));
    else
      inputs.push_back(chunk.op_of(i) == "labels"
                         ? batches_.at(microbatch).labels
                         : batches_.at(microbatch).images);
  }
  return inputs;
}

void row_runner::run_forward(const action& what, run_mode mode) {
  auto& chunk = chunk_of(what);
  auto& program = *chunk.parts.program;
  begun_ = std::max(begun_, what.index + 1);
  program.forward(first_microbatch_ + what.index, inputs_of(chunk, what.index),
                  mode, chunk.first_version + what.version);
  hand_on(chunk, what.index);
  report_loss(chunk, what.index);
  if (mode == run_mode::evaluation) {
    program.release(first_microbatch_ + what.index);
    acknowledge(chunk, what.index);
    release_batch(chunk, what.index);
  }
}

/// Once every chunk here that reads it is through.
void row_runner::release_batch(const chunk_state& chunk,
                               std::int64_t microbatch) {
  if (!chunk.takes_images && !chunk.takes_labels)
    return;
  const auto readers = std::ranges::count_if(chunks_, [](const auto& each) {
    return each->takes_images || each->takes_labels;
  });
  if (++batch_uses_[microbatch] < readers)
    return;
  batch_uses_.erase(microbatch);
  batches_.erase(microbatch);
  to_.batch_released(microbatch);
}

void row_runner::hand_on(const chunk_state& chunk, std::int64_t microbatch) {
  for (const int peer : links_[at(chunk.virtual_stage)].downstream) {
    std::vector<tensor> values;
    for (const auto& each : chunk.parts.stage->departures)
      if (each.peer == peer)
        values.push_back(chunk.parts.program->output(
          first_microbatch_ + microbatch, chunk.output_of(each.node)));
    to_.activation(chunk.virtual_stage, peer, microbatch, std::move(values));
  }
}

void row_runner::report_loss(chunk_state& chunk, std::int64_t microbatch) {
  const auto& plan = chunk.parts.program->plan();
  for (std::size_t i = 0; i < plan.outputs.size(); ++i) {
    const auto& made_by = chunk.parts.stage->net.net.nodes[at(plan.outputs[i])];
    if (!is_loss(made_by) || is_auxiliary_loss(made_by))
      continue;
    const auto value = chunk.parts.program->output(
      first_microbatch_ + microbatch, static_cast<int>(i));
    value.ready.block();
    const auto* figures = value.data<float>();
    to_.loss({microbatch, batches_.at(microbatch).samples, double{figures[0]},
              double{figures[1]}, double{figures[2]}});
  }
}

// -- backward ----------------------------------------------------------------

/// In the order of the plan's outputs.
std::vector<tensor> row_runner::output_grads_of(chunk_state& chunk,
                                                std::int64_t microbatch) {
  std::map<int, tensor> by_output;
  for (const int peer : chunk.downstream) {
    auto values = chunk.gradients.extract({microbatch, peer});
    auto next = values.mapped().begin();
    for (const auto& each : chunk.parts.stage->departures)
      if (each.peer == peer)
        by_output[chunk.output_of(each.node)] = std::move(*next++);
  }
  std::vector<tensor> grads;
  grads.reserve(by_output.size());
  for (auto& [output, grad] : by_output)
    grads.push_back(std::move(grad));
  return grads;
}

void row_runner::run_backward(const action& what) {
  auto& chunk = chunk_of(what);
  const bool has_weight = is_last_of_backward(what.kind);
  const bool accumulates = chunk.begun_round == round_of(what);
  if (has_weight)
    chunk.begun_round = round_of(what);
  run_backward(chunk, what, accumulates);
  if (has_weight)
    end_backward(chunk, what);
}

void row_runner::run_backward(chunk_state& chunk, const action& what,
                              bool accumulates) {
  auto& program = *chunk.parts.program;
  const auto microbatch = first_microbatch_ + what.index;
  const bool is_last = chunk.left[at(round_of(what))] == 1;
  static const bucket_watch nobody;
  const auto& watch = is_last && has_replicas() ? chunk.watch : nobody;
  if (what.kind == act::weight)
    return program.backward_weight(microbatch, accumulates, watch);
  const auto grads = output_grads_of(chunk, what.index);
  if (what.kind == act::backward)
    program.backward(microbatch, accumulates, grads, watch);
  else
    program.backward_input(microbatch, grads);
  hand_back(chunk, what.index);
}

void row_runner::hand_back(const chunk_state& chunk, std::int64_t microbatch) {
  for (const int peer : links_[at(chunk.virtual_stage)].upstream) {
    std::vector<tensor> values;
    for (const auto& each : chunk.parts.stage->arrivals)
      if (each.peer == peer)
        values.push_back(chunk.parts.program->take_input_grad(each.node));
    to_.gradient(chunk.virtual_stage, peer, microbatch, std::move(values));
  }
}

void row_runner::acknowledge(const chunk_state& chunk,
                             std::int64_t microbatch) {
  for (const int peer : links_[at(chunk.virtual_stage)].upstream)
    to_.gradient(chunk.virtual_stage, peer, microbatch, {});
}

/// Replicas with nothing to train do not wait for each other: no bucket was
/// told, so nobody else says that the round is reduced.
void row_runner::end_backward(chunk_state& chunk, const action& what) {
  release_batch(chunk, what.index);
  const auto round = round_of(what);
  if (--chunk.left[at(round)] > 0)
    return;
  if (!has_replicas())
    return measure(chunk, round);
  if (chunk.parts.buckets.empty()) {
    PD_ASSERT_EQ(chunk.parts.program->weights().trainable_elems(), 0);
    round_reduced(chunk.index, round);
  }
}

/// @pre the round's gradients are whole
void row_runner::measure(const chunk_state& chunk, std::int64_t round) {
  if (all_->joint_updates && where_->replica_of(worker_) == 0)
    to_.round_measured(chunk.index, round,
                       chunk.parts.updates->sum_of_squares());
}

void row_runner::run_update(const action& what) {
  auto& chunk = chunk_of(what);
  const int stage = where_->stage_of(worker_);
  const auto lr = chunk.parts.updates->rate();
  const auto joint = joint_sums_.find(what.index - 1);
  chunk.parts.updates->step(1.0 / static_cast<double>(all_->rounds[at(stage)]),
                            joint == joint_sums_.end() ? std::optional<double>{}
                                                       : joint->second);
  to_.updated(chunk.index, what.index, lr);
}

} // namespace pd
