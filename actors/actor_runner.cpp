#include "actors/actor_runner.hpp"

#include "actors/coordinator.hpp"
#include "actors/data_loader.hpp"
#include "actors/gradient_sync.hpp"
#include "actors/stage.hpp"
#include "actors/supervise.hpp"
#include "engine/base/clock.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <optional>

namespace pd {

namespace {

/// How often run() looks at `stop`.
constexpr std::chrono::milliseconds stop_poll{50};

/// After so long without a loss or an update, who waits for whom is logged.
constexpr double silence_s = 60;

struct engine_config : caf::actor_system_config {
  engine_config() {
    add_message_types<caf::id_block::pd_engine>();
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", std::size_t{1}); // the coordinator's
  }
};

template <class State, class Handle, class... Ts>
Handle spawn_detached(caf::actor_system& in, Ts&&... xs) {
  return in.spawn<shell<State, Handle>, caf::detached>(std::forward<Ts>(xs)...);
}

} // namespace

/// Members end in the reverse order: actors first, then what they work on.
struct actor_runner::parts {
  std::shared_ptr<const deployment> all;
  std::vector<worker_parts> workers;
  engine_config config;
  std::optional<caf::actor_system> system;
  std::optional<caf::scoped_actor> client;
  std::shared_ptr<run_actors> actors = std::make_shared<run_actors>();
  coordinator_actor coordinating;
  std::int64_t stall_us = 0;

  void spawn_all(const dataset* training, const dataset* evaluation);
  void spawn_worker(int worker, const dataset* training,
                    const dataset* evaluation);
  void end_all();

  std::vector<std::shared_ptr<stage_peers>> peers; ///< by worker
  /// By stage: the syncs of its replicas.
  std::vector<std::shared_ptr<std::vector<gradient_sync_actor>>> groups;
};

// -- spawning ----------------------------------------------------------------

void actor_runner::parts::spawn_worker(int worker, const dataset* training,
                                       const dataset* evaluation) {
  const auto at = static_cast<std::size_t>(worker);
  const auto where = all->where();
  const auto& own = peers[at];
  const auto chunks = workers[at].chunks(*all, worker);
  actors->stages.push_back(spawn_detached<stage, stage_actor>(
    *system, stage_options{all, worker, chunks, own}));
  actors->loaders.emplace_back();
  if (reads_batches(*all, worker)) {
    const int stage = where.stage_of(worker);
    const auto depth =
      all->training ? all->training->depth[static_cast<std::size_t>(stage)] : 1;
    actors->loaders.back() = spawn_detached<data_loader, data_loader_actor>(
      *system, data_loader_options{all, worker, training, evaluation,
                                   &workers[at].on->memory(), depth + 2, own});
  }
  actors->syncs.emplace_back();
  if (where.replicas(where.stage_of(worker)) > 1) {
    const auto& group =
      groups[static_cast<std::size_t>(where.stage_of(worker))];
    actors->syncs.back() = spawn_detached<gradient_sync, gradient_sync_actor>(
      *system, gradient_sync_options{all, worker, chunks, group, own});
    group->push_back(actors->syncs.back());
  }
}

void actor_runner::parts::spawn_all(const dataset* training,
                                    const dataset* evaluation) {
  const auto where = all->where();
  for (int stage = 0; stage < where.stages(); ++stage)
    groups.push_back(std::make_shared<std::vector<gradient_sync_actor>>());
  for (int w = 0; w < where.workers(); ++w)
    peers.push_back(std::make_shared<stage_peers>());
  for (int w = 0; w < where.workers(); ++w)
    spawn_worker(w, training, evaluation);
  coordinating = system->spawn<shell<coordinator, coordinator_actor>>(
    coordinator_options{all, actors,
                        caf::actor_cast<client_actor>(
                          caf::actor_cast<caf::strong_actor_ptr>(*client))});
  (*client)->monitor(coordinating);
  for (std::size_t w = 0; w < peers.size(); ++w)
    *peers[w] = {actors->stages, actors->loaders[w], actors->syncs[w],
                 coordinating};
}

result<std::unique_ptr<pipeline_runner>>
actor_runner::make(std::shared_ptr<const deployment> of, const registry& ops,
                   const dataset* training, const dataset* evaluation) {
  auto made = std::make_unique<parts>();
  made->all = std::move(of);
  for (int w = 0; w < made->all->where().workers(); ++w) {
    PD_TRY(auto worker, make_worker(*made->all, w, ops));
    made->workers.push_back(std::move(worker));
  }
  made->system.emplace(made->config);
  made->client.emplace(*made->system);
  made->spawn_all(training, evaluation);
  return std::unique_ptr<pipeline_runner>{new actor_runner{std::move(made)}};
}

actor_runner::actor_runner(std::unique_ptr<parts> made)
  : is_{std::move(made)} {}

/// Actors hold each other's handles, so none would end by itself; and what they
/// read goes only when all have ended.
void actor_runner::parts::end_all() {
  const auto for_all = [this](auto&& f) {
    for (std::size_t w = 0; w < actors->stages.size(); ++w) {
      f(actors->stages[w]);
      f(actors->loaders[w]);
      f(actors->syncs[w]);
    }
    f(coordinating);
  };
  for_all([](const auto& each) {
    if (each)
      caf::anon_send_exit(each, caf::exit_reason::user_shutdown);
  });
  for_all([this](const auto& each) {
    if (each)
      (*client)->wait_for(each);
  });
}

actor_runner::~actor_runner() {
  is_->end_all();
  is_->coordinating = nullptr;
  *is_->actors = {};
  is_->peers.clear();
  is_->groups.clear();
  is_->client.reset();
  is_->system.reset();
}

// -- running -----------------------------------------------------------------

result<void> actor_runner::run(const data_pass& what, const pass_calls& calls,
                               const std::atomic<bool>& stop) {
  if (!what.is_training)
    share_statistics(*is_->all, is_->workers);
  auto& self = **is_->client;
  self.send(is_->coordinating,
            run_pass{what.epoch, what.first_microbatch, what.is_training});
  bool is_over = false;
  bool has_told_stop = false;
  result<void> failure;
  const auto keep = [&](result<void> done) {
    if (failure && !done)
      failure = std::move(done);
  };
  auto heard_us = now_us();
  while (!is_over && failure) {
    bool is_silent = false;
    self.receive(
      [&](const loss_reported& x) {
        keep(calls.on_loss(
          {x.microbatch, x.samples, x.loss, x.correct, x.correct_top5}));
      },
      [&](const version_made& x) { keep(calls.on_update(x.version, x.lr)); },
      [&](const pass_done& x) {
        is_over = true;
        if (what.is_training)
          is_->stall_us += x.stall_us;
      },
      [&](const run_failed& x) {
        keep(error{errc::failed, x.what});
      },
      caf::after(stop_poll) >> [&] { is_silent = true; });
    if (!is_silent)
      heard_us = now_us();
    else if (seconds_since(heard_us) > silence_s) {
      self.send(is_->coordinating, report_waits{});
      heard_us = now_us();
    }
    if (stop && !has_told_stop)
      self.send(is_->coordinating, stop_pass{});
    has_told_stop = stop;
  }
  return failure;
}

result<std::vector<named_tensor>> actor_runner::weights() {
  return weights_of_workers(*is_->all, is_->workers);
}

double actor_runner::data_stall_s() const {
  return static_cast<double>(is_->stall_us) * 1e-6;
}

std::string actor_runner::describe() const {
  const auto workers = is_->workers.size();
  return (workers > 1 ? std::to_string(workers) + " workers on " : "")
         + is_->workers[0].on->describe();
}

} // namespace pd
