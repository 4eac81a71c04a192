#include "actors/local_workers.hpp"

#include "actors/status_board.hpp"
#include "actors/supervise.hpp"
#include "actors/worker.hpp"
#include "engine/comm/local_communicator.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace pd {

namespace {

/// Stage, loader, sync, checkpointer and the worker itself.
constexpr std::size_t actors_per_worker = 5;

/// A handle that owns nothing: who lent the dataset keeps it.
std::shared_ptr<const dataset> lent(const dataset* from) {
  return {from, [](const dataset*) {}};
}

class local_workers final : public worker_host {
public:
  local_workers(caf::actor_system& in, std::shared_ptr<const deployment> all)
    : in_{in},
      all_{std::move(all)},
      board_{std::make_shared<status_board>(
        actors_per_worker * static_cast<std::size_t>(all_->where().workers()))},
      receivers_{std::make_shared<std::vector<tensor_receiver>>(
        static_cast<std::size_t>(all_->where().workers()))} {
    for (auto& each : make_local_group(all_->where().workers() + 1))
      group_.push_back(std::move(each));
    make_replica_groups();
  }

  void spawn(const worker_seat& of) {
    auto seat = of;
    seat.worker = static_cast<int>(workers_.size());
    const auto at = workers_.size();
    workers_.push_back(
      in_.spawn<shell<worker, worker_actor>, caf::detached>(worker_options{
        [seat](const deploy_worker&) -> result<worker_seat> { return seat; },
        [groups = worker_groups{group_[at], replicas_[at]}](
          const worker_seat&) -> result<worker_groups> { return groups; },
        receivers_, board_}));
  }

  [[nodiscard]] const std::vector<worker_actor>& workers() const override {
    return workers_;
  }

  [[nodiscard]] std::string doing(int worker) const override {
    return board_->doing_of(worker);
  }

  result<std::shared_ptr<communicator>> join() override {
    return group_.back();
  }

  void end(bool) override {
    const caf::scoped_actor waiter{in_};
    for (const auto& each : workers_)
      caf::anon_send_exit(each, caf::exit_reason::user_shutdown);
    for (const auto& each : workers_)
      waiter->wait_for(each);
    workers_.clear();
    receivers_->clear();
  }

private:
  void make_replica_groups() {
    const auto where = all_->where();
    for (int stage = 0; stage < where.stages(); ++stage) {
      const int replicas = where.replicas(stage);
      auto group = make_local_group(replicas);
      for (auto& each : group)
        replicas_.push_back(replicas > 1 ? std::move(each) : nullptr);
    }
  }

  caf::actor_system& in_;
  std::shared_ptr<const deployment> all_;
  std::shared_ptr<status_board> board_;
  std::shared_ptr<std::vector<tensor_receiver>> receivers_;
  std::vector<std::shared_ptr<communicator>> group_;    ///< and the client
  std::vector<std::shared_ptr<communicator>> replicas_; ///< by worker
  std::vector<worker_actor> workers_;
};

} // namespace

std::unique_ptr<worker_host> make_local_workers(
  caf::actor_system& in, const std::shared_ptr<const deployment>& all,
  const registry& ops, const dataset* training, const dataset* evaluation) {
  auto made = std::make_unique<local_workers>(in, all);
  for (int w = 0; w < all->where().workers(); ++w)
    made->spawn({all, w, &ops, lent(training), lent(evaluation)});
  return made;
}

} // namespace pd
