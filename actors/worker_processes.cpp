#include "actors/worker_processes.hpp"

#include "actors/child_process.hpp"
#include "actors/data_loader.hpp"
#include "actors/rendezvous.hpp"
#include "actors/shared_memory.hpp"
#include "actors/status_board.hpp"
#include "actors/supervise.hpp"
#include "actors/worker.hpp"
#include "engine/base/clock.hpp"
#include "engine/comm/gloo_communicator.hpp"
#include "engine/job/job_file.hpp"
#include "engine/train/checkpoints.hpp"
#include "engine/train/session.hpp"
#include "engine/train/worker_plan.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>

namespace pd {

namespace {

/// Actors of a process that its board has room for.
constexpr std::size_t board_places = 512;

constexpr std::chrono::seconds start_timeout{30};
constexpr std::chrono::seconds connect_timeout{10};
constexpr std::chrono::milliseconds death_delay{500};
constexpr std::chrono::seconds end_patience{10};
constexpr std::chrono::seconds failed_end_patience{1};
constexpr std::chrono::milliseconds no_patience{0}; // with who hears no order

const std::string says_listening = "listening on ";

/// The group of all workers, or of a stage's replicas.
result<std::shared_ptr<communicator>> join_group(caf::actor_system& in,
                                                 const rendezvous_actor& at,
                                                 const std::string& group,
                                                 const std::string& host,
                                                 int rank, int size) {
  actor_store store{in, at};
  gloo_options options;
  options.host = host;
  options.rank = rank;
  options.size = size;
  options.prefix = group;
  PD_TRY(auto made, make_gloo_communicator(store, options));
  return std::shared_ptr<communicator>{std::move(made)};
}

// -- in the coordinator's process --------------------------------------------

class worker_processes final : public worker_host {
public:
  worker_processes(caf::actor_system& in, std::shared_ptr<const deployment> all,
                   worker_places at)
    : in_{in},
      all_{std::move(all)},
      at_{std::move(at)},
      meeting_{in.spawn<shell<rendezvous, rendezvous_actor>>()} {}

  ~worker_processes() override { worker_processes::end(true); }

  result<void> start_all(const std::vector<std::string>& command,
                         const std::atomic<bool>& stop) {
    const auto where = all_->where();
    for (int w = 0; w < where.workers(); ++w)
      if (const auto done = start(w, command); !done)
        return done.failure().within(where.describe(w));
    for (int w = 0; w < where.workers(); ++w) {
      const auto done = connect_to(static_cast<std::size_t>(w), stop);
      if (stop)
        return deployment_interrupted();
      if (!done)
        return cause_of(w, done.failure());
    }
    return {};
  }

  [[nodiscard]] const std::vector<worker_actor>& workers() const override {
    return workers_;
  }
  [[nodiscard]] rendezvous_actor meeting_place() const override {
    return meeting_;
  }

  [[nodiscard]] std::string doing(int worker) const override {
    return boards_[static_cast<std::size_t>(worker)].board->doing_of(worker);
  }

  void watch(const coordinator_actor& by) override {
    const std::lock_guard lock{news_->mutex};
    news_->to = by;
    for (const auto& each : news_->early)
      caf::anon_send(by, each);
    news_->early.clear();
  }

  result<std::shared_ptr<communicator>> join() override {
    const int workers = all_->where().workers();
    return join_group(in_, meeting_, "all", at_.coordinator_host, workers,
                      workers + 1);
  }

  void end(bool have_failed) override {
    if (!meeting_)
      return; // it was called before
    for (const auto& each : workers_)
      caf::anon_send_exit(each, caf::exit_reason::user_shutdown);
    const auto deadline = std::chrono::steady_clock::now()
                          + (have_failed ? failed_end_patience : end_patience);
    for (std::size_t w = 0; w < processes_.size(); ++w)
      processes_[w]->end(w < workers_.size() ? time_until(deadline)
                                             : no_patience);
    processes_.clear();
    workers_.clear();
    caf::anon_send_exit(meeting_, caf::exit_reason::user_shutdown);
    meeting_ = nullptr;
    const std::lock_guard lock{news_->mutex};
    news_->to = nullptr;
  }

private:
  struct shared_board {
    std::unique_ptr<shared_memory> memory;
    std::unique_ptr<status_board> board;
  };

