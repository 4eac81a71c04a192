#include "engine/train/oracle_runner.hpp"

#include <cstring>

namespace pd {

result<sampler> order_of(const deployment& of, const data_pass& what) {
  return sampler::make(
    {.samples = what.is_training ? of.sizes.training : of.sizes.evaluation,
     .microbatch = of.what.data.microbatch,
     .round = what.is_training ? common_round(*what.all) : 1,
     .max_microbatches = what.is_training ? what.all->microbatches : 0,
     .seed = static_cast<std::uint64_t>(of.what.seed),
     .shuffle = what.is_training && of.what.data.shuffle,
     .takes_all = !what.is_training});
}

result<std::unique_ptr<oracle_runner>>
oracle_runner::make(const deployment& of, const registry& ops,
                    const dataset* training, const dataset* evaluation) {
  std::unique_ptr<oracle_runner> made{new oracle_runner{of}};
  made->training_ = training;
  made->evaluation_ = evaluation;
  std::vector<std::vector<row_runner::chunk_parts>> parts;
  for (int w = 0; w < of.where().workers(); ++w) {
    auto worker = make_worker(of, w, ops);
    if (!worker)
      return worker.failure().within(of.where().describe(w));
    parts.push_back(worker->chunks(of, w));
    made->workers_.push_back(*std::move(worker));
  }
  made->runs_ = std::make_unique<oracle>(parts, of.links);
  return made;
}

oracle_runner::~oracle_runner() = default;

/// A tensor of the type that nobody else holds; takes memory if there is none.
result<tensor> oracle_runner::free_tensor(const tensor_type& type) {
  for (const auto& each : batch_memory_)
    if (each.type == type && !each.memory.is_shared())
      return each;
  PD_TRY(auto memory, workers_[0].on->memory().allocate(type.bytes()));
  batch_memory_.push_back({memory, 0, type, {}});
  return batch_memory_.back();
}

result<loaded_batch> oracle_runner::bring(const prefetched_batch& from) {
  loaded_batch made{from.microbatch(), from.samples(), {}, {}};
  PD_TRY(made.images, free_tensor(images_type(of_.what)));
  PD_TRY(made.labels, free_tensor(labels_type(of_.what)));
  std::memcpy(made.images.bytes(), from.images().data(),
              from.images().size_bytes());
  std::memcpy(made.labels.bytes(), from.labels().data(),
              from.labels().size_bytes());
  return made;
}

/// Batches come in the order of their numbers; replicas may ask in another.
result<loaded_batch> oracle_runner::load(prefetch& from,
                                         std::int64_t microbatch) {
  while (!read_.contains(microbatch)) {
    PD_TRY(const auto next, from.next());
    PD_ASSERT(static_cast<bool>(next));
    PD_TRY(read_[next.microbatch()], bring(next));
  }
  return std::move(read_.extract(microbatch).mapped());
}

result<void> oracle_runner::run(const data_pass& what, const pass_calls& calls,
                                const std::atomic<bool>& stop) {
  if (!what.is_training)
    share_statistics(of_, workers_);
  PD_TRY(auto order, order_of(of_, what));
  prefetch data{what.is_training ? *training_ : *evaluation_,
                std::move(order),
                {.first_epoch = what.epoch}};
  const auto where = of_.where();
  const int reporter = where.worker_at(where.stages() - 1, 0);
  result<void> failure;
  const auto done =
    runs_->run(what.all, what.first_microbatch,
               {.load = [&](std::int64_t k) { return load(data, k); },
                .on_loss =
                  [&](const loss_figures& of) {
                    if (failure)
                      failure = calls.on_loss(of);
                  },
                .on_update = [&](int worker, std::int64_t version,
                                 double lr) -> result<void> {
                  if (!failure || worker != reporter)
                    return failure;
                  return calls.on_update(version, lr);
                },
                .is_stopping = [&] { return stop.load(); }});
  read_.clear();
  if (what.is_training)
    stall_s_ += static_cast<double>(data.stats().stall_us) * 1e-6;
  return done ? failure : done;
}

result<std::vector<named_tensor>> oracle_runner::weights() {
  return weights_of_workers(of_, workers_);
}

std::string oracle_runner::describe() const {
  return workers_[0].on->describe();
}

} // namespace pd
