#include "engine/train/trainer.hpp"

#include "engine/base/clock.hpp"
#include "engine/base/text.hpp"

#include <cmath>
#include <cstring>

namespace pd {

namespace {

result<tensor> allocate(const tensor_type& type, device& on) {
  PD_TRY(auto memory, on.memory().allocate(type.bytes()));
  return tensor{std::move(memory), 0, type, {}};
}

template <class T>
double ratio(double part, T whole) {
  return whole > 0 ? part / static_cast<double>(whole) : 0;
}

std::string where(std::int64_t epoch, std::int64_t microbatch) {
  return "epoch " + std::to_string(epoch) + ", microbatch "
         + std::to_string(microbatch);
}

} // namespace

result<trainer> trainer::make(const train_parts& parts,
                              const trainer_options& options, device& on) {
  trainer made{parts, options};
  std::size_t next = 0;
  for (const auto& each : parts.program.plan().values)
    if (each.is_external) {
      PD_ASSERT(next < made.inputs_.size());
      PD_TRY(made.inputs_[next++], allocate(each.type, on));
    }
  PD_ASSERT_EQ(next, made.inputs_.size());
  return made;
}

result<sampler> trainer::order_of(const dataset& data, bool is_training) const {
  return sampler::make(
    {.samples = data.size(),
     .microbatch = options_.microbatch,
     .round = is_training ? options_.round : 1,
     .max_microbatches = is_training ? options_.max_microbatches : 0,
     .seed = options_.seed,
     .shuffle = is_training && options_.shuffle,
     .takes_all = !is_training});
}

/// Copies a batch to the device, once nobody reads the one before.
void trainer::bring(const prefetched_batch& batch) {
  auto& work = parts_.program.work();
  work.synchronize();
  work.run([this, &batch] {
    std::memcpy(inputs_[0].bytes(), batch.images().data(),
                batch.images().size_bytes());
    std::memcpy(inputs_[1].bytes(), batch.labels().data(),
                batch.labels().size_bytes());
  });
}

/// Waits for a microbatch's loss and adds it up.
void trainer::add_loss(loss_sum& sum, const tensor& loss,
                       const prefetched_batch& batch) {
  loss.ready.block();
  const auto* values = loss.data<float>();
  sum.loss += double{values[0]} * static_cast<double>(batch.samples());
  sum.correct += double{values[1]};
  sum.correct_top5 += double{values[2]};
  sum.samples += batch.samples();
}

/// Returns false at the end of the data.
result<bool> trainer::train_round(prefetch& data,
                                  const train_observer& observer) {
  loss_sum round;
  prefetched_batch batch;
  for (std::int64_t i = 0; i < options_.round; ++i) {
    PD_TRY(auto next, data.next());
    if (!next)
      return false;
    batch = std::move(next);
    bring(batch);
    parts_.program.forward(microbatches_, inputs_, run_mode::training);
    const auto loss = parts_.program.output(microbatches_);
    parts_.program.backward(microbatches_++, i > 0);
    add_loss(round, loss, batch);
  }
  const auto lr = parts_.updates->rate();
  parts_.updates->step(1.0 / static_cast<double>(options_.round));
  parts_.program.work().synchronize(); // the batch is given back
  PD_CHECK(report_round(batch, round, lr, observer));
  return true;
}

result<void> trainer::report_round(const prefetched_batch& last,
                                   const loss_sum& round, double lr,
                                   const train_observer& observer) {
  const auto loss = ratio(round.loss, round.samples);
  if (!std::isfinite(loss))
    return error{errc::failed, where(last.epoch(), last.microbatch())
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
    {.epoch = last.epoch(),
     .microbatch = last.microbatch(),
     .loss = loss,
     .accuracy = ratio(round.correct, round.samples),
     .lr = lr,
     .samples_per_s = static_cast<double>(round.samples) / seconds,
     .time_s = seconds_since(begin_us_)},
    progress_);
}

result<void> trainer::evaluate(std::int64_t epoch,
                               const train_observer& observer,
                               const std::atomic<bool>& stop) {
  PD_TRY(auto order, order_of(*parts_.evaluation, false));
  const auto total = parts_.evaluation->size();
  prefetch data{*parts_.evaluation, std::move(order), {}};
  loss_sum sum;
  while (!stop) {
    PD_TRY(auto batch, data.next());
    if (!batch)
      break;
    bring(batch);
    parts_.program.forward(microbatches_, inputs_, run_mode::evaluation);
    add_loss(sum, parts_.program.output(microbatches_), batch);
    parts_.program.release(microbatches_++);
    parts_.program.work().synchronize();
    observer.on_evaluating({sum.samples, total});
  }
  round_begin_us_ = now_us();
  if (stop)
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

result<void> trainer::train_epoch(prefetch& data, std::int64_t epoch,
                                  const train_observer& observer,
                                  const std::atomic<bool>& stop) {
  epoch_ = {};
  const auto rounds = progress_.samples_total / options_.epochs
                      / options_.microbatch / options_.round;
  for (std::int64_t i = 0; i < rounds && !stop; ++i) {
    PD_TRY(const bool is_there, train_round(data, observer));
    PD_ASSERT(is_there);
  }
  summary_.loss = ratio(epoch_.loss, epoch_.samples);
  summary_.accuracy = ratio(epoch_.correct, epoch_.samples);
  const bool is_last = epoch + 1 == options_.epochs;
  const bool is_due = options_.evaluate == evaluate_when::epoch
                      || (options_.evaluate == evaluate_when::end && is_last);
  if (is_due && !stop)
    PD_CHECK(evaluate(epoch, observer, stop));
  return {};
}

result<train_summary> trainer::run(const train_observer& observer,
                                   const std::atomic<bool>& stop) {
  begin_us_ = round_begin_us_ = now_us();
  if (options_.epochs == 0)
    PD_CHECK(evaluate(0, observer, stop));
  else {
    PD_TRY(auto order, order_of(*parts_.training, true));
    summary_.left_over = order.left_over();
    progress_.samples_total =
      options_.epochs * order.microbatches() * options_.microbatch;
    prefetch data{
      *parts_.training, std::move(order), {.epochs = options_.epochs}};
    round_begin_us_ = now_us();
    for (std::int64_t epoch = 0; epoch < options_.epochs && !stop; ++epoch)
      PD_CHECK(train_epoch(data, epoch, observer, stop));
    summary_.data_stall_s = static_cast<double>(data.stats().stall_us) * 1e-6;
  }
  summary_.samples_per_s =
    summary_.seconds > 0
      ? static_cast<double>(summary_.samples) / summary_.seconds
      : 0;
  summary_.was_interrupted = stop;
  return summary_;
}

} // namespace pd
