#include "engine/train/trainer.hpp"

#include "engine/base/clock.hpp"
#include "engine/base/text.hpp"

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

result<void> trainer::train_epoch(std::int64_t epoch,
                                  const train_observer& observer,
                                  const std::atomic<bool>& stop) {
  epoch_ = {};
  rounds_.clear();
  rates_.clear();
  next_round_ = 0;
  const auto size = of_.training->rounds.back();
  round_begin_us_ = now_us();
  PD_CHECK(
    on_.run({of_.training, epoch, epoch * of_.training->microbatches, true},
            {.on_loss = [&](const loss_figures& of) -> result<void> {
               rounds_[of.microbatch / size].add(of);
               return report_rounds(epoch, observer);
             },
             .on_update = [&](std::int64_t version, double lr) -> result<void> {
               rates_[version - 1] = lr;
               return report_rounds(epoch, observer);
             }},
            stop));
  summary_.loss = ratio(epoch_.loss, epoch_.samples);
  summary_.accuracy = ratio(epoch_.correct, epoch_.samples);
  return {};
}

/// Losses and updates may come in any order; rounds are told in theirs.
result<void> trainer::report_rounds(std::int64_t epoch,
                                    const train_observer& observer) {
  const auto size = of_.training->rounds.back();
  for (;;) {
    const auto rate = rates_.find(next_round_);
    const auto round = rounds_.find(next_round_);
    if (rate == rates_.end() || round == rounds_.end()
        || round->second.microbatches < size)
      return {};
    PD_CHECK(report_round(epoch, next_round_, rate->second, observer));
    rates_.erase(rate);
    rounds_.erase(round);
    ++next_round_;
  }
}

result<void> trainer::report_round(std::int64_t epoch, std::int64_t index,
                                   double lr, const train_observer& observer) {
  const auto& round = rounds_[index];
  const auto last = (index + 1) * of_.training->rounds.back() - 1;
  const auto loss = ratio(round.loss, round.samples);
  if (!std::isfinite(loss))
    return error{errc::failed, where(epoch, last)
                                 + ": the loss is not a number; a smaller "
                                   "optimizer.lr or train.clip_norm may help"};
  epoch_.loss += round.loss;
  epoch_.correct += round.correct;
  epoch_.samples += round.samples;
  progress_.samples_done += round.samples;
  summary_.samples += round.samples;
  const auto seconds = seconds_since(round_begin_us_);
  summary_.seconds += seconds;
  round_begin_us_ = now_us();
  return observer.on_update(
    {.epoch = epoch,
     .microbatch = last,
     .loss = loss,
     .accuracy = ratio(round.correct, round.samples),
     .lr = lr,
     .samples_per_s = ratio(static_cast<double>(round.samples), seconds),
     .time_s = seconds_since(begin_us_)},
    progress_);
}

// -- evaluation --------------------------------------------------------------

result<void> trainer::evaluate(std::int64_t epoch,
                               const train_observer& observer,
                               const std::atomic<bool>& stop) {
  loss_sum sum;
  const auto total = of_.sizes.evaluation;
  PD_CHECK(on_.run(
    {of_.evaluation, 0, 0, false},
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

// -- the run -----------------------------------------------------------------

result<void> trainer::train_all(const train_observer& observer,
                                const std::atomic<bool>& stop) {
  const auto epochs = of_.what.train.epochs;
  const auto& when = of_.what.train.evaluate;
  const auto samples = of_.training->microbatches * of_.what.data.microbatch;
  summary_.left_over = of_.sizes.training - samples;
  progress_.samples_total = epochs * samples;
  for (std::int64_t epoch = 0; epoch < epochs && !stop; ++epoch) {
    PD_CHECK(train_epoch(epoch, observer, stop));
    const bool is_due =
      when == "epoch" || (when == "end" && epoch + 1 == epochs);
    if (is_due && !stop)
      PD_CHECK(evaluate(epoch, observer, stop));
  }
  return {};
}

result<train_summary> trainer::run(const train_observer& observer,
                                   const std::atomic<bool>& stop) {
  begin_us_ = now_us();
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
