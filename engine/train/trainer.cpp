#include "engine/train/trainer.hpp"

#include "engine/base/clock.hpp"
#include "engine/base/text.hpp"
#include "engine/data/broken_files.hpp"

#include <cmath>

namespace pd {

namespace {

template <class T>
double ratio(double part, T whole) {
  return whole > 0 ? part / static_cast<double>(whole) : 0;
}

std::string where(std::int64_t epoch, std::int64_t microbatch) {
  return "epoch " + std::to_string(epoch) + ", microbatch "
         + std::to_string(microbatch);
}

} // namespace

void trainer::loss_sum::add(const loss_figures& of) {
  loss += of.loss * static_cast<double>(of.samples);
  correct += of.correct;
  correct_top5 += of.correct_top5;
  samples += of.samples;
  ++microbatches;
}

// -- training ----------------------------------------------------------------

/// Passes up to the epoch's end, each of which ends in a checkpoint.
result<void> trainer::train_epoch(data_pass from,
                                  const train_observer& observer,
                                  const std::atomic<bool>& stop) {
  epoch_ = {};
  while ((from.microbatches = pass_length(of_, from.begin)) > 0) {
    PD_CHECK(train_pass(from, observer, stop));
    if (stop)
      break;
    from.begin += from.microbatches;
    PD_CHECK(save(from));
  }
  summary_.loss = ratio(epoch_.loss, epoch_.samples);
  summary_.accuracy = ratio(epoch_.correct, epoch_.samples);
  return {};
}

/// The pass, and whether all workers together have found too many files that
/// are broken.
result<void> trainer::run_pass(const data_pass& what, const pass_calls& calls,
                               const std::atomic<bool>& stop) {
  PD_CHECK(on_.run(what, calls, stop));
  const auto most = of_.what.data.max_broken;
  summary_.broken_images = std::ssize(on_.broken());
  if (summary_.broken_images > most)
    return too_many_broken(summary_.broken_images, most, on_.broken().back());
  return {};
}

result<void> trainer::train_pass(const data_pass& what,
                                 const train_observer& observer,
                                 const std::atomic<bool>& stop) {
  rounds_.clear();
  rates_.clear();
  next_round_ = 0;
  const auto size = of_.training->rounds.back();
  round_begin_us_ = now_us();
  rate_ = rate_meter{round_begin_us_};
  return run_pass(
    what,
    {.on_loss = [&](const loss_figures& of) -> result<void> {
       rounds_[of.microbatch / size].add(of);
       return report_rounds(what, observer);
     },
     .on_update = [&](std::int64_t version, double lr) -> result<void> {
       rates_[version - 1] = lr;
       return report_rounds(what, observer);
     }},
    stop);
}

/// Losses and updates may come in any order; rounds are told in theirs.
result<void> trainer::report_rounds(const data_pass& of,
                                    const train_observer& observer) {
  const auto size = of_.training->rounds.back();
  for (;;) {
    const auto rate = rates_.find(next_round_);
    const auto round = rounds_.find(next_round_);
    if (rate == rates_.end() || round == rounds_.end()
        || round->second.microbatches < size)
      return {};
    PD_CHECK(report_round(of, next_round_, rate->second, observer));
    rates_.erase(rate);
    rounds_.erase(round);
    ++next_round_;
  }
}

result<void> trainer::report_round(const data_pass& of, std::int64_t index,
                                   double lr, const train_observer& observer) {
  const auto& round = rounds_[index];
  const auto last = of.begin + (index + 1) * of_.training->rounds.back() - 1;
  const auto loss = ratio(round.loss, round.samples);
  if (!std::isfinite(loss))
    return error{errc::failed, where(of.epoch, last)
                                 + ": the loss is not a number; a smaller "
                                   "optimizer.lr or train.clip_norm may help"};
  epoch_.loss += round.loss;
  epoch_.correct += round.correct;
  epoch_.samples += round.samples;
  progress_.samples_done += round.samples;
  summary_.samples += round.samples;
  summary_.seconds += seconds_since(round_begin_us_);
  round_begin_us_ = now_us();
  return observer.on_update(
    {.epoch = of.epoch,
     .microbatch = last,
     .loss = loss,
     .accuracy = ratio(round.correct, round.samples),
     .lr = lr,
     .samples_per_s = rate_.add(round.samples, round_begin_us_),
     .time_s = seconds_since(begin_us_)},
    progress_);
}

// -- checkpoints -------------------------------------------------------------

/// What the pass behind `done` begins with is where a resumed run goes on.
result<void> trainer::save(const data_pass& done) {
  if (of_.what.checkpoint.directory.empty())
    return {};
  const auto begin_us = now_us();
  const bool ends_epoch = pass_length(of_, done.begin) == 0;
  const checkpoint_position at{
    done.epoch + (ends_epoch ? 1 : 0),
    ends_epoch ? 0 : done.begin * of_.what.data.microbatch};
  PD_CHECK(on_.save(at));
  summary_.checkpoint_wait_s += seconds_since(begin_us);
  return {};
}

// -- evaluation --------------------------------------------------------------

result<void> trainer::evaluate(std::int64_t epoch,
                               const train_observer& observer,
                               const std::atomic<bool>& stop) {
  loss_sum sum;
  const auto total = of_.sizes.evaluation;
  PD_CHECK(run_pass(
    {0, 0, of_.evaluation->microbatches, false},
    {.on_loss = [&](const loss_figures& of) -> result<void> {
       sum.add(of);
       observer.on_evaluating({sum.samples, total});
       return {};
     },
     .on_update = [](std::int64_t, double) -> result<void> { return {}; }},
    stop));
  if (sum.samples < total) // it was stopped
    return {};
  summary_.has_evaluation = true;
  summary_.evaluation = {.epoch = epoch,
                         .loss = ratio(sum.loss, sum.samples),
                         .accuracy = ratio(sum.correct, sum.samples),
                         .top5_accuracy = ratio(sum.correct_top5, sum.samples),
                         .samples = sum.samples,
                         .time_s = seconds_since(begin_us_)};
  return observer.on_evaluation(summary_.evaluation);
}

result<void> trainer::evaluate_if_due(std::int64_t epoch,
                                      const train_observer& observer,
                                      const std::atomic<bool>& stop) {
  const auto& when = of_.what.train.evaluate;
  const bool is_last = epoch + 1 >= of_.what.train.epochs;
  if (stop || !(when == "epoch" || (when == "end" && is_last)))
    return {};
  return evaluate(epoch, observer, stop);
}

// -- the run -----------------------------------------------------------------

result<void> trainer::train_all(const train_observer& observer,
                                const std::atomic<bool>& stop) {
  const auto epochs = of_.what.train.epochs;
  const auto samples = of_.epoch_microbatches * of_.what.data.microbatch;
  summary_.left_over = of_.sizes.training - samples;
  progress_.samples_total = epochs * samples;
  data_pass at{.epoch = of_.start.epoch,
               .begin = of_.start.samples / of_.what.data.microbatch};
  progress_.samples_done = at.epoch * samples + of_.start.samples;
  if (at.epoch > 0 && at.begin == 0) // it may have stopped in the midst of it
    PD_CHECK(evaluate_if_due(at.epoch - 1, observer, stop));
  for (; at.epoch < epochs && !stop; at = {.epoch = at.epoch + 1}) {
    PD_CHECK(train_epoch(at, observer, stop));
    PD_CHECK(evaluate_if_due(at.epoch, observer, stop));
  }
  return on_.finish_saving();
}

result<train_summary> trainer::run(const train_observer& observer,
                                   const std::atomic<bool>& stop) {
  begin_us_ = now_us();
  on_.tell_saved([&](const saved_checkpoint& what) {
    ++(what.path ? summary_.checkpoints : summary_.failed_checkpoints);
    if (observer.on_checkpoint)
      observer.on_checkpoint(what);
  });
  if (of_.what.train.epochs == 0)
    PD_CHECK(evaluate(0, observer, stop));
  else
    PD_CHECK(train_all(observer, stop));
  summary_.data_stall_s = on_.data_stall_s();
  summary_.samples_per_s =
    ratio(static_cast<double>(summary_.samples), summary_.seconds);
  summary_.was_interrupted = stop;
  return summary_;
}

} // namespace pd
