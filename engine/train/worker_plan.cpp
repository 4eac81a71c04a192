#include "engine/train/worker_plan.hpp"

#include "engine/base/text.hpp"
#include "engine/device/cpu_device.hpp"
#include "engine/program/backward_plan.hpp"
#include "engine/train/checkpoints.hpp"
#include "engine/train/edges.hpp"
#include "engine/train/worker_snapshot.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <utility>

namespace pd {

namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

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

} // namespace

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

} // namespace pd
