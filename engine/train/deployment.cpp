#include "engine/train/deployment.hpp"

#include "engine/base/text.hpp"
#include "engine/device/cpu_device.hpp"
#include "engine/job/graph_file.hpp"
#include "engine/job/toml_file.hpp"
#include "engine/models/models.hpp"
#include "engine/program/backward_plan.hpp"
#include "engine/schedule/validate.hpp"
#include "engine/train/checkpoints.hpp"
#include "engine/train/edges.hpp"
#include "engine/train/onnx_job.hpp"
#include "engine/train/weights.hpp"
#include "engine/train/worker_snapshot.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>

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
  if (from.model.file.empty())
    return build_named(from);
  if (!is_onnx_job(from))
    return load_graph(from.model.file, from.model.image, &ops);
  PD_TRY(auto read, load_onnx(from, ops));
  return std::move(read.net);
}

// -- stages and timetables ---------------------------------------------------

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

/// The norm that clips is of all gradients together, so the stages' updates are
/// joint. In pipedream they are of other microbatches at every moment: to wait
/// for each other would empty the pipeline.
result<void> join_updates(timetable& of, const job& from) {
  of.joint_updates = from.train.clip_norm > 0 && from.stages.size() > 1;
  if (of.joint_updates && (of.schedule == "pipedream" || !has_equal_rounds(of)))
    return error{errc::bad_value,
                 "train.clip_norm: the stages of schedule '" + of.schedule
                   + "' have no round in common; wanted a schedule of rounds "
                     "(gpipe, 1f1b, pipedream-2bw, interleaved, zero-bubble), "
                     "one [[stage]], or 0"};
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

std::int64_t available(const job& from, std::int64_t samples) {
  const auto whole = samples / from.data.microbatch;
  return from.train.max_microbatches > 0
           ? std::min(whole, from.train.max_microbatches)
           : whole;
}

bool has_any(const timetable& all, act kind) {
  const auto is_it = [&](const action& each) { return each.kind == kind; };
  return std::ranges::any_of(all.rows, [&](const row& each) {
    return std::ranges::any_of(each, is_it);
  });
}

bool has_halves(const timetable& all) {
  return has_any(all, act::input) || has_any(all, act::weight);
}

bool has_whole_backwards(const timetable& all) {
  return has_any(all, act::backward);
}

/// The microbatches that fill whole rounds, of those that there are.
result<std::int64_t> whole_rounds(const deployment& of, std::int64_t has) {
  PD_TRY(const auto made, round_microbatches(of.how, has));
  if (made == 0)
    return error{errc::bad_value,
                 of.what.data.dataset + ": " + std::to_string(has)
                   + " microbatches of "
                   + std::to_string(of.what.data.microbatch)
                   + " samples do not fill one round of every stage"};
  return made;
}

/// The timetable of the schedule that the job names, for an epoch, or for what
/// lies between two checkpoints.
result<timetable> generated(const deployment& of, std::int64_t microbatches) {
  auto how = of.how;
  how.microbatches = microbatches;
  PD_TRY(auto made, generate(how));
  const auto until_checkpoint =
    of.what.checkpoint.every.rounds * common_round(made);
  if (until_checkpoint > 0 && until_checkpoint < made.microbatches) {
    how.microbatches = until_checkpoint;
    PD_TRY(made, generate(how));
  }
  PD_CHECK(join_updates(made, of.what));
  PD_CHECK(validate(made, of.links));
  return made;
}

/// The timetable that somebody wrote, if it is one for this job.
result<timetable> read_timetable(const deployment& of, std::int64_t has) {
  const auto& path = of.what.schedule.file;
  if (of.what.checkpoint.every.rounds > 0)
    return error{errc::not_supported,
                 "checkpoint.every: wanted \"epoch\" with schedule.file, whose "
                 "timetable is of an epoch, got "
                   + std::to_string(of.what.checkpoint.every.rounds)};
  PD_TRY(const auto text, read_text_file(path));
  auto made = parse_timetable(text);
  if (!made)
    return made.failure().within(path);
  if (is_evaluation(*made) || made->microbatches == 0)
    return error{errc::bad_value, path + ": it trains nothing"};
  if (has_halves(*made) && has_whole_backwards(*made))
    return error{errc::not_supported,
                 path
                   + ": B, and I and W, in one timetable are not supported by "
                     "this version; wanted one or the other"};
  if (made->shape.chunks != of.how.shape.chunks)
    return error{errc::bad_value, path + ": its workers have "
                                    + std::to_string(made->shape.chunks)
                                    + " chunks; wanted schedule.chunks = "
                                    + std::to_string(made->shape.chunks)
                                    + ", got "
                                    + std::to_string(of.how.shape.chunks)};
  if (made->shape != of.how.shape)
    return error{errc::bad_value,
                 path + ": it is for stages of " + to_string(made->shape)
                   + " replicas, the job has " + to_string(of.how.shape)};
  if (made->microbatches > has)
    return error{errc::bad_value,
                 path + ": its epoch has " + std::to_string(made->microbatches)
                   + " microbatches, the data " + std::to_string(has)};
  PD_CHECK(join_updates(*made, of.what));
  if (auto valid = validate(*made, of.links); !valid)
    return valid.failure().within(path);
  return made;
}

result<void> make_training(deployment& to) {
  const auto has = available(to.what, to.sizes.training);
  if (to.what.schedule.file.empty()) {
    PD_TRY(to.epoch_microbatches, whole_rounds(to, has));
    PD_TRY(auto made, generated(to, to.epoch_microbatches));
    to.training = std::make_shared<const timetable>(std::move(made));
  } else {
    PD_TRY(auto made, read_timetable(to, has));
    to.epoch_microbatches = made.microbatches;
    to.training = std::make_shared<const timetable>(std::move(made));
  }
  to.how.microbatches = to.training->microbatches;
  return {};
}

result<void> make_evaluation(deployment& to) {
  auto options = to.how;
  options.depth.clear();
  const auto size = to.what.data.microbatch;
  options.microbatches = (to.sizes.evaluation + size - 1) / size;
  PD_TRY(auto made, generate_evaluation(options));
  to.evaluation = std::make_shared<const timetable>(std::move(made));
  return {};
}

// -- plans -------------------------------------------------------------------

/// The most microbatches of a chunk whose input half is done and whose weight
/// half is not.
int peak_half_done(const row& cells, int chunk) {
  int now = 0;
  int most = 0;
  for (const auto& each : cells) {
    if (each.chunk != chunk)
      continue;
    now += each.kind == act::input ? 1 : 0;
    now -= each.kind == act::weight ? 1 : 0;
    most = std::max(most, now);
  }
  return most;
}

/// Each of `others` replicas has `count` of its microbatches, one after the
/// other: how many of them all can be one replica's here, of `own`. A replica
/// there shares with it every (own / gcd)th of its microbatches, or none.
int share_of(int count, int others, int own) {
  const int common = std::gcd(others, own);
  return others / common * ((count * common + own - 1) / own);
}

/// Buffers for each value and gradient of a chunk that goes to another stage.
/// A value is held until both ends have done all of its microbatch's backward,
/// and upstream may be the first; a gradient likewise. So if B is one action
/// it is what is in flight upstream, and with I and W apart, beside that, what
/// lies between them downstream. In an evaluation as many as the depth lets be
/// under way.
int handoff_buffers(const deployment& all, int worker, int chunk) {
  const auto where = all.where();
  const int own = where.stage_of(worker);
  int most = all.evaluation ? all.evaluation->depth[at(own)] : 1;
  if (!all.training)
    return most;
  const auto at_peer = [&](auto peak_of, int peer) {
    const int stage = where.stage_of_virtual(peer);
    const auto& cells = all.training->rows[at(where.worker_at(stage, 0))];
    return share_of(peak_of(cells, where.chunk_of_virtual(peer)),
                    where.replicas(stage), where.replicas(own));
  };
  const auto& links = all.links[at(where.virtual_stage(own, chunk))];
  const auto& cells = all.training->rows[at(worker)];
  for (const int peer : links.downstream)
    most = std::max(most, peak_in_flight(cells, chunk)
                            + at_peer(peak_half_done, peer));
  for (const int peer : links.upstream)
    most = std::max(most, peak_half_done(cells, chunk)
                            + at_peer(peak_in_flight, peer));
  return most + 1;
}

plan_options options_of(const deployment& all, int worker, int chunk,
                        dtype precision) {
  plan_options made{.precision = precision,
                    .is_training = all.training != nullptr,
                    .splits_backward = all.splits_backward,
                    .seed = static_cast<std::uint64_t>(all.what.seed)};
  made.handoff_buffers = handoff_buffers(all, worker, chunk);
  const auto where = all.where();
  const auto stage = where.virtual_stage(where.stage_of(worker), chunk);
  made.recomputes =
    !all.what.stages.empty() && all.what.stages[at(stage)].recompute;
  if (!all.training)
    return made;
  const auto& cells = all.training->rows[at(worker)];
  made.in_flight = peak_in_flight(cells, chunk);
  made.half_done = std::max(1, peak_half_done(cells, chunk));
  return made;
}

/// Adds a chunk's memory to what has the same name.
void add_items(std::vector<memory_item>& to,
               const std::vector<memory_item>& own) {
  for (const auto& each : own) {
    const auto same = std::ranges::find(to, each.name, &memory_item::name);
    if (same == to.end()) {
      to.push_back(each);
      continue;
    }
    same->bytes += each.bytes;
    same->what = "of all chunks";
  }
}

/// A loader that brings images has their labels with them.
memory_item batches_item(const deployment& all, int worker, int batches) {
  const auto each = labels_type(all.what).bytes()
                    + (reads_images(all, worker) ? images_type(all.what).bytes()
                                                 : std::int64_t{0});
  return {"batches", each * batches,
          std::to_string(batches) + " in flight or read ahead, of "
            + format_bytes(each)};
}

/// What a checkpoint is written from, beside training.
memory_item copy_item(const std::vector<stage_plan>& plans, int moments) {
  std::int64_t bytes = 0;
  for (const auto& each : plans)
    bytes += worker_snapshot::bytes_for(each, moments);
  return {"checkpoint", bytes, "a copy of weights and moments"};
}

/// True if the chunk has a source of this op that a loader fills.
bool chunk_reads(const deployment& all, int worker, int chunk,
                 const std::string& op) {
  const auto where = all.where();
  const auto index = where.virtual_stage(where.stage_of(worker), chunk);
  return std::ranges::any_of(
    all.stages[at(index)].net.net.nodes,
    [&](const auto& node) { return node.op == op && is_from_loader(node); });
}

bool reads(const deployment& all, int worker, const std::string& op) {
  for (int c = 0; c < all.how.shape.chunks; ++c)
    if (chunk_reads(all, worker, c, op))
      return true;
  return false;
}

std::set<int> outputs_of(const pipeline_stage& from) {
  std::set<int> nodes;
  for (const auto& each : from.departures)
    nodes.insert(each.node);
  return nodes;
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

int peak_in_flight(const row& cells, int chunk) {
  int now = 0;
  int most = 1;
  for (const auto& each : cells) {
    if (each.chunk != chunk)
      continue;
    now += each.kind == act::forward ? 1 : 0;
    now -= is_last_of_backward(each.kind) ? 1 : 0;
    most = std::max(most, now);
  }
  return most;
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
    PD_CHECK(make_training(made));
  made.splits_backward = made.training && has_halves(*made.training);
  if (sizes.evaluation > 0)
    PD_CHECK(make_evaluation(made));
  return made;
}

int threads_of_worker(const deployment& all) {
  if (all.what.run.threads_per_worker > 0)
    return static_cast<int>(all.what.run.threads_per_worker);
  return std::max(1, available_cores() / all.where().workers());
}

int decode_threads(const deployment& all) {
  if (all.what.data.dataset != "image-folder")
    return 1;
  if (all.what.data.decode_threads > 0)
    return static_cast<int>(all.what.data.decode_threads);
  int loaders = 0;
  for (int w = 0; w < all.where().workers(); ++w)
    loaders += reads_images(all, w) ? 1 : 0;
  return std::max(1, available_cores() / std::max(loaders, 1));
}

result<std::vector<stage_plan>> plan_worker(const deployment& all, int worker,
                                            const registry& ops, device& on) {
  PD_TRY(const auto precision, parse_dtype(all.what.run.precision));
  const auto where = all.where();
  std::vector<stage_plan> plans;
  for (int chunk = 0; chunk < all.how.shape.chunks; ++chunk) {
    const auto& stage =
      all.stages[at(where.virtual_stage(where.stage_of(worker), chunk))];
    PD_TRY(auto plan, plan_stage(stage.net, ops, on,
                                 options_of(all, worker, chunk, precision),
                                 outputs_of(stage)));
    plans.push_back(std::move(plan));
  }
  return plans;
}

int versions_of_worker(const deployment& all, int worker) {
  return all.training
           ? static_cast<int>(versions_kept(all.training->rows[at(worker)]))
           : 1;
}

bool reads_images(const deployment& all, int worker) {
  return reads(all, worker, "input");
}

bool reads_batches(const deployment& all, int worker) {
  return reads_images(all, worker) || reads(all, worker, "labels");
}

std::vector<std::int64_t> reading_order(const deployment& all, int worker,
                                        const timetable& pass) {
  std::vector<bool> chunks(at(pass.shape.chunks));
  for (int c = 0; c < pass.shape.chunks; ++c)
    chunks[at(c)] = chunk_reads(all, worker, c, "input")
                    || chunk_reads(all, worker, c, "labels");
  std::vector<bool> is_read(at(pass.microbatches));
  std::vector<std::int64_t> order;
  for (const auto& each : pass.rows[at(worker)]) {
    if ((each.kind != act::forward && each.kind != act::evaluate)
        || !chunks[at(each.chunk)] || is_read[at(each.index)])
      continue;
    is_read[at(each.index)] = true;
    order.push_back(each.index);
  }
  return order;
}

int batches_of_worker(const deployment& all, int worker) {
  constexpr int ahead = 2;
  if (!reads_batches(all, worker))
    return 0;
  const int stage = all.where().stage_of(worker);
  return ahead + (all.training ? all.training->depth[at(stage)] : 1);
}

tensor_type images_type(const job& what) {
  const auto& image = what.model.image;
  return {{what.data.microbatch, image.channels, image.height, image.width}};
}

tensor_type labels_type(const job& what) {
  return {{what.data.microbatch}, dtype::i32};
}

result<std::vector<memory_item>>
memory_of_worker(const deployment& all, int worker,
                 const std::vector<stage_plan>& plans, const registry& ops,
                 const device& on) {
  PD_TRY(const auto rule, ops.make_update(all.what.optimizer.rule, on.kind()));
  std::vector<memory_item> items;
  for (const auto& plan : plans)
    add_items(items,
              plan.memory(versions_of_worker(all, worker), rule->moments()));
  if (const int batches = batches_of_worker(all, worker); batches > 0)
    items.push_back(batches_item(all, worker, batches));
  if (writes_shard(all, worker))
    items.push_back(copy_item(plans, rule->moments()));
  if (all.what.run.workers != "processes")
    return items;
  if (const auto bytes = slot_bytes(all, worker, plans); bytes > 0)
    items.push_back({"slots", bytes, "what comes from other processes"});
  return items;
}

std::vector<gradient_bucket> buckets_of(const deployment& all,
                                        const stage_plan& plan) {
  return plan_buckets(plan, all.what.run.bucket_bytes);
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

namespace {

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

} // namespace pd
