#include "engine/train/session.hpp"

#include "engine/graph/fuse.hpp"
#include "engine/job/graph_file.hpp"
#include "engine/models/models.hpp"
#include "engine/train/weights.hpp"

namespace pd {

namespace {

result<graph> build_named(const job& from) {
  return build_model(from.model.name, {.classes = from.model.classes,
                                       .height = from.model.image.height,
                                       .width = from.model.image.width,
                                       .channels = from.model.image.channels,
                                       .dropout = from.model.dropout});
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
                    static_cast<float>(from.data.std)}};
}

bool is_evaluated(const job& from) {
  return from.train.epochs == 0 || from.train.evaluate != "never";
}

evaluate_when when(const std::string& text) {
  return text == "epoch" ? evaluate_when::epoch
         : text == "end" ? evaluate_when::end
                         : evaluate_when::never;
}

trainer_options loop_options(const job& from) {
  return {.epochs = from.train.epochs,
          .microbatch = from.data.microbatch,
          .round = from.schedule.microbatches,
          .max_microbatches = from.train.max_microbatches,
          .evaluate = when(from.train.evaluate),
          .shuffle = from.data.shuffle,
          .seed = static_cast<std::uint64_t>(from.seed)};
}

result<void> open_data(session& to) {
  if (to.what.train.epochs > 0) {
    PD_TRY(to.training,
           open_dataset(describe_data(to.what, dataset_split::train)));
  }
  if (is_evaluated(to.what)) {
    PD_TRY(to.evaluation,
           open_dataset(describe_data(to.what, dataset_split::test)));
  }
  return {};
}

/// Updates of an epoch: what the policies count in.
std::int64_t updates_per_epoch(const job& from, std::int64_t samples) {
  auto microbatches = samples / from.data.microbatch;
  if (from.train.max_microbatches > 0)
    microbatches = std::min(microbatches, from.train.max_microbatches);
  return std::max<std::int64_t>(1, microbatches / from.schedule.microbatches);
}

result<void> open_optimizer(session& to, const registry& ops) {
  if (to.what.train.epochs == 0)
    return {};
  auto rate = to.what.optimizer.rate;
  rate.epochs = static_cast<double>(to.what.train.epochs);
  rate.updates_per_epoch = updates_per_epoch(to.what, to.training->size());
  const optimizer_options options{to.what.optimizer.rule, rate,
                                  to.what.train.clip_norm};
  PD_TRY(to.updates, optimizer::make(options, *to.program, ops, *to.on));
  return {};
}

} // namespace

result<graph> build_graph(const job& from, const registry& ops) {
  PD_TRY(auto net, from.model.file.empty()
                     ? build_named(from)
                     : load_graph(from.model.file, from.model.image, &ops));
  if (from.train.label_smoothing > 0)
    for (auto& each : net.nodes)
      if (each.op == "softmax_loss")
        each.settings["label_smoothing"] = from.train.label_smoothing;
  return net;
}

result<std::unique_ptr<device>> open_job_device(const job& from) {
  return open_device(from.run.device, {.threads = static_cast<int>(
                                         from.run.threads_per_worker)});
}

result<stage_plan> plan_job(const job& from, const registry& ops, device& on) {
  PD_TRY(auto net, build_graph(from, ops));
  PD_TRY(const auto typed,
         infer(fuse(place_inputs(net)).net, ops, from.data.microbatch));
  PD_TRY(const auto precision, parse_dtype(from.run.precision));
  return plan_stage(typed, ops, on,
                    {.precision = precision,
                     .is_training = from.train.epochs > 0,
                     .seed = static_cast<std::uint64_t>(from.seed)});
}

result<std::vector<memory_item>> memory_of(const job& from,
                                           const stage_plan& plan,
                                           const registry& ops,
                                           const device& on) {
  PD_TRY(const auto rule, ops.make_update(from.optimizer.rule, on.kind()));
  auto items = plan.memory(1, rule->moments());
  std::int64_t inputs = 0;
  for (const auto& each : plan.values)
    inputs += each.is_external ? each.type.bytes() : 0;
  items.push_back({"inputs", inputs, "images and labels of a microbatch"});
  return items;
}

result<session> open_session(const job& from, const registry& ops) {
  session made;
  made.what = from;
  PD_CHECK(open_data(made));
  PD_TRY(made.on, open_job_device(from));
  PD_TRY(auto plan, plan_job(from, ops, *made.on));
  PD_TRY(made.program, stage_program::make(std::move(plan), *made.on));
  if (!from.model.weights.empty())
    PD_CHECK(load_weights(*made.program, from.model.weights));
  PD_CHECK(open_optimizer(made, ops));
  PD_TRY(auto loop, trainer::make({*made.program, made.updates.get(),
                                   made.training.get(), made.evaluation.get()},
                                  loop_options(from), *made.on));
  made.loop = std::make_unique<trainer>(std::move(loop));
  return made;
}

} // namespace pd
