#include "engine/train/deployment.hpp"

#include "engine/job/graph_file.hpp"
#include "engine/models/models.hpp"
#include "engine/train/job_timetables.hpp"
#include "engine/train/onnx_job.hpp"
#include "engine/train/replay_job.hpp"

#include <algorithm>

namespace pd {

namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

result<graph> build_named(const job& from) {
  return build_model(from.model.name,
                     {.classes = from.model.classes,
                      .height = from.model.image.height,
                      .width = from.model.image.width,
                      .channels = from.model.image.channels,
                      .dropout = from.model.dropout,
                      .has_auxiliary_heads = from.model.aux_logits});
}

result<graph> build_network(const job& from, const registry& ops) {
  if (is_replay_job(from))
    return build_replay_graph(from);
  if (from.model.file.empty())
    return build_named(from);
  if (!is_onnx_job(from))
    return load_graph(from.model.file, from.model.image, &ops);
  PD_TRY(auto read, load_onnx(from, ops));
  return std::move(read.net);
}

/// One [[stage]] for each virtual stage; they come round the workers once for
/// each chunk, so the replicas of a chunk's stages repeat.
pipeline_shape shape_of(const job& from) {
  pipeline_shape made;
  made.chunks = static_cast<int>(from.schedule.chunks);
  const auto stages = from.stages.size() / at(made.chunks);
  for (std::size_t s = 0; s < stages; ++s)
    made.replicas.push_back(static_cast<int>(from.stages[s].replicas));
  if (made.replicas.empty())
    made.replicas = {1};
  return made;
}

/// A worker holds several of the [[stage]], and has one count of replicas.
result<void> check_replicas(const job& from, const pipeline_shape& shape) {
  for (std::size_t s = 0; s < from.stages.size(); ++s)
    if (from.stages[s].replicas != shape.replicas[s % shape.replicas.size()])
      return error{errc::bad_value,
                   "stage " + std::to_string(s) + ": replicas: wanted "
                     + std::to_string(shape.replicas[s % shape.replicas.size()])
                     + " as stage " + std::to_string(s % shape.replicas.size())
                     + ", whose workers hold it too, got "
                     + std::to_string(from.stages[s].replicas)};
  return {};
}

result<void> check_chunks(const job& from) {
  const auto stages = static_cast<std::int64_t>(from.stages.size());
  if (from.schedule.chunks > 1
      && (stages == 0 || stages % from.schedule.chunks != 0))
    return error{errc::bad_value,
                 "schedule.chunks: " + std::to_string(from.schedule.chunks)
                   + " chunks a worker want a multiple of as many [[stage]], "
                     "got "
                   + std::to_string(stages)};
  return {};
}

result<std::vector<pipeline_stage>> cut_job(const job& from, const graph& net,
                                            const registry& ops) {
  std::vector<std::string> until;
  for (const auto& each : from.stages)
    until.push_back(each.until);
  if (until.empty())
    until.emplace_back();
  PD_TRY(const auto ends, stage_ends(net, until));
  return cut_pipeline(net, ops, from.data.microbatch, ends);
}

result<schedule_options> options_of(const job& from) {
  PD_CHECK(check_chunks(from));
  schedule_options made;
  made.name = from.schedule.name;
  made.shape = shape_of(from);
  PD_CHECK(check_replicas(from, made.shape));
  made.round = from.schedule.microbatches;
  made.vertical_sync = from.schedule.vertical_sync;
  for (const auto each : from.schedule.depth)
    made.depth.push_back(static_cast<int>(each));
  return made;
}

} // namespace

std::int64_t pass_length(const deployment& all, std::int64_t begin) {
  const auto round = common_round(*all.training);
  const auto left = std::max<std::int64_t>(0, all.epoch_microbatches - begin);
  return std::min(all.training->microbatches, left / round * round);
}

std::int64_t microbatch_of_run(const deployment& all, std::int64_t epoch,
                               std::int64_t begin) {
  return epoch * all.epoch_microbatches + begin;
}

result<graph> build_graph(const job& from, const registry& ops) {
  PD_TRY(auto net, build_network(from, ops));
  if (from.train.label_smoothing > 0)
    for (auto& each : net.nodes)
      if (is_loss(each))
        each.settings["label_smoothing"] = from.train.label_smoothing;
  return net;
}

result<deployment> deploy(const job& from, const data_sizes& sizes,
                          const registry& ops) {
  deployment made;
  made.what = from;
  made.sizes = sizes;
  PD_TRY(const auto net, build_graph(from, ops));
  PD_TRY(made.how, options_of(from));
  PD_TRY(made.stages, cut_job(from, net, ops));
  PD_TRY(made.links, links_of(made.stages, made.how.shape));
  if (sizes.training > 0)
    PD_CHECK(make_training_timetable(made));
  if (sizes.evaluation > 0)
    PD_CHECK(make_evaluation_timetable(made));
  return made;
}

} // namespace pd
