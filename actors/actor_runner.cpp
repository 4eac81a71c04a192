#include "actors/actor_runner.hpp"

#include "actors/archivist.hpp"
#include "actors/coordinator.hpp"
#include "actors/local_workers.hpp"
#include "actors/remoting.hpp"
#include "actors/supervise.hpp"
#include "actors/worker_processes.hpp"
#include "engine/base/clock.hpp"
#include "engine/job/job_file.hpp"
#include "engine/train/checkpoints.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <filesystem>
#include <future>
#include <map>
#include <numeric>
#include <optional>
#include <span>

namespace pd {

namespace {

/// How often whoever waits looks whether it is to go on.
constexpr std::chrono::milliseconds listen_poll{10};

/// After so long without a word from the workers, who waits for whom is logged.
constexpr double silence_s = 60;

/// So long a peer's silence waits for the news of who died.
constexpr double cause_s = 1.5;

const std::atomic<bool> never{false};

bool has_processes(const deployment& all) {
  return all.what.run.workers == "processes";
}

std::unique_ptr<caf::actor_system_config> config_for(const deployment& all) {
  if (has_processes(all))
    return std::make_unique<network_config>();
  return std::make_unique<engine_config>();
}

} // namespace

/// Members end in the reverse order: actors first, then what they work on.
namespace {

/// How long each worker was in actions in the last epoch, and how long all its
/// passes lasted.
struct busy_times {
  std::int64_t epoch = -1;
  std::int64_t lasted_us = 0;
  std::vector<std::int64_t> busy_us; ///< by worker

  void add(const data_pass& of, const std::vector<std::int64_t>& more_us,
           std::int64_t pass_us) {
    if (of.epoch != epoch)
      *this = {of.epoch, 0, std::vector<std::int64_t>(more_us.size())};
    lasted_us += pass_us;
    for (std::size_t w = 0; w < busy_us.size(); ++w)
      busy_us[w] += more_us[w];
  }

  [[nodiscard]] std::vector<double> shares() const {
    std::vector<double> made;
    made.reserve(busy_us.size());
    for (const auto each : busy_us)
      made.push_back(static_cast<double>(each)
                     / static_cast<double>(lasted_us));
    return made;
  }
};

} // namespace

struct actor_runner::parts {
  std::shared_ptr<const deployment> all;
  std::unique_ptr<caf::actor_system_config> config;
  std::unique_ptr<worker_host> host;
  std::optional<caf::actor_system> system;
  std::optional<caf::scoped_actor> client;
  std::shared_ptr<checkpoint_store> store; ///< until the archivist has it
  archivist_actor archiving;               ///< empty: no checkpoints are made
  coordinator_actor coordinating;
  std::shared_ptr<communicator> group; ///< of all workers and this
  std::string device;
  const std::atomic<bool>* stop = nullptr; ///< of deploy(); null after it
  result<void> failure;
  bool is_saving = false; ///< a checkpoint is being written
  std::function<void(const saved_checkpoint&)> on_saved;
  std::int64_t stall_us = 0;
  busy_times busy;

