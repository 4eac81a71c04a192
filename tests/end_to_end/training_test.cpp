/// Theorem 8 of docs/semantics.md: one stage follows PyTorch's losses from the
/// same weights on the same batches (tests/golden/make_training.py, which also
/// says how the batches and rates were chosen).
///
/// The goldens hold PyTorch's losses in both of its memory formats, in float64,
/// and without an update. After the first steps rounding grows by itself: how
/// far PyTorch's two float32 are from its float64 says how much is rounding.

#include "engine/checkpoint/safetensors.hpp"
#include "engine/job/job_file.hpp"
#include "engine/train/session.hpp"
#include "engine/train/weights.hpp"
#include "ops/register.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <unistd.h>
#include <vector>

using namespace pd;

namespace {

using losses_by_step = std::vector<double>;

struct golden_training {
  std::string job_text;
  std::map<std::string, float> fills; ///< end of a name: how it starts
  losses_by_step contiguous;
  losses_by_step channels_last;
  losses_by_step float64;
  losses_by_step untrained;
  /// From weights that were moved by a rounding at random.
  std::vector<losses_by_step> nudged;
  double fresh = 0; ///< first loss in float64, nothing filled
};

golden_training read_golden(const std::string& model) {
  std::ifstream from{PD_SOURCE_DIR "/tests/golden/training/" + model + ".json"};
  REQUIRE(from);
  const auto read = nlohmann::json::parse(from);
  return {read["job"],
          read["fills"],
          read["contiguous"],
          read.value("channels_last", losses_by_step{}),
          read["float64"],
          read["untrained"],
          read.value("nudged", std::vector<losses_by_step>{}),
          read.value("fresh", 0.0)};
}

template <class T>
T wanted(result<T> x) {
  if (!x)
    FAIL(x.failure().message);
  return *std::move(x);
}

void wanted(const result<void>& x) {
  if (!x)
    FAIL(x.failure().message);
}

const registry& all_ops() {
  static const auto ops = [] {
    registry made;
    register_ops(made);
    return made;
  }();
  return ops;
}

job read_job(const std::string& text,
             const std::vector<std::string>& overrides = {}) {
  return wanted(parse_job(text, "golden.toml", overrides));
}

losses_by_step train(const std::string& job_text,
                     const std::vector<std::string>& overrides = {}) {
  const auto what = read_job(job_text, overrides);
  const auto with = wanted(open_session(what, all_ops()));
  losses_by_step losses;
  const train_observer observer{
    [&](const update_metrics& at, const train_progress&) -> result<void> {
      losses.push_back(at.loss);
      return {};
    },
    [](const train_progress&) {},
    [](const evaluation_metrics&) -> result<void> { return {}; }};
  const std::atomic<bool> never{false};
  wanted(with.loop->run(observer, never));
  return losses;
}

/// A file that goes with this object.
struct temporary_file {
  std::string path = std::filesystem::temp_directory_path()
                     / ("pd-training-" + std::to_string(getpid()));

