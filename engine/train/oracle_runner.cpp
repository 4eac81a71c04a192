#include "engine/train/oracle_runner.hpp"

#include "engine/train/checkpoints.hpp"
#include "engine/train/worker_parts.hpp"
#include "engine/train/worker_plan.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace pd {

result<sampler> order_of(const deployment& of, bool is_training) {
  return sampler::make(
    {.samples = is_training ? of.sizes.training : of.sizes.evaluation,
     .microbatch = of.what.data.microbatch,
     .round = is_training ? common_round(*of.training) : 1,
     .max_microbatches = is_training ? of.epoch_microbatches : 0,
     .seed = static_cast<std::uint64_t>(of.what.seed),
     .shuffle = is_training && of.what.data.shuffle,
     .takes_all = !is_training});
}

result<std::unique_ptr<oracle_runner>>
oracle_runner::make(const deployment& of, const registry& ops,
                    const dataset* training, const dataset* evaluation) {
  std::unique_ptr<oracle_runner> made{new oracle_runner{of}};
  made->training_ = training;
  made->evaluation_ = evaluation;
  PD_TRY(made->store_, open_checkpoints(of));
  std::vector<std::vector<row_runner::chunk_parts>> parts;
  for (int w = 0; w < of.where().workers(); ++w) {
    auto worker = make_worker(of, w, ops);
    if (!worker)
      return worker.failure().within(of.where().describe(w));
    parts.push_back(worker->chunks(of, w));
    made->workers_.push_back(*std::move(worker));
  }
  for (int s = 0; made->store_ && s < of.where().stages(); ++s)
    made->snapshots_.emplace_back(
      made->workers_[static_cast<std::size_t>(of.where().worker_at(s, 0))]);
  made->runs_ = std::make_unique<oracle>(parts, of.links);
  return made;
}

oracle_runner::~oracle_runner() = default;

namespace {

oracle_pass pass_of(const deployment& all, const data_pass& what) {
  if (!what.is_training)
    return {all.evaluation, 0, what.microbatches};
  return {all.training, microbatch_of_run(all, what.epoch, what.begin),
          what.microbatches};
}

} // namespace

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

/// Batches come in the order of their numbers, of which `begin` is the pass's
/// first; replicas may ask in another.
result<loaded_batch> oracle_runner::load(prefetch& from, std::int64_t begin,
                                         std::int64_t microbatch) {
  while (!read_.contains(microbatch)) {
    PD_TRY(const auto next, from.next());
    PD_ASSERT(static_cast<bool>(next));
    PD_TRY(auto made, bring(next));
    made.microbatch -= begin;
    read_[made.microbatch] = std::move(made);
  }
  return std::move(read_.extract(microbatch).mapped());
}

result<void> oracle_runner::run(const data_pass& what, const pass_calls& calls,
                                const std::atomic<bool>& stop) {
  if (!what.is_training)
    share_statistics(of_, workers_);
  PD_TRY(auto order, order_of(of_, what.is_training));
  prefetch data{what.is_training ? *training_ : *evaluation_,
                std::move(order),
                {.first_epoch = what.epoch,
                 .first_microbatch = what.begin,
                 .threads = decode_threads(of_)}};
  const auto where = of_.where();
  const int reporter = where.worker_at(where.stages() - 1, 0);
  result<void> failure;
  const auto done = runs_->run(
    pass_of(of_, what),
    {.load = [&](std::int64_t k) { return load(data, what.begin, k); },
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
  add_broken((what.is_training ? training_ : evaluation_)->take_broken());
  if (what.is_training)
    stall_s_ += static_cast<double>(data.stats().stall_us) * 1e-6;
  return done ? failure : done;
}

// -- checkpoints -------------------------------------------------------------

result<std::string> oracle_runner::write(const checkpoint_position& at) {
  PD_TRY(const auto folder, store_->begin(at));
  auto manifest = describe_checkpoint(of_, at);
  manifest.moments = workers_[0].updates[0]->moments();
  const auto shards = static_cast<int>(snapshots_.size());
  for (int s = 0; s < shards; ++s) {
    auto& shard = snapshots_[static_cast<std::size_t>(s)];
    shard.copy();
    PD_TRY(auto written, shard.write(folder, s, shards));
    manifest.shards.push_back(std::move(written.file));
    std::ranges::move(written.tensors, std::back_inserter(manifest.tensors));
  }
  return store_->commit(manifest);
}

result<void> oracle_runner::save(const checkpoint_position& at) {
  share_statistics(of_, workers_);
  const saved_checkpoint done{at, write(at)};
  if (!done.path)
    store_->abandon();
  say_saved(done);
  return {};
}

// -- what it has come to -----------------------------------------------------

result<std::vector<named_tensor>> oracle_runner::weights() {
  return weights_of_workers(of_, workers_);
}

std::string oracle_runner::describe() const {
  return workers_[0].on->describe();
}

} // namespace pd