  void coordinate();
  result<void> deploy(const std::atomic<bool>& asked);
  void heed_stop();
  template <class... Handlers>
  result<void> listen_until(const bool& is_over,
                            const std::function<void()>& meanwhile,
                            Handlers... handlers);
  template <class Work, class... Handlers>
  auto beside(Work work, Handlers... handlers) -> decltype(work());
  void find_cause(const error& symptom);
  void ended(const checkpoint_ended& what);
  result<std::vector<named_tensor>> receive(const weights_named& from) const;
  result<std::vector<named_tensor>>
  receive(const std::map<int, weights_named>& by_worker) const;
};

// -- waiting for what the coordinator says -----------------------------------

/// Hands messages to the handlers until one of them sets `is_over` or the run
/// has failed.
template <class... Handlers>
result<void>
actor_runner::parts::listen_until(const bool& is_over,
                                  const std::function<void()>& meanwhile,
                                  Handlers... handlers) {
  auto heard_us = now_us();
  while (!is_over && failure) {
    bool is_silent = false;
    (*client)->receive(
      Handlers{handlers}..., // which are moved from
      [&](const checkpoint_ended& x) { ended(x); },
      [&](const run_failed& x) {
        failure = error{x.code, x.what};
      },
      [&](const caf::down_msg& x) {
        failure = error{errc::failed, "coordinator: " + text_of(x.reason)};
      },
      caf::after(listen_poll) >> [&] { is_silent = true; });
    if (!is_silent)
      heard_us = now_us();
    else if (seconds_since(heard_us) > silence_s) {
      (*client)->send(coordinating, report_status{});
      heard_us = now_us();
    }
    heed_stop();
    meanwhile();
  }
  return failure;
}

/// Does on a thread of its own what waits for workers, and hears meanwhile if
/// one fails; then the group is closed, which ends the wait.
template <class Work, class... Handlers>
auto actor_runner::parts::beside(Work work, Handlers... handlers)
  -> decltype(work()) {
  auto doing = std::async(std::launch::async, std::move(work));
  bool is_over = false;
  (void)listen_until(
    is_over,
    [&] {
      is_over =
        doing.wait_for(std::chrono::seconds{0}) == std::future_status::ready;
    },
    handlers...);
  if (!failure && group)
    group->close();
  auto made = doing.get();
  if (failure && !made)
    find_cause(made.failure());
  if (!failure)
    return failure.failure();
  return made;
}

/// Who died is better to know than who missed it.
void actor_runner::parts::find_cause(const error& symptom) {
  const auto begin_us = now_us();
  bool is_over = false;
  if (listen_until(is_over,
                   [&] { is_over = seconds_since(begin_us) > cause_s; }))
    failure = symptom;
}

// -- deployment --------------------------------------------------------------

void actor_runner::parts::coordinate() {
  if (store)
    archiving = system->spawn<shell<archivist, archivist_actor>, caf::detached>(
      archivist_options{all, std::exchange(store, nullptr)});
  coordinating =
    system->spawn<shell<coordinator, coordinator_actor>>(coordinator_options{
      all, host->workers(),
      caf::actor_cast<client_actor>(
        caf::actor_cast<caf::strong_actor_ptr>(*client)),
      has_processes(*all) ? print_job(all->what) : "", host->meeting_place(),
      [this](int worker) { return host->doing(worker); }, archiving});
  (*client)->monitor(coordinating);
  host->watch(coordinating);
}

/// Nothing is to be drained yet: the job ends as if a worker had failed.
void actor_runner::parts::heed_stop() {
  if (!stop || !*stop)
    return;
  const auto why = deployment_interrupted();
  (*client)->send(coordinating, run_failed{why.code, why.message});
  stop = nullptr;
}

result<void> actor_runner::parts::deploy(const std::atomic<bool>& asked) {
  stop = &asked;
  (*client)->send(coordinating, deploy_job{});
  bool are_ready = false;
  PD_CHECK(listen_until(
    are_ready, [] {},
    [&](const workers_ready& x) {
      device = x.device;
      are_ready = true;
    }));
  bool is_deployed = false;
  const auto hear = [&](const job_deployed&) { is_deployed = true; };
  PD_TRY(group, beside([this] { return host->join(); }, hear));
  PD_CHECK(listen_until(
    is_deployed, [] {}, hear));
  if (!std::exchange(stop, nullptr)) // what the coordinator was told comes next
    failure = deployment_interrupted();
  return failure;
}

std::string own_program() {
  std::error_code unknown;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", unknown);
  return unknown ? "/proc/self/exe" : path.string();
}

result<std::unique_ptr<pipeline_runner>>
actor_runner::make(std::shared_ptr<const deployment> of, const registry& ops,
                   const dataset* training, const dataset* evaluation) {
  return with({})(std::move(of), ops, training, evaluation);
}

runner_maker actor_runner::with(actor_runner_options options) {
  return [options = std::move(options)](
           std::shared_ptr<const deployment> of, const registry& ops,
           const dataset* training, const dataset* evaluation)
           -> result<std::unique_ptr<pipeline_runner>> {
    const auto& stop = options.stop ? *options.stop : never;
    auto made = std::make_unique<parts>();
    made->all = std::move(of);
    PD_TRY(made->store, open_checkpoints(*made->all));
    made->config = config_for(*made->all);
    made->system.emplace(*made->config);
    made->client.emplace(*made->system);
    if (has_processes(*made->all)) {
      PD_TRY(made->host, start_worker_processes(*made->system, made->all,
                                                options.worker_command,
                                                options.places, stop));
    } else {
      made->host =
        make_local_workers(*made->system, made->all, ops, training, evaluation);
    }
    made->coordinate();
    std::unique_ptr<pipeline_runner> runner{new actor_runner{std::move(made)}};
    PD_CHECK(static_cast<actor_runner&>(*runner).is_->deploy(stop));
    return runner;
  };
}

actor_runner::actor_runner(std::unique_ptr<parts> made) : is_{std::move(made)} {
  is_->on_saved = [this](const saved_checkpoint& what) { say_saved(what); };
}

/// Actors hold each other's handles, so none would end by itself.
actor_runner::~actor_runner() {
  caf::anon_send_exit(is_->coordinating, caf::exit_reason::user_shutdown);
  (*is_->client)->wait_for(is_->coordinating);
  is_->coordinating = nullptr;
  if (is_->archiving)
    caf::anon_send_exit(is_->archiving, caf::exit_reason::user_shutdown);
  is_->archiving = nullptr;
  if (is_->group)
    is_->group->close();
  is_->host->end(!is_->failure);
  is_->client.reset();
  is_->system.reset();
}

// -- running -----------------------------------------------------------------

result<void> actor_runner::run(const data_pass& what, const pass_calls& calls,
                               const std::atomic<bool>& stop) {
  auto& self = **is_->client;
  self.send(is_->coordinating, run_pass{what.epoch, what.begin,
                                        what.microbatches, what.is_training});
  const auto keep = [this](const result<void>& done) {
    if (is_->failure && !done)
      is_->failure = done;
  };
  bool is_over = false;
  bool has_told_stop = false;
  const auto begin_us = now_us();
  return is_->listen_until(
    is_over,
    [&] {
      if (stop && !std::exchange(has_told_stop, true))
        self.send(is_->coordinating, stop_pass{});
    },
    [&](const progress_reported& x) {
      for (const auto& each : x.losses)
        keep(calls.on_loss({each.microbatch, each.samples, each.loss,
                            each.correct, each.correct_top5}));
      for (const auto& each : x.versions)
        keep(calls.on_update(each.version, each.lr));
    },
    [&](const pass_over& x) {
      is_over = true;
      add_broken(x.broken);
      if (!what.is_training)
        return;
      is_->stall_us += x.stall_us;
      is_->busy.add(what, x.busy_us, now_us() - begin_us);
    });
}

// -- checkpoints -------------------------------------------------------------

void actor_runner::parts::ended(const checkpoint_ended& what) {
  is_saving = false;
  const checkpoint_position at{what.epoch, what.samples};
  if (what.why.empty())
    on_saved({at, what.path});
  else
    on_saved({at, error{errc::io, what.why}});
}

result<void> actor_runner::save(const checkpoint_position& at) {
  PD_CHECK(finish_saving());
  is_->is_saving = true;
  (*is_->client)
    ->send(is_->coordinating, save_checkpoint{at.epoch, at.samples});
  bool is_copied = false;
  return is_->listen_until(
    is_copied, [&] { is_copied = is_copied || !is_->is_saving; },
    [&](const weights_copied&) { is_copied = true; });
}

result<void> actor_runner::finish_saving() {
  bool is_over = !is_->is_saving;
  return is_->listen_until(is_over, [&] { is_over = !is_->is_saving; });
}

// -- what it has come to -----------------------------------------------------

result<std::vector<named_tensor>>
actor_runner::parts::receive(const weights_named& from) const {
  std::vector<named_tensor> made;
  for (std::size_t i = 0; i < from.names.size(); ++i) {
    named_tensor each{
      from.names[i], shape{from.extents[i]}, from.are_counters[i] != 0, {}};
    each.values.resize(static_cast<std::size_t>(each.extents.elems()));
    auto arriving = group->receive(
      from.worker, weights_tag, std::as_writable_bytes(std::span{each.values}));
    PD_CHECK(arriving.wait());
    made.push_back(std::move(each));
  }
  return made;
}

result<std::vector<named_tensor>> actor_runner::parts::receive(
  const std::map<int, weights_named>& by_worker) const {
  std::vector<named_tensor> made;
  for (const auto& [worker, names] : by_worker) {
    PD_TRY(auto part, receive(names));
    std::ranges::move(part, std::back_inserter(made));
  }
  return made;
}

result<std::vector<named_tensor>> actor_runner::weights() {
  (*is_->client)->send(is_->coordinating, collect_weights{});
  std::map<int, weights_named> by_worker;
  bool is_over = false;
  PD_CHECK(is_->listen_until(
    is_over, [] {},
    [&](const weights_named& x) {
      by_worker[x.worker] = x;
      is_over = std::ssize(by_worker) == is_->all->where().stages();
    }));
  return is_->beside([&] { return is_->receive(by_worker); });
}

void actor_runner::log_to(const std::string& directory) {
  if (!has_processes(*is_->all))
    return;
  for (std::size_t w = 0; w < is_->host->workers().size(); ++w)
    (*is_->client)
      ->send(is_->host->workers()[w],
             open_log{directory + "/worker-" + std::to_string(w) + ".log"});
}

result<std::vector<worker_trace>> actor_runner::trace() {
  (*is_->client)->send(is_->coordinating, report_trace{});
  std::vector<worker_trace> made(is_->host->workers().size());
  std::size_t heard = 0;
  bool is_over = false;
  PD_CHECK(is_->listen_until(
    is_over, [] {},
    [&](const trace_reported& x) {
      for (const auto& each : x.spans)
        made[static_cast<std::size_t>(x.worker)].push_back(
          {each.name, each.index, each.begin_us, each.end_us});
      is_over = ++heard == made.size();
    }));
  return made;
}

double actor_runner::data_stall_s() const {
  return static_cast<double>(is_->stall_us) * 1e-6;
}

std::vector<double> actor_runner::busy_shares() const {
  return is_->busy.shares();
}

std::string actor_runner::describe() const {
  const auto workers = is_->all->where().workers();
  const std::string what = has_processes(*is_->all) ? "processes" : "workers";
  return (workers > 1 ? std::to_string(workers) + " " + what + " on " : "")
         + is_->device;
}

} // namespace pd
