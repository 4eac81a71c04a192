#include "engine/train/worker_parts.hpp"

#include "engine/train/checkpoints.hpp"
#include "engine/train/onnx_job.hpp"
#include "engine/train/worker_plan.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pd {

namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

optimizer_options optimizer_of(const deployment& all, int worker) {
  const int stage = all.where().stage_of(worker);
  const auto& replicas = all.how.shape.replicas;
  auto rate = all.what.optimizer.rate;
  if (all.what.optimizer.scale_lr_by_replicas) {
    const auto factor = static_cast<double>(replicas[at(stage)])
                        / static_cast<double>(replicas[0]);
    rate.base *= factor;
    rate.final *= factor;
  }
  rate.epochs = static_cast<double>(all.what.train.epochs);
  rate.updates_per_epoch =
    all.epoch_microbatches / all.training->rounds[at(stage)];
  return {all.what.optimizer.rule, rate, all.what.train.clip_norm};
}

result<void> add_chunk(worker_parts& to, stage_plan plan, const deployment& all,
                       int worker, const registry& ops) {
  PD_TRY(auto program, stage_program::make(std::move(plan), *to.on,
                                           versions_of_worker(all, worker)));
  if (all.training) {
    PD_TRY(auto updates,
           optimizer::make(optimizer_of(all, worker), *program, ops, *to.on));
    to.updates.push_back(std::move(updates));
  }
  to.buckets.push_back(buckets_of(all, program->plan()));
  to.programs.push_back(std::move(program));
  return {};
}

} // namespace

result<worker_parts> make_worker(const deployment& all, int worker,
                                 const registry& ops) {
  worker_parts made;
  PD_TRY(made.on,
         open_device(all.what.run.device, {.threads = threads_of_worker(all)}));
  PD_TRY(auto plans, plan_worker(all, worker, ops, *made.on));
  for (auto& plan : plans)
    PD_CHECK(add_chunk(made, std::move(plan), all, worker, ops));
  if (!all.resumed_from.empty()) {
    PD_TRY(const auto from, checkpoint::open(all.resumed_from));
    PD_CHECK(restore(made, all, worker, from));
    return made;
  }
  if (all.what.model.weights.empty() && is_onnx_job(all.what))
    PD_CHECK(set_onnx_weights(made.programs, all.what, ops));
  if (all.what.model.weights.empty())
    return made;
  for (auto& each : made.programs)
    PD_CHECK(
      load_weights(*each, all.what.model.weights, weight_names(all.stages)));
  return made;
}

std::vector<row_runner::chunk_parts> worker_parts::chunks(const deployment& all,
                                                          int worker) const {
  const auto where = all.where();
  std::vector<row_runner::chunk_parts> made;
  made.reserve(at(all.how.shape.chunks));
  for (int c = 0; c < all.how.shape.chunks; ++c)
    made.push_back(
      {programs[at(c)].get(), updates.empty() ? nullptr : updates[at(c)].get(),
       &all.stages[at(where.virtual_stage(where.stage_of(worker), c))],
       buckets[at(c)]});
  return made;
}

void share_statistics(const deployment& all,
                      std::vector<worker_parts>& workers) {
  const auto where = all.where();
  for (int w = 0; w < where.workers(); ++w) {
    const auto& first = workers[at(where.worker_at(where.stage_of(w), 0))];
    for (std::size_t c = 0; c < first.programs.size(); ++c) {
      auto& to = *workers[at(w)].programs[c];
      if (&to == first.programs[c].get())
        continue;
      first.programs[c]->work().synchronize();
      to.work().synchronize();
      std::copy_n(first.programs[c]->weights().statistics(),
                  to.plan().statistics_bytes, to.weights().statistics());
    }
  }
}

std::vector<named_tensor>
weights_of_workers(const deployment& all,
                   const std::vector<worker_parts>& workers) {
  std::vector<named_tensor> made;
  const auto where = all.where();
  for (int stage = 0; stage < where.stages(); ++stage)
    for (const auto& each : workers[at(where.worker_at(stage, 0))].programs)
      std::ranges::move(weights_of(*each), std::back_inserter(made));
  return made;
}

} // namespace pd
