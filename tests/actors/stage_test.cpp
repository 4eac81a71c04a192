#include "actors/stage.hpp"

#include "engine/train/worker_parts.hpp"
#include "tests/support/deployed_pipeline.hpp"
#include "tests/support/op_harness.hpp"
#include "tests/support/stepped_system.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace pd;

namespace {

using words = std::vector<std::string>;

/// The stage behind, which notes what comes.
class fake_receiver {
public:
  static inline const char* name = "fake_receiver";

  fake_receiver(tensor_receiver::pointer, words* said) : said_{said} {}

  tensor_receiver::behavior_type make_behavior() {
    return {[this](const activation& x) {
              said_->push_back("F" + std::to_string(x.microbatch) + " of "
                               + std::to_string(x.generation));
            },
            [](const gradient&) {}};
  }

private:
  words* said_;
};

class fake_loader {
public:
  static inline const char* name = "fake_loader";

  explicit fake_loader(data_loader_actor::pointer) {}

  data_loader_actor::behavior_type make_behavior() {
    return {[](const begin_pass&) {}, [](const end_pass_at&) {},
            [](const batches_used&) {}};
  }
};

/// The first of two stages, with two microbatches in flight.
struct stage_in_steps {
  stepped_system system;
  std::shared_ptr<const deployment> all =
    deployed_lenet("[[stage]]\nuntil = 'pool1'\n[[stage]]\n");
  worker_parts parts = make_parts(*all);
  status_board board{1};
  trace_ring spans;
  words said;
  std::shared_ptr<stage_peers> peers = std::make_shared<stage_peers>();
  stage_actor at;

  stage_in_steps() {
    const auto behind = system.spawn<fake_receiver, tensor_receiver>(&said);
    peers->receivers =
      std::make_shared<std::vector<tensor_receiver>>(2, behind);
    peers->loader = system.spawn<fake_loader, data_loader_actor>();
    at = system.spawn<stage, stage_actor>(
      stage_options{all, 0, parts.chunks(*all, 0), peers,
                    &board.add(0, role::stage), &spans});
  }

  static worker_parts make_parts(const deployment& all) {
    auto made = make_worker(all, 0, all_ops());
    REQUIRE(made);
    return *std::move(made);
  }

  void begin(std::int64_t generation) {
    system.send(at, begin_pass{generation, {0, 0, whole_pass, true}});
  }
  void bring(std::int64_t generation, std::int64_t microbatch) {
    const tensor_type type{{4, 1, 12, 12}};
    auto memory = parts.on->memory().allocate(type.bytes());
    REQUIRE(memory);
    system.send(at,
                batch{generation,
                      {microbatch, 4, {*std::move(memory), 0, type, {}}, {}},
                      {}});
  }
  std::string doing() { return board.doing_of(0); }
};

} // namespace

TEST_CASE("a stage keeps its row's order when operands arrive out of order",
          "[actors][stage]") {
  stage_in_steps job;
  job.begin(1);
  job.bring(1, 1);
  job.system.run();
  CHECK(job.said.empty());
  CHECK(job.doing() == "F0 waits for microbatch 0 from the data loader");
  job.bring(1, 0);
  job.system.run();
  CHECK(job.said == words{"F0 of 1", "F1 of 1"});
  CHECK(job.doing()
        == "B0 waits for the gradient of microbatch 0 from stage 1");
}

TEST_CASE("a fact that overtakes its begin_pass waits for it",
          "[actors][stage]") {
  stage_in_steps job;
  job.bring(1, 0);
  job.system.run();
  CHECK(job.said.empty());
  job.begin(1);
  job.system.run();
  CHECK(job.said == words{"F0 of 1"});
}

TEST_CASE("what is left of an older generation does nothing",
          "[actors][stage]") {
  stage_in_steps job;
  job.begin(5);
  job.bring(4, 0);
  job.system.run();
  CHECK(job.said.empty());
  CHECK(job.doing() == "F0 waits for microbatch 0 from the data loader");
}

TEST_CASE("a held stage begins no forward until it is told the end",
          "[actors][stage]") {
  stage_in_steps job;
  job.begin(1);
  job.bring(1, 0);
  job.system.run();
  const caf::scoped_actor self{job.system.system};
  self->send(job.at, hold_pass{1});
  job.system.run();
  self->receive([](const pass_held& at) { CHECK(at.begun == 1); });
  job.bring(1, 1);
  job.system.run();
  CHECK(job.said == words{"F0 of 1"});
  job.system.send(job.at, end_pass_at{1, 2});
  job.system.run();
  CHECK(job.said == words{"F0 of 1", "F1 of 1"});
}

TEST_CASE("every action leaves a span", "[actors][stage]") {
  stage_in_steps job;
  job.begin(1);
  job.bring(1, 0);
  job.bring(1, 1);
  job.system.run();
  const auto spans = job.spans.snapshot();
  REQUIRE(spans.size() == 2);
  CHECK(std::string{spans[1].name} == "forward");
  CHECK(spans[1].index == 1);
  CHECK(spans[1].begin_us >= spans[0].end_us);
}
