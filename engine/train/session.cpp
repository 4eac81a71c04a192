#include "engine/train/session.hpp"

#include "engine/train/checkpoints.hpp"
#include "engine/train/oracle_runner.hpp"
#include "engine/train/worker_parts.hpp"

#include <algorithm>

namespace pd {

namespace {

picture_spec describe_pictures(const data_spec& from) {
  picture_spec made;
  std::ranges::copy(from.crop_scale, made.choices.crop_scale.begin());
  std::ranges::copy(from.crop_ratio, made.choices.crop_ratio.begin());
  std::ranges::copy(from.jitter, made.choices.jitter.begin());
  std::ranges::copy(from.pixel_mean, made.mean.begin());
  std::ranges::copy(from.pixel_std, made.std.begin());
  made.choices.flip = from.flip;
  made.resize = static_cast<int>(from.resize);
  made.dct_scaling = from.dct_scaling;
  made.max_broken = from.max_broken;
  return made;
}

dataset_spec describe_data(const job& from, dataset_split split) {
  return {.name = from.data.dataset,
          .path = from.data.path,
          .split = split,
          .height = static_cast<int>(from.model.image.height),
          .width = static_cast<int>(from.model.image.width),
          .channels = static_cast<int>(from.model.image.channels),
          .classes = static_cast<int>(from.model.classes),
          .seed = static_cast<std::uint64_t>(from.seed),
          .samples = from.data.samples,
          .scale = {static_cast<float>(from.data.mean),
                    static_cast<float>(from.data.std)},
          .images = describe_pictures(from.data)};
}

} // namespace

result<job_data> open_data(const job& from) {
  job_data made;
  if (from.train.epochs > 0) {
    PD_TRY(made.training,
           open_dataset(describe_data(from, dataset_split::train)));
  }
  if (from.train.epochs == 0 || from.train.evaluate != "never") {
    PD_TRY(made.evaluation,
           open_dataset(describe_data(from, dataset_split::test)));
  }
  return made;
}

result<std::unique_ptr<device>> open_job_device(const job& from) {
  return open_device(from.run.device, {.threads = static_cast<int>(
                                         from.run.threads_per_worker)});
}

result<std::vector<named_tensor>> job_weights(const job& from,
                                              const registry& ops) {
  auto alone = from;
  alone.data.microbatch = 1; // no activations to keep
  alone.stages.clear();
  alone.schedule = {};
  PD_TRY(const auto plan, deploy(alone, {}, ops));
  PD_TRY(const auto worker, make_worker(plan, 0, ops));
  return weights_of(*worker.programs[0]);
}

result<session> open_session(const job& from, const registry& ops,
                             const runner_maker& make,
                             const checkpoint* resumed_from) {
  session made;
  PD_TRY(made.data, open_data(from));
  PD_TRY(auto plan, deploy(from, made.data.sizes(), ops));
  if (resumed_from != nullptr)
    PD_CHECK(resume(plan, *resumed_from, ops));
  made.plan = std::make_shared<const deployment>(std::move(plan));
  const auto* training = made.data.training.get();
  const auto* evaluation = made.data.evaluation.get();
  if (make) {
    PD_TRY(made.runner, make(made.plan, ops, training, evaluation));
  } else {
    PD_TRY(made.runner,
           oracle_runner::make(*made.plan, ops, training, evaluation));
  }
  made.loop = std::make_unique<trainer>(*made.plan, *made.runner);
  return made;
}

} // namespace pd
