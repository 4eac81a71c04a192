#include "engine/checkpoint/safetensors.hpp"
#include "engine/graph/registry.hpp"
#include "ops/register.hpp"
#include "tests/support/compare.hpp"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>
#include <omp.h>

using namespace pd;

namespace {

std::unique_ptr<update_rule> make_rule(const optimizer_settings& settings) {
  registry ops;
  register_ops(ops);
  auto made = ops.make_update(settings, device_kind::cpu);
  if (!made)
    FAIL(made.failure().message);
  return std::move(*made);
}

std::string refusal(const optimizer_settings& settings) {
  registry ops;
  register_ops(ops);
  const auto made = ops.make_update(settings, device_kind::cpu);
  return made ? "" : made.failure().message;
}

/// The numbers of one golden: five steps from `start`.
struct golden_steps {
  optimizer_settings settings;
  double lr = 0;
  std::vector<float> start, grads, weights;
  std::size_t elems = 0;
};

safetensors_file goldens() {
  auto file =
    read_safetensors(PD_SOURCE_DIR "/tests/golden/ops/update.safetensors");
  if (!file)
    FAIL(file.failure().message);
  return std::move(*file);
}

golden_steps read_golden(const safetensors_file& file,
                         const std::string& name) {
  const auto as = nlohmann::json::parse(file.metadata.at(name));
  golden_steps made;
  made.lr = as["lr"];
  made.settings = {.name = as["name"],
                   .momentum = as.value("momentum", 0.0),
                   .dampening = as.value("dampening", 0.0),
                   .nesterov = as.value("nesterov", false),
                   .beta1 = as.value("beta1", 0.9),
                   .beta2 = as.value("beta2", 0.999),
                   .eps = as.value("eps", 1e-8),
                   .weight_decay = as.value("weight_decay", 0.0)};
  made.start = *to_f32(*file.find("start"));
  made.grads = *to_f32(*file.find("grads"));
  made.weights = *to_f32(*file.find(name));
  made.elems = made.start.size();
  return made;
}

/// The weights after each step. Gradients are given doubled and scaled by
/// half, as those of a round of two microbatches.
std::vector<float> run(const golden_steps& of,
                       std::vector<bf16>* rounded = nullptr) {
  const auto rule = make_rule(of.settings);
  auto w = of.start;
  std::vector<std::vector<float>> kept(
    static_cast<std::size_t>(rule->moments()), std::vector<float>(of.elems));
  std::vector<float*> moments;
  for (auto& each : kept)
    moments.push_back(each.data());
  std::vector<float> all;
  for (std::size_t at = 0; at < of.grads.size(); at += of.elems) {
    std::vector<float> doubled(of.elems);
    for (std::size_t i = 0; i < of.elems; ++i)
      doubled[i] = 2 * of.grads[at + i];
    rule->apply({.weights = w.data(),
                 .new_weights = w.data(),
                 .new_weights_bf16 = rounded ? rounded->data() : nullptr,
                 .grads = doubled.data(),
                 .moments = moments,
                 .elems = static_cast<std::int64_t>(of.elems),
                 .step = static_cast<std::int64_t>(at / of.elems) + 1,
                 .lr = of.lr,
                 .grad_scale = 0.5});
    all.insert(all.end(), w.begin(), w.end());
  }
  return all;
}

} // namespace

TEST_CASE("the optimizers give PyTorch's numbers over five steps",
          "[ops][update]") {
  const auto file = goldens();
  REQUIRE(file.metadata.size() == 8);
  for (const auto& [name, settings] : file.metadata) {
    INFO(name);
    const auto of = read_golden(file, name);
    const auto got = run(of);
    REQUIRE(got.size() == of.weights.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      REQUIRE(got[i] == Approx(of.weights[i]).epsilon(1e-5).margin(1e-6));
  }
}

TEST_CASE("kernels get the new weights rounded to bf16", "[ops][update]") {
  const auto file = goldens();
  const auto of = read_golden(file, "sgd_momentum");
  std::vector<bf16> rounded(of.elems);
  const auto all = run(of, &rounded);
  for (std::size_t i = 0; i < of.elems; ++i)
    CHECK(rounded[i].bits == bf16{all[all.size() - of.elems + i]}.bits);
}

TEST_CASE("a sum of squares has the same bits for any number of threads",
          "[ops][update]") {
  const auto key = make_random_key(1, "squares");
  std::vector<float> values(100'001);
  double wanted = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = normal(key, i);
    wanted += double{values[i]} * double{values[i]};
  }
  const auto rule = make_rule({});
  omp_set_num_threads(1);
  const auto alone = rule->sum_of_squares(values);
  CHECK(alone == Approx(wanted).epsilon(1e-12));
  for (const int threads : {2, 3, 7}) {
    omp_set_num_threads(threads);
    CHECK(rule->sum_of_squares(values) == alone);
  }
  omp_set_num_threads(2);
}

TEST_CASE("numbers that no optimizer takes are refused", "[ops][update]") {
  CHECK(refusal({.momentum = 1.5})
        == "sgd: wanted momentum from 0 to below 1, got 1.500000");
  CHECK(refusal({.nesterov = true})
        == "sgd: nesterov wants momentum and no dampening");
  CHECK(refusal({.name = "adam", .beta2 = 1})
        == "adam: wanted beta2 from 0 to below 1, got 1.000000");
  CHECK(refusal({.name = "adamw", .eps = 0})
        == "adamw: wanted eps above 0, got 0.000000");
  CHECK(refusal({.weight_decay = -1})
        == "sgd: wanted weight_decay of at least 0, got -1.000000");
  CHECK(refusal({.name = "lamb"})
        == "optimizer 'lamb': wanted one of adam, adamw, sgd");
}
