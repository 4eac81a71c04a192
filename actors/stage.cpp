#include "actors/stage.hpp"

#include "engine/base/clock.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace pd {

namespace {

/// Progress is told no more often.
constexpr std::int64_t report_interval_us = 10'000;

constexpr std::int64_t batches_said_at_once = 2;

/// As the trace names an action.
const char* name_of(act kind) {
  switch (kind) {
  case act::forward:
    return "forward";
  case act::backward:
    return "backward";
  case act::input:
    return "backward input";
  case act::weight:
    return "backward weight";
  case act::update:
    return "update";
  case act::evaluate:
    return "evaluate";
  }
  return "";
}

} // namespace

stage::stage(stage_actor::pointer self, stage_options options)
  : self_{self},
    is_{std::move(options)},
    where_{is_.all->where()},
    runner_{is_.chunks, is_.all->links, is_.worker, *this} {}

stage_actor::behavior_type stage::make_behavior() {
  return {[this](const begin_pass& order) { begin(order); },
          [this](const hold_pass& order) {
            is_held_ = is_current(order.generation);
            return pass_held{runner_.begun()};
          },
          [this](const end_pass_at& order) {
            if (!is_current(order.generation))
              return;
            is_held_ = false;
            runner_.end_at(order.end);
            advance();
          },
          [this](pd::batch& x) {
            std::ranges::move(x.broken, std::back_inserter(broken_));
            fact(x.generation, [this, value = std::move(x.value)]() mutable {
              runner_.batch_arrived(std::move(value));
            });
          },
          [this](pd::activation& x) {
            const auto generation = x.generation;
            fact(generation, [this, x = std::move(x)]() mutable {
              runner_.activation_arrived(x.from, x.to, x.microbatch,
                                         std::move(x.values));
            });
          },
          [this](pd::gradient& x) {
            const auto generation = x.generation;
            fact(generation, [this, x = std::move(x)]() mutable {
              runner_.gradient_arrived(x.from, x.to, x.microbatch,
                                       std::move(x.values));
            });
          },
          [this](const round_reduced& x) {
            fact(x.generation,
                 [this, x] { runner_.round_reduced(x.chunk, x.round); });
          },
          [this](const round_joined& x) {
            fact(x.generation, [this, x] {
              runner_.round_joined(x.round, x.sum_of_squares);
            });
          }};
}

/// Tells the runner, and runs what has become ready. A fact that overtook its
/// begin_pass waits for it; one of an old pass is dropped.
void stage::fact(std::int64_t generation, std::function<void()> tell) {
  if (generation < generation_)
    return;
  if (generation > generation_) {
    early_.push_back(std::move(tell));
    return;
  }
  tell();
  advance();
}

void stage::begin(const begin_pass& order) {
  generation_ = order.generation;
  is_held_ = false;
  has_told_end_ = false;
  batches_unsaid_ = 0;
  const auto& what = order.what;
  if (what.is_training)
    runner_.start(is_.all->training,
                  microbatch_of_run(*is_.all, what.epoch, what.begin));
  else
    runner_.start(is_.all->evaluation, 0);
  runner_.end_at(what.microbatches);
  for (auto& each : std::exchange(early_, {}))
    each();
  advance();
}

bool stage::may_step() const {
  if (runner_.is_over())
    return false;
  const auto kind = runner_.next().kind;
  return !is_held_ || (kind != act::forward && kind != act::evaluate);
}

void stage::advance() {
  end_stall();
  while (may_step() && step())
    report(report_interval_us);
  show_wait();
  stalled_since_us_ = runner_.lacks_only_batch() ? now_us() : 0;
  if (!runner_.is_over() || has_told_end_)
    return;
  has_told_end_ = true;
  report(0);
  self_->send(is_.peers->coordinator,
              pass_done{generation_, is_.worker,
                        std::exchange(stall_us_, std::int64_t{0}),
                        std::exchange(busy_us_, std::int64_t{0}),
                        std::exchange(broken_, {})});
}

/// Tells what has come about, if the last time is so long ago: a message for
/// each would cost more than a small action does.
void stage::report(std::int64_t interval_us) {
  if (unsaid_.losses.empty() && unsaid_.versions.empty())
    return;
  const auto now = now_us();
  if (now - reported_us_ < interval_us)
    return;
  reported_us_ = now;
  unsaid_.generation = generation_;
  self_->send(is_.peers->coordinator, std::exchange(unsaid_, {}));
}

/// Runs the next action if it is ready, seen from outside while it does.
bool stage::step() {
  if (runner_.lacks().what != want::nothing)
    return false;
  const auto what = runner_.next();
  is_.shown->set({.what = doing::runs, .which = what});
  const auto begin = now_us();
  runner_.step();
  const auto end = now_us();
  busy_us_ += end - begin;
  is_.spans->add({name_of(what.kind), what.index, begin, end});
  return true;
}

void stage::show_wait() {
  if (runner_.is_over())
    return is_.shown->set({});
  is_.shown->set(
    {.what = doing::waits, .which = runner_.next(), .lack = runner_.lacks()});
}

/// Counts the time in which nothing but data was missing.
void stage::end_stall() {
  if (stalled_since_us_ > 0)
    stall_us_ += now_us() - stalled_since_us_;
  stalled_since_us_ = 0;
}

// -- what the row gives ------------------------------------------------------

const tensor_receiver& stage::receiver(int to, std::int64_t microbatch) const {
  const int worker = where_.worker_of(where_.stage_of_virtual(to), microbatch);
  return (*is_.peers->receivers)[static_cast<std::size_t>(worker)];
}

void stage::activation(int from, int to, std::int64_t microbatch,
                       std::vector<tensor> values) {
  self_->send(
    receiver(to, microbatch),
    pd::activation{generation_, from, to, microbatch, std::move(values)});
}

void stage::gradient(int from, int to, std::int64_t microbatch,
                     std::vector<tensor> values) {
  self_->send(
    receiver(to, microbatch),
    pd::gradient{generation_, from, to, microbatch, std::move(values)});
}

void stage::bucket_done(int chunk, std::int64_t round, int bucket,
                        const event& ready) {
  self_->send(is_.peers->sync,
              bucket_ready{generation_, chunk, round, bucket, ready});
}

void stage::round_measured(int chunk, std::int64_t round,
                           double sum_of_squares) {
  const int own = where_.virtual_stage(where_.stage_of(is_.worker), chunk);
  self_->send(is_.peers->coordinator,
              pd::round_measured{generation_, own, round, sum_of_squares});
}

void stage::loss(const loss_figures& of) {
  unsaid_.losses.push_back(
    {of.microbatch, of.samples, of.loss, of.correct, of.correct_top5});
}

void stage::updated(int chunk, std::int64_t version, double lr) {
  const int last = where_.worker_at(where_.stages() - 1, 0);
  if (is_.worker == last && chunk + 1 == is_.all->how.shape.chunks)
    unsaid_.versions.push_back({version, lr});
}

/// The loader reads two more than can be in use, so one may be kept back.
void stage::batch_released(std::int64_t) {
  if (++batches_unsaid_ == batches_said_at_once)
    self_->send(is_.peers->loader,
                batches_used{generation_, std::exchange(batches_unsaid_, 0)});
}

} // namespace pd
