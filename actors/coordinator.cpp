#include "actors/coordinator.hpp"

#include "actors/supervise.hpp"
#include "engine/base/log.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <chrono>

namespace pd {

namespace {

/// How long a stage may take to answer between two actions.
constexpr std::chrono::minutes hold_timeout{10};

/// After it a stage counts as busy.
constexpr std::chrono::seconds wait_timeout{5};

} // namespace

coordinator::coordinator(coordinator_actor::pointer self,
                         coordinator_options options)
  : self_{self}, is_{std::move(options)} {
  self_->set_down_handler(
    [this](const caf::down_msg& down) { ended(down.source, down.reason); });
}

coordinator_actor::behavior_type coordinator::make_behavior() {
  return {[this](const run_pass& order) { begin(order); },
          [this](const stop_pass&) { stop(); },
          [this](const report_waits&) { log_waits(); },
          [this](const loss_reported& x) { forward(x); },
          [this](const version_made& x) { forward(x); },
          [this](const pass_done& x) { worker_done(x); }};
}

template <class Message>
void coordinator::forward(const Message& what) {
  if (what.generation == generation_)
    self_->send(is_.client, what);
}

void coordinator::begin(const run_pass& order) {
  if (names_.empty())
    watch_all();
  ++generation_;
  is_training_ = order.is_training;
  is_stopping_ = false;
  begun_ = stall_us_ = 0;
  workers_left_ = static_cast<int>(is_.actors->stages.size());
  const begin_pass to_all{generation_, order};
  for (const auto& each : is_.actors->syncs)
    if (each)
      self_->send(each, to_all);
  for (const auto& each : is_.actors->loaders)
    if (each)
      self_->send(each, to_all);
  for (const auto& each : is_.actors->stages)
    self_->send(each, to_all);
}

void coordinator::worker_done(const pass_done& done) {
  if (done.generation != generation_)
    return;
  stall_us_ += done.stall_us;
  if (--workers_left_ == 0)
    self_->send(is_.client, pass_done{generation_, -1, stall_us_});
}

// -- a pass that ends early --------------------------------------------------

/// The first stage says how far it has come, and waits; all end there.
void coordinator::stop() {
  if (is_stopping_ || workers_left_ == 0)
    return;
  is_stopping_ = true;
  holds_left_ = is_.all->where().replicas(0);
  for (int r = 0; r < is_.all->where().replicas(0); ++r)
    self_
      ->request(is_.actors->stages[static_cast<std::size_t>(r)], hold_timeout,
                hold_pass{generation_})
      .then([this](const pass_held& at) { held(at.begun); },
            [this](const caf::error& why) {
              self_->send(is_.client,
                          run_failed{"stage 0 does not stop: " + text_of(why)});
            });
}

void coordinator::held(std::int64_t begun) {
  begun_ = std::max(begun_, begun);
  if (--holds_left_ > 0)
    return;
  const auto& pass = is_training_ ? is_.all->training : is_.all->evaluation;
  const auto round = common_round(*pass);
  const end_pass_at to_all{generation_, (begun_ + round - 1) / round * round};
  for (const auto& each : is_.actors->loaders)
    if (each)
      self_->send(each, to_all);
  for (const auto& each : is_.actors->stages)
    self_->send(each, to_all);
}

// -- who waits for whom ------------------------------------------------------

void coordinator::log_waits() {
  for (std::size_t w = 0; w < is_.actors->stages.size(); ++w)
    self_->request(is_.actors->stages[w], wait_timeout, report_waits{})
      .then(
        [w](const wait_reported& at) {
          log_warning("worker " + std::to_string(w) + ": " + at.what);
        },
        [w](const caf::error&) {
          log_warning("worker " + std::to_string(w) + " is busy");
        });
}

// -- who ends, and why -------------------------------------------------------

template <class Handle>
void coordinator::watch(const Handle& who, const std::string& called) {
  if (!who)
    return;
  self_->monitor(who);
  names_[who.address()] = called;
}

void coordinator::watch_all() {
  const auto where = is_.all->where();
  for (int w = 0; w < where.workers(); ++w) {
    const auto at = static_cast<std::size_t>(w);
    const auto of = "worker " + std::to_string(w) + " (stage "
                    + std::to_string(where.stage_of(w)) + ", replica "
                    + std::to_string(where.replica_of(w)) + ")";
    watch(is_.actors->stages[at], of);
    watch(is_.actors->loaders[at], of + ", data loader");
    watch(is_.actors->syncs[at], of + ", gradient sync");
  }
}

void coordinator::ended(const caf::actor_addr& who, const caf::error& why) {
  const auto found = names_.find(who);
  const auto called = found == names_.end() ? "an actor" : found->second;
  self_->send(is_.client, run_failed{called + ": " + text_of(why)});
}

} // namespace pd