  /// Deaths, for whoever coordinates.
  struct death_news {
    std::mutex mutex;
    std::condition_variable has_more;
    coordinator_actor to;
    std::vector<process_ended> early; ///< before there was anybody to tell

    void tell(const process_ended& what) {
      const std::lock_guard lock{mutex};
      if (to)
        caf::anon_send(to, what);
      else
        early.push_back(what);
      has_more.notify_all();
    }

    bool has_any() {
      const std::lock_guard lock{mutex};
      return !early.empty();
    }

    /// Who ended first, which is known soon after its pipe has closed.
    std::optional<process_ended> first() {
      std::unique_lock lock{mutex};
      has_more.wait_for(lock, death_delay, [this] { return !early.empty(); });
      return early.empty() ? std::nullopt : std::optional{early.front()};
    }
  };

  result<void> start(int worker, const std::vector<std::string>& command) {
    auto& here = boards_.emplace_back();
    PD_TRY(here.memory,
           shared_memory::make(status_board::bytes_for(board_places)));
    here.board =
      std::make_unique<status_board>(here.memory->data(), here.memory->bytes());
    const auto place = at_.workers.empty()
                         ? worker_place{}
                         : at_.workers[static_cast<std::size_t>(worker)];
    auto words = command_at(place, command);
    words.insert(words.end(), {child_option, "--listen", place.listen});
    PD_TRY(auto made,
           child_process::start(words, here.memory->descriptor(),
                                [news = news_, worker](const std::string& how) {
                                  news->tell({worker, how});
                                }));
    processes_.push_back(std::move(made));
    return {};
  }

  /// A death is better to know than that a worker could not be reached.
  error cause_of(int worker, const error& symptom) {
    const auto where = all_->where();
    if (const auto dead = news_->first())
      return {errc::io, where.describe(dead->worker) + ": " + dead->how};
    return {errc::io, where.describe(worker) + ": " + symptom.message};
  }

  result<void> connect_to(std::size_t worker, const std::atomic<bool>& stop) {
    PD_TRY(const auto line, processes_[worker]->read_line(start_timeout, [&] {
      return stop || news_->has_any();
    }));
    if (!line.starts_with(says_listening))
      return error{errc::io,
                   "wanted '" + says_listening + "...', got '" + line + "'"};
    PD_TRY(const auto at, parse_address(line.substr(says_listening.size())));
    PD_TRY(auto made, connect(in_, at, connect_timeout));
    workers_.push_back(std::move(made));
    return {};
  }

  caf::actor_system& in_;
  std::shared_ptr<const deployment> all_;
  worker_places at_;
  rendezvous_actor meeting_;
  std::shared_ptr<death_news> news_ = std::make_shared<death_news>();
  std::vector<shared_board> boards_; ///< by worker
  std::vector<std::unique_ptr<child_process>> processes_;
  std::vector<worker_actor> workers_;
};

// -- in the worker's process -------------------------------------------------

/// Its memory may be the coordinator's to read.
struct board_here {
  std::unique_ptr<shared_memory> memory;
  std::shared_ptr<status_board> board;
};

result<board_here> open_board(bool is_child) {
  board_here made;
  if (!is_child) {
    made.board = std::make_shared<status_board>(board_places);
    return made;
  }
  PD_TRY(made.memory, shared_memory::open(child_process::shared_at));
  made.board =
    std::make_shared<status_board>(made.memory->data(), made.memory->bytes());
  return made;
}

/// What one job's worker has of its process.
class worker_process {
public:
  worker_process(caf::actor_system& in, const registry& ops, std::string host)
    : in_{in}, ops_{ops}, host_{std::move(host)} {}

