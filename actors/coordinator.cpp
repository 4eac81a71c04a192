#include "actors/coordinator.hpp"

#include "actors/supervise.hpp"
#include "engine/base/log.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <chrono>
#include <iterator>

namespace pd {

namespace {

/// How long a stage may take to answer between two actions.
constexpr std::chrono::minutes hold_timeout{10};

/// How long a complaint about a peer waits for the news of who died.
constexpr std::chrono::seconds blame_delay{1};

} // namespace

coordinator::coordinator(coordinator_actor::pointer self,
                         coordinator_options options)
  : self_{self},
    is_{std::move(options)},
    where_{is_.all->where()},
    devices_(is_.workers.size()),
    measures_{where_.virtual_stages()} {
  self_->set_down_handler([this](const caf::down_msg& down) {
    worker_lost(down.source, down.reason);
  });
  for (const auto& each : is_.workers)
    self_->monitor(each);
  if (is_.archivist)
    self_->monitor(is_.archivist);
}

coordinator_actor::behavior_type coordinator::make_behavior() {
  return {[this](const deploy_job&) { deploy(); },
          [this](const run_pass& order) { begin(order); },
          [this](const stop_pass&) { stop(); },
          [this](const save_checkpoint& order) { save(order); },
          [this](const checkpoint_begun& x) { write_shards(x); },
          [this](const shard_copied&) { copied(); },
          [this](const shard_stored& x) { stored(x); },
          [this](const checkpoint_ended& x) { saved(x); },
          [this](const collect_weights&) { collect(); },
          [this](const report_status& order) { tell_workers(order); },
          [this](const report_trace& order) { tell_workers(order); },
          [this](const trace_reported& x) { self_->send(is_.client, x); },
          [this](const worker_ready& x) { ready(x); },
          [this](const groups_joined&) { joined(); },
          [this](const worker_failed& x) { worker_complained(x); },
          [this](const process_ended& x) { process_lost(x); },
          [this](const run_failed& x) { fail(x); },
          [this](const status_reported& x) { log_status(x); },
          [this](const statistics_aligned& x) { aligned(x); },
          [this](const weights_named& x) { self_->send(is_.client, x); },
          [this](const progress_reported& x) { forward(x); },
          [this](const pass_done& x) { worker_done(x); },
          [this](const round_measured& x) { measured(x); }};
}

void coordinator::forward(const progress_reported& what) {
  if (what.generation == generation_)
    self_->send(is_.client, what);
}

template <class Message>
void coordinator::tell_workers(const Message& what) {
  for (const auto& each : is_.workers)
    self_->send(each, what);
}

// -- deployment --------------------------------------------------------------

void coordinator::deploy() {
  workers_left_ = where_.workers();
  deploy_worker order;
  order.job = is_.job;
  order.resumed_from = is_.all->resumed_from;
  order.training_samples = is_.all->sizes.training;
  order.evaluation_samples = is_.all->sizes.evaluation;
  order.coordinator = caf::actor_cast<caf::strong_actor_ptr>(self_);
  order.rendezvous = caf::actor_cast<caf::strong_actor_ptr>(is_.rendezvous);
  for (std::size_t w = 0; w < is_.workers.size(); ++w) {
    order.worker = static_cast<int>(w);
    self_->send(is_.workers[w], order);
  }
}

void coordinator::ready(const worker_ready& from) {
  devices_[static_cast<std::size_t>(from.worker)] = from.device;
  if (--workers_left_ > 0)
    return;
  workers_left_ = where_.workers();
  self_->send(is_.client, workers_ready{devices_[0]});
  tell_workers(join_groups{});
}

void coordinator::joined() {
  if (--workers_left_ == 0)
    self_->send(is_.client, job_deployed{});
}

// -- a pass ------------------------------------------------------------------

/// An evaluation is one of the weights that are saved: with the statistics of
/// replica 0.
void coordinator::begin(const run_pass& order) {
  ++generation_;
  pass_ = order;
  is_stopping_ = has_started_ = false;
  begun_ = 0;
  measures_ = round_sums{where_.virtual_stages()};
  sum_ = {generation_, 0, std::vector<std::int64_t>(is_.workers.size()), {}};
  workers_left_ = where_.workers();
  if (order.is_training)
    start_pass();
  else
    tell_workers(align_statistics{generation_});
}

void coordinator::aligned(const statistics_aligned& done) {
  if (done.generation != generation_ || --workers_left_ > 0)
    return;
  if (asked_)
    self_->send(is_.archivist, *std::exchange(asked_, std::nullopt));
  else
    start_pass();
}

void coordinator::start_pass() {
  workers_left_ = where_.workers();
  has_started_ = true;
  tell_workers(begin_pass{generation_, pass_});
  if (is_stopping_)
    hold();
}

void coordinator::worker_done(const pass_done& done) {
  if (done.generation != generation_)
    return;
  sum_.stall_us += done.stall_us;
  std::ranges::copy(done.broken, std::back_inserter(sum_.broken));
  sum_.busy_us[static_cast<std::size_t>(done.worker)] = done.busy_us;
  if (--workers_left_ == 0)
    self_->send(is_.client, sum_);
}

void coordinator::measured(const round_measured& what) {
  if (what.generation != generation_)
    return;
  if (const auto sum =
        measures_.add(what.round, what.stage, what.sum_of_squares))
    tell_workers(round_joined{generation_, what.round, *sum});
}

// -- a pass that ends early --------------------------------------------------

/// A pass that is about to begin is held as soon as it does.
void coordinator::stop() {
  if (is_stopping_ || workers_left_ == 0)
    return;
  is_stopping_ = true;
  if (has_started_)
    hold();
}

/// The first stage says how far it has come, and waits; all end there.
void coordinator::hold() {
  holds_left_ = where_.replicas(0);
  for (int r = 0; r < where_.replicas(0); ++r)
    self_
      ->request(is_.workers[static_cast<std::size_t>(r)], hold_timeout,
                hold_pass{generation_})
      .then(
        [this](const pass_held& at) { held(at.begun); },
        [this](const caf::error& why) {
          fail_later({errc::failed, "stage 0 does not stop: " + text_of(why)});
        });
}

void coordinator::held(std::int64_t begun) {
  begun_ = std::max(begun_, begun);
  if (--holds_left_ > 0)
    return;
  const auto& pass =
    pass_.is_training ? is_.all->training : is_.all->evaluation;
  const auto round = common_round(*pass);
  tell_workers(end_pass_at{generation_, (begun_ + round - 1) / round * round});
}

// -- a checkpoint ------------------------------------------------------------

/// As an evaluation, it is one of replica 0's statistics: all have them, as
/// they will have if the run goes on from here.
void coordinator::save(const save_checkpoint& order) {
  ++generation_;
  asked_ = order;
  workers_left_ = where_.workers();
  tell_workers(align_statistics{generation_});
}

void coordinator::write_shards(const checkpoint_begun& into) {
  copies_left_ = where_.stages();
  shards_.clear();
  for (int stage = 0; stage < where_.stages(); ++stage)
    self_->send(first_of(stage),
                store_shard{into.folder, stage, where_.stages()});
}

void coordinator::copied() {
  if (--copies_left_ == 0)
    self_->send(is_.client, weights_copied{});
}

void coordinator::stored(const shard_stored& what) {
  shards_.push_back(what);
  if (std::ssize(shards_) < where_.stages())
    return;
  std::ranges::sort(shards_, {}, &shard_stored::shard);
  self_->send(is_.archivist, end_checkpoint{std::exchange(shards_, {})});
}

void coordinator::saved(const checkpoint_ended& what) {
  self_->send(is_.client, what);
}

// -- what others ask for -----------------------------------------------------

void coordinator::collect() {
  for (int stage = 0; stage < where_.stages(); ++stage)
    self_->send(first_of(stage), send_weights{});
}

const worker_actor& coordinator::first_of(int stage) const {
  return is_.workers[static_cast<std::size_t>(where_.worker_at(stage, 0))];
}

void coordinator::log_status(const status_reported& from) const {
  for (const auto& each : from.lines)
    log_warning(called(from.worker, "", "") + ", " + each);
}

// -- who fails, and why ------------------------------------------------------

/// "worker 1 (stage 0, replica 1), data loader, reads microbatch 3".
std::string coordinator::called(int worker, const std::string& who,
                                const std::string& doing) const {
  auto text = where_.describe(worker);
  for (const auto* each : {&who, &doing})
    if (!each->empty())
      text += ", " + *each;
  return text;
}

std::string coordinator::last_doing(int worker) const {
  return is_.last_doing ? is_.last_doing(worker) : "";
}

void coordinator::worker_complained(const worker_failed& what) {
  const run_failed failure{what.code, called(what.worker, what.who, what.doing)
                                        + ": " + what.what};
  if (what.is_peer)
    fail_later(failure);
  else
    fail(failure);
}

void coordinator::process_lost(const process_ended& what) {
  fail({errc::failed,
        called(what.worker, "", last_doing(what.worker)) + ": " + what.how});
}

/// If its process has died, process_ended says more.
void coordinator::worker_lost(const caf::actor_addr& who,
                              const caf::error& why) {
  const auto found =
    std::ranges::find_if(is_.workers, [&](const worker_actor& each) {
      return each.address() == who;
    });
  if (found == is_.workers.end()) {
    if (is_.archivist && who == is_.archivist.address())
      fail({errc::failed, "archivist: " + text_of(why)});
    return;
  }
  const auto worker = static_cast<int>(found - is_.workers.begin());
  fail_later({errc::failed, called(worker, "", last_doing(worker))
                              + ": lost: " + text_of(why)});
}

void coordinator::fail_later(const run_failed& what) {
  self_->delayed_send(self_, blame_delay, what);
}

void coordinator::fail(const run_failed& what) {
  if (std::exchange(has_failed_, true))
    return;
  self_->send(is_.client, what);
  if (is_.rendezvous)
    self_->send(is_.rendezvous, close_store{what.what});
}

} // namespace pd
