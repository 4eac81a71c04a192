#include "engine/program/oracle.hpp"

#include "engine/program/replica_sum.hpp"

#include <algorithm>
#include <tuple>

namespace pd {

namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

} // namespace

/// A row, whose results go straight to the other rows.
class oracle::worker final : public outbox {
public:
  worker(oracle& of, int index,
         const std::vector<row_runner::chunk_parts>& chunks,
         const topology& links)
    : parts{chunks},
      runner{chunks, links, index, *this},
      of_{of},
      index_{index} {}

  void activation(int from, int to, std::int64_t microbatch,
                  std::vector<tensor> values) override {
    receiver(to, microbatch)
      .activation_arrived(from, to, microbatch, std::move(values));
  }
  void gradient(int from, int to, std::int64_t microbatch,
                std::vector<tensor> values) override {
    receiver(to, microbatch)
      .gradient_arrived(from, to, microbatch, std::move(values));
  }
  void bucket_done(int chunk, std::int64_t round, int bucket,
                   const event& ready) override {
    const placement where{of_.all_->shape};
    const int stage = where.stage_of(index_);
    of_.add_bucket({where.virtual_stage(stage, chunk), round, bucket}, ready);
  }
  void round_measured(int chunk, std::int64_t round,
                      double sum_of_squares) override {
    const placement where{of_.all_->shape};
    of_.add_measure(where.virtual_stage(where.stage_of(index_), chunk), round,
                    sum_of_squares);
  }
  void loss(const loss_figures& figures) override {
    of_.calls_.on_loss(figures);
  }
  void updated(int chunk, std::int64_t version, double lr) override {
    if (chunk + 1 == of_.all_->shape.chunks && of_.failure_)
      of_.failure_ = of_.calls_.on_update(index_, version, lr);
  }
  void batch_released(std::int64_t) override {}

  std::vector<row_runner::chunk_parts> parts;
  row_runner runner;

private:
  [[nodiscard]] row_runner& receiver(int to, std::int64_t microbatch) const {
    const placement where{of_.all_->shape};
    return of_
      .workers_[at(where.worker_of(where.stage_of_virtual(to), microbatch))]
      ->runner;
  }

  oracle& of_;
  int index_;
};

oracle::oracle(const std::vector<std::vector<row_runner::chunk_parts>>& workers,
               const topology& links) {
  for (const auto& each : workers)
    workers_.push_back(std::make_unique<worker>(
      *this, static_cast<int>(workers_.size()), each, links));
}

oracle::~oracle() = default;

result<void> oracle::run(const oracle_pass& what, oracle_calls calls) {
  all_ = what.all;
  calls_ = std::move(calls);
  failure_ = {};
  begun_ = 0;
  is_ending_ = false;
  measures_.emplace(placement{all_->shape}.virtual_stages());
  for (auto& each : workers_) {
    each->runner.start(all_, what.first_microbatch);
    each->runner.end_at(what.microbatches);
  }
  while (!is_over()) {
    bool has_run = false;
    for (std::size_t w = 0; w < workers_.size(); ++w) {
      PD_TRY(const bool did, take_turn(w));
      has_run |= did;
    }
    if (!has_run)
      return error{errc::failed, "no row can go on: " + waits()};
  }
  return {};
}

/// False if the worker could not run anything.
result<bool> oracle::take_turn(std::size_t index) {
  PD_TRY(const bool did, step(index));
  for (bool goes_on = did && calls_.runs_ahead; goes_on && !is_over();) {
    PD_TRY(goes_on, step(index));
  }
  return did;
}

result<bool> oracle::step(std::size_t index) {
  auto& runner = workers_[index]->runner;
  if (runner.lacks_only_batch())
    PD_CHECK(load_for(index));
  const bool has_run = runner.step();
  if (has_run && calls_.on_action)
    calls_.on_action(static_cast<int>(index));
  const bool did = has_run || (is_ending_ && is_over());
  if (!failure_)
    return failure_.failure();
  return did;
}

/// A batch goes to every worker that reads it when the first of them asks.
result<void> oracle::load_for(std::size_t index) {
  const auto microbatch = workers_[index]->runner.next().index;
  if (!is_ending_ && calls_.is_stopping && calls_.is_stopping()) {
    end_after_begun_rounds();
    return {};
  }
  begun_ = std::max(begun_, microbatch + 1);
  PD_TRY(const auto batch, calls_.load(microbatch));
  const placement where{all_->shape};
  for (int w = 0; w < where.workers(); ++w)
    if (where.worker_of(where.stage_of(w), microbatch) == w
        && workers_[at(w)]->runner.reads_batches())
      workers_[at(w)]->runner.batch_arrived(batch);
  return {};
}

void oracle::end_after_begun_rounds() {
  is_ending_ = true;
  const auto round = common_round(*all_);
  for (auto& each : workers_)
    each->runner.end_at((begun_ + round - 1) / round * round);
}

bool oracle::bucket_key::operator<(const bucket_key& other) const {
  return std::tie(virtual_stage, round, bucket)
         < std::tie(other.virtual_stage, other.round, other.bucket);
}

/// Once the last replica has it; the last bucket ends the round.
void oracle::add_bucket(const bucket_key& which, const event& ready) {
  const placement where{all_->shape};
  const int stage = where.stage_of_virtual(which.virtual_stage);
  const int chunk = where.chunk_of_virtual(which.virtual_stage);
  auto& replicas = buckets_[which];
  replicas.push_back(ready);
  if (std::ssize(replicas) < where.replicas(stage))
    return;
  for (const auto& each : replicas)
    each.block();
  buckets_.erase(which);
  sum(which);
  const auto& parts = workers_[at(where.worker_at(stage, 0))]->parts[at(chunk)];
  if (which.bucket + 1 < std::ssize(parts.buckets))
    return;
  for (int r = 0; r < where.replicas(stage); ++r)
    workers_[at(where.worker_at(stage, r))]->runner.round_reduced(chunk,
                                                                  which.round);
}

void oracle::add_measure(int virtual_stage, std::int64_t round, double value) {
  if (const auto sum = measures_->add(round, virtual_stage, value))
    for (auto& each : workers_)
      each->runner.round_joined(round, *sum);
}

void oracle::sum(const bucket_key& which) {
  const placement where{all_->shape};
  const int stage = where.stage_of_virtual(which.virtual_stage);
  const int chunk = where.chunk_of_virtual(which.virtual_stage);
  std::vector<float*> grads;
  gradient_bucket range;
  for (int r = 0; r < where.replicas(stage); ++r) {
    const auto& parts =
      workers_[at(where.worker_at(stage, r))]->parts[at(chunk)];
    range = parts.buckets[at(which.bucket)];
    grads.push_back(parts.program->weights().gradients());
  }
  sum_replicas(grads, range.first, range.end);
}

bool oracle::is_over() const {
  return std::ranges::all_of(
    workers_, [](const auto& each) { return each->runner.is_over(); });
}

std::string oracle::waits() const {
  std::string text;
  for (std::size_t w = 0; w < workers_.size(); ++w)
    text += (w == 0 ? "worker " : "; worker ") + std::to_string(w) + ": "
            + workers_[w]->runner.waits_for();
  return text;
}

} // namespace pd