  result<worker_seat> take_seat(const deploy_worker& order) {
    meeting_ = caf::actor_cast<rendezvous_actor>(order.rendezvous);
    PD_TRY(const auto what, parse_job(order.job, "job.toml"));
    PD_TRY(
      auto all,
      deploy(what, {order.training_samples, order.evaluation_samples}, ops_));
    if (!order.resumed_from.empty()) {
      PD_TRY(const auto from, checkpoint::open(order.resumed_from));
      PD_CHECK(resume(all, from, ops_));
    }
    receivers->resize(static_cast<std::size_t>(all.where().workers()));
    worker_seat made{std::make_shared<const deployment>(std::move(all)),
                     order.worker, &ops_, nullptr, nullptr};
    if (!reads_batches(*made.all, made.worker))
      return made;
    PD_TRY(auto data, open_data(what));
    made.training = std::move(data.training);
    made.evaluation = std::move(data.evaluation);
    return made;
  }

  result<worker_groups> join(const worker_seat& seat) const {
    const auto where = seat.all->where();
    const int stage = where.stage_of(seat.worker);
    worker_groups made;
    PD_TRY(made.all, join_group(in_, meeting_, "all", host_, seat.worker,
                                where.workers() + 1));
    if (where.replicas(stage) == 1)
      return made;
    PD_TRY(made.replicas,
           join_group(in_, meeting_, "stage " + std::to_string(stage), host_,
                      where.replica_of(seat.worker), where.replicas(stage)));
    return made;
  }

  std::shared_ptr<std::vector<tensor_receiver>> receivers =
    std::make_shared<std::vector<tensor_receiver>>();

private:
  caf::actor_system& in_;
  const registry& ops_;
  std::string host_; ///< under which the other workers reach this one
  rendezvous_actor meeting_;
};

/// What a coordinator started is where that wants it.
result<void> check_listen(const network_address& at, bool is_child) {
  if (is_child || at.host.starts_with("127."))
    return {};
  return error{errc::bad_value,
               "listen: wanted an address of this machine alone, as "
               "127.0.0.1:7400, got '"
                 + to_string(at) + "'"};
}

} // namespace

result<std::unique_ptr<worker_host>>
start_worker_processes(caf::actor_system& in,
                       const std::shared_ptr<const deployment>& all,
                       const std::vector<std::string>& command,
                       worker_places at, const std::atomic<bool>& stop) {
  auto made = std::make_unique<worker_processes>(in, all, std::move(at));
  PD_CHECK(made->start_all(command, stop));
  return std::unique_ptr<worker_host>{std::move(made)};
}

result<void> run_worker_process(const worker_process_options& options,
                                const registry& ops) {
  PD_CHECK(check_listen(options.listen, options.is_child));
  if (options.is_child)
    end_with_standard_input();
  PD_TRY(const auto here, open_board(options.is_child));
  network_config config;
  caf::actor_system in{config};
  worker_process process{in, ops, options.listen.host};
  auto made =
    in.spawn<shell<worker, worker_actor>, caf::detached>(worker_options{
      [&](const deploy_worker& order) { return process.take_seat(order); },
      [&](const worker_seat& seat) { return process.join(seat); },
      process.receivers, here.board, true});
  const auto at = publish(in, made, options.listen);
  if (!at) {
    caf::anon_send_exit(made, caf::exit_reason::user_shutdown);
    return at.failure();
  }
  std::printf("%s%s\n", says_listening.c_str(), to_string(*at).c_str());
  std::fflush(stdout);
  caf::scoped_actor {
    in
    } -> wait_for(made);
  std::fflush(nullptr);
  std::_Exit(EXIT_SUCCESS); // [Note: CAF's traps]
}

} // namespace pd
