/// Theorem 8 of docs/semantics.md: one stage follows PyTorch's losses from the
/// same weights on the same batches. The goldens hold PyTorch's losses in both
/// of its memory formats (tests/golden/make_training.py).

#include "engine/job/job_file.hpp"
#include "engine/train/session.hpp"
#include "ops/register.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace pd;

namespace {

struct golden_training {
  std::string job_text;
  std::vector<double> contiguous;
  std::vector<double> channels_last;
};

golden_training read_golden(const std::string& model) {
  std::ifstream from{PD_SOURCE_DIR "/tests/golden/training/" + model + ".json"};
  REQUIRE(from);
  const auto read = nlohmann::json::parse(from);
  return {read["job"], read["contiguous"], read["channels_last"]};
}

std::vector<double> train(const std::string& job_text,
                          const std::vector<std::string>& overrides = {}) {
  registry ops;
  register_ops(ops);
  const auto what = parse_job(job_text, "golden.toml", overrides);
  if (!what)
    FAIL(what.failure().message);
  auto with = open_session(*what, ops);
  if (!with)
    FAIL(with.failure().message);
  std::vector<double> losses;
  const train_observer observer{
    [&](const update_metrics& at, const train_progress&) -> result<void> {
      losses.push_back(at.loss);
      return {};
    },
    [](const train_progress&) {},
    [](const evaluation_metrics&) -> result<void> { return {}; }};
  const std::atomic<bool> never{false};
  const auto done = with->loop->run(observer, never);
  if (!done)
    FAIL(done.failure().message);
  return losses;
}

double relative(double x, double wanted) {
  return std::abs(x - wanted) / std::abs(wanted);
}

/// After the first steps rounding grows by itself: how far PyTorch's two ways
/// to add are apart says how much is rounding.
void check_follows(const std::string& model) {
  const auto golden = read_golden(model);
  const auto losses = train(golden.job_text);
  REQUIRE(losses.size() == golden.contiguous.size());
  double rounding = 1e-5;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    INFO(model << ", step " << i << ": loss " << losses[i] << ", PyTorch's "
               << golden.contiguous[i] << " and " << golden.channels_last[i]);
    if (i < 5)
      CHECK(relative(losses[i], golden.contiguous[i]) < 1e-4);
    rounding = std::max(
      rounding, relative(golden.channels_last[i], golden.contiguous[i]));
    CHECK(relative(losses[i], golden.contiguous[i]) < 8 * rounding);
  }
}

void check_follows_in_bf16(const std::string& model) {
  const auto golden = read_golden(model);
  const auto losses = train(golden.job_text, {"run.precision=bf16"});
  REQUIRE(losses.size() == golden.contiguous.size());
  for (std::size_t i = 0; i < losses.size(); ++i) {
    INFO(model << ", step " << i);
    CHECK(relative(losses[i], golden.contiguous[i]) < 2e-2);
  }
}

} // namespace

TEST_CASE("lenet follows PyTorch's losses", "[end_to_end][training]") {
  check_follows("lenet");
}

// [Note: chaotic cases] At 64x64 on Fashion-MNIST PyTorch's float32 is 1e-4 to
// 2e-2 from its own float64 after one update of these three, at any rate tried
// (2e-4 to 2e-2). So beyond the first loss the goldens cannot tell an error
// from rounding. The requirement stands below as it is, and is not met: it
// wants batches on which PyTorch is near itself.

TEST_CASE("deep networks have PyTorch's first loss",
          "[end_to_end][training][slow]") {
  for (const auto* model : {"resnet18", "resnet50", "vgg16_bn"}) {
    const auto golden = read_golden(model);
    const auto losses = train(golden.job_text, {"train.max_microbatches=1"});
    INFO(model);
    REQUIRE(losses.size() == 1);
    CHECK(relative(losses[0], golden.contiguous[0]) < 1e-5);
  }
}

TEST_CASE("resnet18 follows PyTorch's losses",
          "[end_to_end][training][slow][!mayfail]") {
  check_follows("resnet18");
}

TEST_CASE("resnet50 follows PyTorch's losses",
          "[end_to_end][training][slow][!mayfail]") {
  check_follows("resnet50");
}

TEST_CASE("vgg16_bn follows PyTorch's losses",
          "[end_to_end][training][slow][!mayfail]") {
  check_follows("vgg16_bn");
}

TEST_CASE("alexnet follows PyTorch's losses", "[end_to_end][training][slow]") {
  check_follows("alexnet");
}

TEST_CASE("in bf16 shallow networks stay within 2e-2 of PyTorch's losses",
          "[end_to_end][training][slow]") {
  for (const auto* model : {"lenet", "alexnet"})
    check_follows_in_bf16(model);
}

TEST_CASE("in bf16 deep networks stay within 2e-2 of PyTorch's losses",
          "[end_to_end][training][slow][!mayfail]") { // [Note: chaotic cases]
  for (const auto* model : {"resnet18", "resnet50", "vgg16_bn"})
    check_follows_in_bf16(model);
}

TEST_CASE("the same job gives the same bits twice", "[end_to_end][training]") {
  const auto golden = read_golden("lenet");
  CHECK(train(golden.job_text) == train(golden.job_text));
}

TEST_CASE("another seed gives other losses", "[end_to_end][training]") {
  const auto golden = read_golden("lenet");
  CHECK(train(golden.job_text) != train(golden.job_text, {"seed=8"}));
}