  temporary_file() = default;
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;
  ~temporary_file() { std::filesystem::remove(path); }
};

std::optional<float> find_fill(const std::map<std::string, float>& fills,
                               const std::string& name) {
  for (const auto& [suffix, value] : fills)
    if (name.ends_with(suffix))
      return value;
  return std::nullopt;
}

/// Writes the job's initial weights with those named in `fills` set.
void write_weights(const golden_training& golden, const std::string& path) {
  const auto what = read_job(golden.job_text);
  wanted(save_weights(wanted(job_weights(what, all_ops())), path));
  const auto file = wanted(read_safetensors(path));
  auto tensors = file.tensors;
  std::vector<std::vector<float>> filled;
  filled.reserve(tensors.size()); // views into it follow
  for (auto& each : tensors) {
    const auto fill = find_fill(golden.fills, each.name);
    if (!fill)
      continue;
    filled.emplace_back(each.bytes.size() / sizeof(float), *fill);
    each.bytes = std::as_bytes(std::span{filled.back()});
  }
  REQUIRE(!filled.empty());
  wanted(write_safetensors(path, tensors, file.metadata));
}

losses_by_step train_from_its_weights(const golden_training& golden,
                                      std::vector<std::string> overrides = {}) {
  if (golden.fills.empty())
    return train(golden.job_text, overrides);
  const temporary_file weights;
  write_weights(golden, weights.path);
  overrides.push_back("model.weights=" + weights.path);
  return train(golden.job_text, overrides);
}

double relative(double x, double wanted) {
  return std::abs(x - wanted) / std::abs(wanted);
}

/// What each loss may be from float64's: as in excess() of make_training.py.
losses_by_step allowed(const golden_training& golden) {
  losses_by_step band;
  double rounding = 0;
  for (std::size_t i = 0; i < golden.float64.size(); ++i) {
    rounding =
      std::max({rounding, relative(golden.contiguous[i], golden.float64[i]),
                relative(golden.channels_last[i], golden.float64[i])});
    for (const auto& each : golden.nudged)
      rounding = std::max(rounding, relative(each[i], golden.float64[i]));
    band.push_back(std::max(8 * rounding, 1e-5));
  }
  return band;
}

bool is_within(const losses_by_step& losses, const golden_training& golden) {
  const auto band = allowed(golden);
  for (std::size_t i = 0; i < losses.size(); ++i)
    if (!(relative(losses[i], golden.float64[i]) <= band[i]))
      return false;
  return true;
}

void check_step(const golden_training& golden, std::size_t i, double loss) {
  INFO("step " << i << ": loss " << loss << ", PyTorch's "
               << golden.contiguous[i] << ", " << golden.channels_last[i]
               << ", in float64 " << golden.float64[i]);
  CHECK(relative(loss, golden.float64[i]) <= allowed(golden)[i]);
  if (i < 5)
    CHECK(relative(loss, golden.contiguous[i]) <= 1e-4);
}

void check_bf16_step(const golden_training& golden, std::size_t i,
                     double loss) {
  INFO("step " << i);
  CHECK(relative(loss, golden.contiguous[i]) <= 2e-2);
}

void check_follows(const std::string& model) {
  const auto golden = read_golden(model);
  const auto losses = train_from_its_weights(golden);
  REQUIRE(losses.size() == golden.float64.size());
  for (std::size_t i = 0; i < losses.size(); ++i)
    check_step(golden, i, losses[i]);
  // Else an update that does nothing would pass.
  CHECK(relative(losses.back(), golden.untrained.back()) >= 1e-2);
}

void check_first_step(const golden_training& golden, std::size_t i,
                      double loss) {
  INFO("step " << i << ": loss " << loss << ", PyTorch's "
               << golden.contiguous[i] << ", in float64 " << golden.float64[i]);
  CHECK(relative(loss, golden.contiguous[i]) <= 1e-4);
}

/// Five steps, of a golden that has no more.
void check_begins(const std::string& model) {
  INFO(model);
  const auto golden = read_golden(model);
  const auto losses = train_from_its_weights(golden);
  REQUIRE(losses.size() == 5);
  REQUIRE(golden.contiguous.size() == 5);
  for (std::size_t i = 0; i < losses.size(); ++i)
    check_first_step(golden, i, losses[i]);
  CHECK(relative(losses.back(), golden.untrained.back()) >= 1e-3);
}

void check_follows_in_bf16(const std::string& model) {
  const auto golden = read_golden(model);
  const auto losses = train_from_its_weights(golden, {"run.precision=bf16"});
  REQUIRE(losses.size() == golden.contiguous.size());
  for (std::size_t i = 0; i < losses.size(); ++i)
    check_bf16_step(golden, i, losses[i]);
  // Else an update that does nothing would pass: where training moves the
  // loss by less than 2e-2, the end is nearer to the trained than to the fresh.
  const auto last = golden.contiguous.back();
  CHECK(relative(losses.back(), last)
        < relative(golden.untrained.back(), last) / 2);
}

} // namespace

TEST_CASE("lenet follows PyTorch's losses", "[end_to_end][training]") {
  check_follows("lenet");
}

TEST_CASE("resnet18 follows PyTorch's losses", "[end_to_end][training][slow]") {
  check_follows("resnet18");
}

TEST_CASE("resnet50 follows PyTorch's losses", "[end_to_end][training][slow]") {
  check_follows("resnet50");
}

