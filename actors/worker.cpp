#include "actors/worker.hpp"

#include "actors/checkpointer.hpp"
#include "actors/data_loader.hpp"
#include "actors/gradient_sync.hpp"
#include "actors/supervise.hpp"
#include "engine/base/log.hpp"
#include "engine/train/checkpoints.hpp"
#include "engine/train/worker_parts.hpp"
#include "engine/train/worker_plan.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <span>
#include <utility>

namespace pd {

namespace {

bool is_of_peers(role of) {
  return of == role::link_in || of == role::link_out
         || of == role::gradient_sync;
}

weights_named names_of(int worker, const std::vector<named_tensor>& all) {
  weights_named made{worker, {}, {}, {}};
  for (const auto& each : all) {
    made.names.push_back(each.name);
    auto& extents = made.extents.emplace_back();
    for (int i = 0; i < each.extents.rank(); ++i)
      extents.push_back(each.extents[i]);
    made.are_counters.push_back(each.is_counter ? 1 : 0);
  }
  return made;
}

} // namespace

worker::worker(worker_actor::pointer self, worker_options options)
  : self_{self}, is_{std::move(options)} {
  self_->set_down_handler(
    [this](const caf::down_msg& down) { ended(down.source, down.reason); });
}

/// (1)
worker::~worker() {
  for (const auto& group : {groups_.replicas, groups_.all})
    if (group)
      group->close();
  for (const auto& each : handles_)
    caf::anon_send_exit(each, caf::exit_reason::user_shutdown);
  const caf::scoped_actor waiter{self_->system()};
  for (const auto& each : handles_)
    waiter->wait_for(caf::actor_cast<caf::actor>(each));
}

worker_actor::behavior_type worker::make_behavior() {
  return {
    [this](const deploy_worker& order) { deploy(order); },
    [this](const join_groups&) { join(); },
    [this](const begin_pass& order) { begin(order); },
    [this](const hold_pass& order) { return self_->delegate(stage_, order); },
    [this](const end_pass_at& order) { end_at(order); },
    [this](const align_statistics& order) { align(order); },
    [this](const statistics_aligned& x) { self_->send(coordinator_, x); },
    [this](const store_shard& order) { self_->send(checkpointer_, order); },
    [this](const send_weights&) { give_weights(); },
    [this](const report_status&) { tell_status(); },
    [this](const report_trace&) { give_trace(); },
    [this](const round_joined& x) { self_->send(stage_, x); },
    [this](const open_log& order) {
      if (const auto opened = log_to_file(order.path); !opened)
        log_warning(opened.failure().message);
    }};
}

// -- getting ready -----------------------------------------------------------

void worker::fail(const error& why, bool is_peer) {
  self_->send(coordinator_, worker_failed{seat_.worker, why.code, "", "",
                                          why.message, is_peer});
}

void worker::deploy(const deploy_worker& order) {
  if (coordinator_)
    return refuse(order);
  coordinator_ = caf::actor_cast<coordinator_actor>(order.coordinator);
  self_->monitor(coordinator_);
  seat_.worker = order.worker;
  shown_ = &is_.board->add(order.worker, role::worker);
  shown_->set({.what = doing::deploys});
  if (const auto made = make(order); !made)
    return fail(made.failure());
  shown_->set({});
  self_->send(coordinator_, worker_ready{order.worker, parts_.on->describe()});
}

/// Its own job goes on.
void worker::refuse(const deploy_worker& order) {
  self_->send(caf::actor_cast<coordinator_actor>(order.coordinator),
              worker_failed{order.worker, errc::failed, "", "",
                            "it works for another job already", false});
}

result<void> worker::make(const deploy_worker& order) {
  PD_TRY(seat_, is_.take_seat(order));
  PD_TRY(parts_, make_worker(*seat_.all, seat_.worker, *seat_.ops));
  return is_.has_links ? make_links() : result<void>{};
}

result<void> worker::make_links() {
  for (const auto& along : edges_into(*seat_.all, seat_.worker)) {
    const auto chunk = seat_.all->where().chunk_of_virtual(along.to);
    const auto& plan = parts_.programs[static_cast<std::size_t>(chunk)]->plan();
    PD_TRY(auto slots,
           make_slots(along, *seat_.all, plan, parts_.on->memory()));
    links_.push_back({seat_.all, along, std::move(slots), {}, {}, {}});
  }
  return {};
}

void worker::join() {
  shown_->set({.what = doing::meets});
  if (const auto met = meet(); !met)
    return fail(met.failure(), true);
  shown_->set({});
  spawn_all();
  self_->send(coordinator_, groups_joined{seat_.worker});
}

result<void> worker::meet() {
  PD_TRY(groups_, is_.join(seat_));
  return {};
}

// -- its actors --------------------------------------------------------------

template <class State, class Handle, class Options>
Handle worker::spawn(role as, Options options) {
  auto& shown = is_.board->add(seat_.worker, as);
  options.shown = &shown;
  auto made =
    self_->spawn<shell<State, Handle>, caf::detached>(std::move(options));
  self_->monitor(made);
  actors_[made.address()] = {as, &shown};
  handles_.push_back(caf::actor_cast<caf::strong_actor_ptr>(made));
  return made;
}

void worker::spawn_all() {
  stage_ = spawn<stage, stage_actor>(
    role::stage, stage_options{seat_.all,
                               seat_.worker,
                               parts_.chunks(*seat_.all, seat_.worker),
                               peers_,
                               {},
                               &spans_});
  (*is_.receivers)[static_cast<std::size_t>(seat_.worker)] = stage_;
  spawn_loader();
  spawn_sync();
  if (writes_shard(*seat_.all, seat_.worker))
    checkpointer_ = spawn<checkpointer, checkpointer_actor>(
      role::checkpointer, checkpointer_options{&parts_, coordinator_, {}});
  if (is_.has_links)
    spawn_links();
  peers_->receivers = is_.receivers;
  peers_->coordinator = coordinator_;
}

void worker::spawn_loader() {
  if (!reads_batches(*seat_.all, seat_.worker))
    return;
  peers_->loader = spawn<data_loader, data_loader_actor>(
    role::data_loader, data_loader_options{seat_.all,
                                           seat_.worker,
                                           seat_.training.get(),
                                           seat_.evaluation.get(),
                                           &parts_.on->memory(),
                                           stage_,
                                           {}});
}

void worker::spawn_sync() {
  if (!groups_.replicas)
    return;
  peers_->sync = spawn<gradient_sync, gradient_sync_actor>(
    role::gradient_sync,
    gradient_sync_options{seat_.worker,
                          parts_.chunks(*seat_.all, seat_.worker),
                          groups_.replicas,
                          stage_,
                          caf::actor_cast<worker_actor>(self_),
                          {}});
}

void worker::spawn_links() {
  for (int peer = 0; peer < seat_.all->where().workers(); ++peer)
    if (peer != seat_.worker && has_edge(*seat_.all, seat_.worker, peer))
      (*is_.receivers)[static_cast<std::size_t>(peer)] =
        spawn<link_out, tensor_receiver>(
          role::link_out, link_out_options{groups_.all, peer, {}});
  for (auto& each : std::exchange(links_, {})) {
    each.group = groups_.all;
    each.to = stage_;
    links_in_.push_back(
      spawn<link_in, link_in_actor>(role::link_in, std::move(each)));
  }
}

/// Their errors are the worker's, with the actor's name.
void worker::ended(const caf::actor_addr& who, const caf::error& why) {
  if (coordinator_ && who == coordinator_.address())
    return self_->quit();
  const auto found = actors_.find(who);
  if (found == actors_.end())
    return;
  const auto [as, shown] = found->second;
  const auto now = shown->read();
  self_->send(coordinator_,
              worker_failed{seat_.worker, errc::failed,
                            as == role::stage ? "" : to_string(as),
                            now.what == doing::nothing ? "" : to_string(now),
                            text_of(why), is_of_peers(as)});
}

// -- passes ------------------------------------------------------------------

void worker::begin(const begin_pass& order) {
  sends_.clear();
  given_.clear();
  for (const auto& each : links_in_)
    self_->send(each, order);
  if (peers_->loader)
    self_->send(peers_->loader, order);
  self_->send(stage_, order);
}

void worker::end_at(const end_pass_at& order) {
  for (const auto& each : links_in_)
    self_->send(each, order);
  if (peers_->loader)
    self_->send(peers_->loader, order);
  self_->send(stage_, order);
}

void worker::align(const align_statistics& order) {
  if (peers_->sync)
    self_->send(peers_->sync, order);
  else
    self_->send(coordinator_,
                statistics_aligned{order.generation, seat_.worker});
}

/// Names by message, values over the group, which takes them as it can.
void worker::give_weights() {
  sends_.clear();
  given_.clear();
  for (const auto& each : parts_.programs)
    std::ranges::move(weights_of(*each), std::back_inserter(given_));
  self_->send(coordinator_, names_of(seat_.worker, given_));
  const int client = seat_.all->where().workers();
  for (const auto& each : given_)
    sends_.push_back(groups_.all->send(client, weights_tag,
                                       std::as_bytes(std::span{each.values})));
}

void worker::give_trace() {
  trace_reported made{seat_.worker, {}};
  for (const auto& each : spans_.snapshot())
    made.spans.push_back({each.name, each.index, each.begin_us, each.end_us});
  self_->send(coordinator_, std::move(made));
}

void worker::tell_status() {
  status_reported made{seat_.worker, {}};
  for (const auto& each : is_.board->read())
    if (each.worker == seat_.worker && each.of != role::worker)
      made.lines.push_back(std::string{to_string(each.of)} + ": "
                           + to_string(each.now));
  self_->send(coordinator_, made);
}

} // namespace pd
