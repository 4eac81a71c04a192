#include "engine/train/edges.hpp"

#include "engine/train/worker_plan.hpp"

#include <algorithm>

namespace pd {

namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

/// The crossings of `which` at its receiver: of an activation the arrivals, of
/// a gradient the departures that it answers.
const std::vector<crossing>& crossings_at_receiver(const stage_edge& which,
                                                   const deployment& all) {
  const auto& stage = all.stages[at(which.to)];
  return which.what == cargo::activation ? stage.arrivals : stage.departures;
}

/// True if an action of the sender's row gives a message of this kind.
bool sends(act kind, cargo what, bool is_bare_edge) {
  switch (what) {
  case cargo::activation:
    return kind == act::forward || kind == act::evaluate;
  case cargo::gradient:
    return kind == act::backward || kind == act::input;
  case cargo::acknowledgement:
    return kind == act::evaluate
           || (is_bare_edge && (kind == act::backward || kind == act::input));
  }
  return false;
}

/// The kinds that flow from virtual stage `from` to `to` in this job.
std::vector<cargo> kinds_on(const deployment& all, int from, int to) {
  const auto& links = all.links[at(from)];
  if (std::ranges::count(links.downstream, to) > 0)
    return {cargo::activation};
  std::vector<cargo> kinds;
  const bool bare = is_bare(all, from, to);
  if (all.training && !bare)
    kinds.push_back(cargo::gradient);
  if (all.evaluation || bare)
    kinds.push_back(cargo::acknowledgement);
  return kinds;
}

/// The most that a worker has in flight of a chunk in any pass.
int in_flight_at(const deployment& all, int worker, int chunk) {
  const auto stage = at(all.where().stage_of(worker));
  int most = 1;
  if (all.training)
    most =
      std::max(most, peak_in_flight(all.training->rows[at(worker)], chunk));
  if (all.evaluation)
    most = std::max(most, all.evaluation->depth[stage]);
  return most;
}

void add_edges(std::vector<stage_edge>& to, const deployment& all, int worker,
               int virtual_stage, int peer) {
  const auto where = all.where();
  const int peer_stage = where.stage_of_virtual(peer);
  for (const auto kind : kinds_on(all, peer, virtual_stage))
    for (int r = 0; r < where.replicas(peer_stage); ++r) {
      const int sender = where.worker_at(peer_stage, r);
      if (sender != worker)
        to.push_back({kind, peer, virtual_stage, sender, worker});
    }
}

} // namespace

const char* to_string(cargo what) {
  switch (what) {
  case cargo::activation:
    return "activation";
  case cargo::gradient:
    return "gradient";
  case cargo::acknowledgement:
    return "acknowledgement";
  }
  return "";
}

std::uint64_t stage_edge::tag() const {
  constexpr int stage_bits = 24;
  return static_cast<std::uint64_t>(what) << (2 * stage_bits)
         | static_cast<std::uint64_t>(from) << stage_bits
         | static_cast<std::uint64_t>(to);
}

std::string to_string(const stage_edge& which) {
  return std::string{"the "} + to_string(which.what) + "s of stage "
         + std::to_string(which.from) + " at worker "
         + std::to_string(which.from_worker);
}

std::vector<stage_edge> edges_into(const deployment& all, int worker) {
  std::vector<stage_edge> made;
  const auto where = all.where();
  for (int chunk = 0; chunk < all.how.shape.chunks; ++chunk) {
    const int own = where.virtual_stage(where.stage_of(worker), chunk);
    for (const auto* side :
         {&all.links[at(own)].upstream, &all.links[at(own)].downstream})
      for (const int peer : *side)
        add_edges(made, all, worker, own, peer);
  }
  std::erase_if(made, [&](const stage_edge& each) {
    return (!all.training || order_on(each, all, *all.training).empty())
           && (!all.evaluation || order_on(each, all, *all.evaluation).empty());
  });
  return made;
}

bool has_edge(const deployment& all, int from_worker, int to_worker) {
  return std::ranges::any_of(
    edges_into(all, to_worker),
    [&](const stage_edge& each) { return each.from_worker == from_worker; });
}

std::vector<std::int64_t> order_on(const stage_edge& which,
                                   const deployment& all,
                                   const timetable& pass) {
  const auto where = all.where();
  const bool bare = is_bare(all, which.from, which.to);
  const int chunk = where.chunk_of_virtual(which.from);
  const int receiver = where.stage_of_virtual(which.to);
  std::vector<std::int64_t> order;
  for (const auto& each : pass.rows[at(which.from_worker)])
    if (each.chunk == chunk && sends(each.kind, which.what, bare)
        && where.worker_of(receiver, each.index) == which.to_worker)
      order.push_back(each.index);
  return order;
}

std::vector<tensor_type> types_on(const stage_edge& which,
                                  const deployment& all,
                                  const stage_plan& receiver) {
  std::vector<tensor_type> types;
  if (which.what == cargo::acknowledgement)
    return types;
  for (const auto& each : crossings_at_receiver(which, all))
    if (each.peer == which.from)
      types.push_back(receiver.values[at(each.node)].type);
  return types;
}

bool is_bare(const deployment& all, int from, int to) {
  const auto& up = all.stages[at(std::min(from, to))];
  return std::ranges::none_of(up.departures, [&](const crossing& each) {
    return each.peer == std::max(from, to);
  });
}

int slots_on(const stage_edge& which, const deployment& all) {
  const auto where = all.where();
  return in_flight_at(all, which.from_worker,
                      where.chunk_of_virtual(which.from))
         + in_flight_at(all, which.to_worker, where.chunk_of_virtual(which.to))
         + 1;
}

std::int64_t slot_bytes(const deployment& all, int worker,
                        const std::vector<stage_plan>& plans) {
  std::int64_t sum = 0;
  for (const auto& along : edges_into(all, worker)) {
    const auto& plan = plans[at(all.where().chunk_of_virtual(along.to))];
    const int slots = slots_on(along, all);
    for (const auto& type : types_on(along, all, plan))
      sum += slots * type.bytes();
  }
  return sum;
}

} // namespace pd