TEST_CASE("vgg16_bn follows PyTorch's losses", "[end_to_end][training][slow]") {
  check_follows("vgg16_bn");
}

TEST_CASE("alexnet follows PyTorch's losses", "[end_to_end][training][slow]") {
  check_follows("alexnet");
}

TEST_CASE("other models' first losses are PyTorch's",
          "[end_to_end][training][slow]") {
  for (const auto* model : {"resnet34",
                            "resnet101",
                            "resnet152",
                            "resnext50_32x4d",
                            "resnext101_32x8d",
                            "vgg11",
                            "vgg13",
                            "vgg16",
                            "vgg19",
                            "vgg11_bn",
                            "vgg13_bn",
                            "vgg19_bn",
                            "alexnet_lrn",
                            "squeezenet1_0",
                            "squeezenet1_1",
                            "densenet121",
                            "densenet161",
                            "densenet169",
                            "densenet201",
                            "googlenet",
                            "inception_v3",
                            "mobilenet_v2",
                            "mnasnet1_0",
                            "vit_b_16",
                            "vit_b_32",
                            "vit_l_16",
                            "vit_l_32"})
    check_begins(model);
}

TEST_CASE("a fresh resnet50 has PyTorch's first loss",
          "[end_to_end][training][slow]") {
  const auto golden = read_golden("resnet50");
  const auto losses = train(golden.job_text, {"train.max_microbatches=1"});
  REQUIRE(losses.size() == 1);
  CHECK(relative(losses[0], golden.fresh) <= 2e-5);
}

TEST_CASE("losses tell a wrong momentum and a lost weight decay",
          "[end_to_end][training][slow]") {
  const auto* wrong =
    GENERATE("optimizer.momentum=0.891", "optimizer.weight_decay=0");
  for (const auto* model : {"lenet", "resnet18"}) {
    const auto golden = read_golden(model);
    INFO(model << ", " << wrong);
    CHECK_FALSE(is_within(train_from_its_weights(golden, {wrong}), golden));
  }
}

TEST_CASE("lenet in bf16 stays within 2e-2 of PyTorch's losses",
          "[end_to_end][training]") {
  check_follows_in_bf16("lenet");
}

TEST_CASE("resnet18 in bf16 stays within 2e-2 of PyTorch's losses",
          "[end_to_end][training][slow]") {
  check_follows_in_bf16("resnet18");
}

TEST_CASE("resnet50 in bf16 stays within 2e-2 of PyTorch's losses",
          "[end_to_end][training][slow]") {
  check_follows_in_bf16("resnet50");
}

TEST_CASE("vgg16_bn in bf16 stays within 2e-2 of PyTorch's losses",
          "[end_to_end][training][slow]") {
  check_follows_in_bf16("vgg16_bn");
}

TEST_CASE("alexnet in bf16 stays within 2e-2 of PyTorch's losses",
          "[end_to_end][training][slow]") {
  check_follows_in_bf16("alexnet");
}

// Not MNASNet: there PyTorch's own bfloat16 is 2.3e-2 from its float32.
TEST_CASE("other families in bf16 stay within 2e-2 of PyTorch's first losses",
          "[end_to_end][training][slow]") {
  const auto* model =
    GENERATE("resnext50_32x4d", "densenet121", "squeezenet1_1", "googlenet",
             "inception_v3", "mobilenet_v2", "vit_b_16");
  INFO(model);
  const auto golden = read_golden(model);
  const auto losses = train_from_its_weights(golden, {"run.precision=bf16"});
  REQUIRE(losses.size() == golden.contiguous.size());
  for (std::size_t i = 0; i < losses.size(); ++i)
    check_bf16_step(golden, i, losses[i]);
}

TEST_CASE("the same job gives the same bits twice", "[end_to_end][training]") {
  const auto golden = read_golden("lenet");
  CHECK(train(golden.job_text) == train(golden.job_text));
}

TEST_CASE("another seed gives other losses", "[end_to_end][training]") {
  const auto golden = read_golden("lenet");
  CHECK(train(golden.job_text) != train(golden.job_text, {"seed=8"}));
}
