#include "actors/data_loader.hpp"

#include "actors/supervise.hpp"
#include "engine/device/cpu_device.hpp"
#include "engine/train/session.hpp"
#include "engine/train/worker_plan.hpp"
#include "tests/support/deployed_pipeline.hpp"
#include "tests/support/op_harness.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>

#include <deque>

using namespace pd;

namespace {

struct message_config : caf::actor_system_config {
  message_config() { add_message_types<caf::id_block::pd_engine>(); }
};

/// What check says of the loader of a worker.
std::int64_t reported_bytes(const deployment& all, int worker) {
  cpu_device on{{.threads = 1}};
  const auto plans = plan_worker(all, worker, all_ops(), on);
  REQUIRE(plans);
  const auto items = memory_of_worker(all, worker, *plans, all_ops(), on);
  REQUIRE(items);
  const auto found = std::ranges::find(*items, "batches", &memory_item::name);
  return found == items->end() ? 0 : found->bytes;
}

/// A stage that takes batches as late as it can: it waits for all that the
/// loader reads ahead before it lets go of the oldest.
class late_stage {
public:
  late_stage(std::shared_ptr<const deployment> all, int worker, pool& memory)
    : all_{std::move(all)}, worker_{worker} {
    auto data = open_data(all_->what);
    REQUIRE(data);
    data_ = std::move(*data);
    const auto self = caf::actor_cast<stage_actor>(
      caf::actor_cast<caf::strong_actor_ptr>(self_));
    loader_ =
      system_.spawn<shell<data_loader, data_loader_actor>>(data_loader_options{
        all_, worker, data_.training.get(), data_.evaluation.get(), &memory,
        self, &board_.add(worker, role::data_loader)});
  }
  late_stage(const late_stage&) = delete;
  late_stage& operator=(const late_stage&) = delete;
  ~late_stage() {
    caf::anon_send_exit(loader_, caf::exit_reason::user_shutdown);
    self_->wait_for(loader_);
  }

  void take(bool is_training) {
    const auto& pass = is_training ? all_->training : all_->evaluation;
    const auto where = all_->where();
    const auto replicas = where.replicas(where.stage_of(worker_));
    const std::int64_t window{batches_of_worker(*all_, worker_)};
    self_->send(loader_,
                begin_pass{++generation_, {0, 0, whole_pass, is_training}});
    for (std::int64_t k = where.replica_of(worker_); k < pass->microbatches;
         k += replicas) {
      receive(k);
      if (k / replicas + 1 >= window)
        let_go();
    }
    while (!held_.empty())
      let_go();
  }

private:
  void receive(std::int64_t microbatch) {
    self_->receive([this](batch& x) { held_.push_back(std::move(x.value)); });
    CHECK(held_.back().microbatch == microbatch);
  }
  void let_go() {
    held_.pop_front();
    self_->send(loader_, batches_used{generation_, 1});
  }

  std::shared_ptr<const deployment> all_;
  int worker_;
  job_data data_;
  status_board board_{1};
  message_config config_;
  caf::actor_system system_{config_};
  caf::scoped_actor self_{system_};
  data_loader_actor loader_;
  std::deque<loaded_batch> held_;
  std::int64_t generation_ = 0;
};

} // namespace

TEST_CASE("a data loader takes the memory that check reports, and no more",
          "[actors][data_loader]") {
  const auto what = small_job(small_stages({2, 1, 1, 1}));
  auto made = deploy(what, {.training = 99, .evaluation = 99}, all_ops());
  REQUIRE(made);
  const auto all = std::make_shared<const deployment>(std::move(*made));
  for (int worker = 0; worker < all->where().workers(); ++worker) {
    INFO("worker " << worker);
    const auto wanted = reported_bytes(*all, worker);
    CHECK((wanted > 0) == reads_batches(*all, worker));
    if (wanted == 0)
      continue;
    cpu_device on{{.threads = 1}};
    late_stage stage{all, worker, on.memory()};
    for (const bool is_training : {true, false, true}) {
      stage.take(is_training);
      CHECK(on.memory().in_use_bytes() == wanted);
    }
    CHECK(on.memory().peak_bytes() == wanted);
  }
}
