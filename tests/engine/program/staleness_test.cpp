/// Theorem 5 of docs/semantics.md: schedules that do not flush give the bits
/// of a reference that keeps every version of the weights.
///
/// The reference is the whole network on one program, a microbatch at a time.
/// It knows no timetable and no rows: before each microbatch it writes each
/// stage's parameters as the formula says, after each round it makes the next
/// version of all of them in a plain loop.

#include "engine/graph/fuse.hpp"
#include "tests/support/op_harness.hpp"
#include "tests/support/small_pipeline.hpp"

#include <catch2/catch.hpp>

#include <functional>

using namespace pd;

namespace {

/// The version that a stage uses for a microbatch; both count within an epoch.
using version_formula = std::function<std::int64_t(int stage, std::int64_t k)>;

/// Which stage a node is of, for stages that end at the nodes `until`.
std::map<std::string, int> stages_of(const std::vector<std::string>& until) {
  std::map<std::string, int> made;
  std::size_t stage = 0;
  for (const auto& each : small_network().nodes) {
    made[each.name] = static_cast<int>(stage);
    if (stage < until.size() && each.name == until[stage])
      ++stage;
  }
  REQUIRE(stage == until.size());
  return made;
}

class every_version {
public:
  /// data: whose batches it trains on.
  every_version(small_pipeline& data, const std::vector<std::string>& until,
                optimizer_settings rule)
    : data_{data}, rule_{std::move(rule)} {
    const auto net =
      infer(fuse(place_inputs(small_network())).net, all_ops(), small_samples);
    REQUIRE(net);
    auto plan = plan_stage(*net, all_ops(), on_, {.seed = small_seed});
    REQUIRE(plan);
    auto made = stage_program::make(std::move(*plan), on_);
    REQUIRE(made);
    program_ = std::move(*made);
    const auto stage_of_node = stages_of(until);
    for (const auto& which : program_->plan().parameters) {
      if (!which.rule.is_trainable)
        continue;
      const auto node = which.name.substr(0, which.name.rfind('.'));
      parameters_.push_back(
        {&which, stage_of_node.at(node), {program_->read(which)}, {}});
    }
  }

  /// round: microbatches of an update.
  pipeline_run run(int epochs, std::int64_t microbatches, std::int64_t round,
                   const version_formula& version) {
    pipeline_run made;
    for (int epoch = 0; epoch < epochs; ++epoch) {
      const auto base = epoch * (microbatches / round);
      for (std::int64_t k = 0; k < microbatches; ++k) {
        for (const auto& each : parameters_)
          program_->write(*each.which,
                          each.versions.at(static_cast<std::size_t>(
                            base + version(each.stage, k))));
        const auto index = epoch * microbatches + k;
        made.losses[index] = train_on(index, k % round > 0);
        if ((k + 1) % round == 0)
          update_all(round);
      }
    }
    made.weights = weights();
    return made;
  }

private:
  struct history {
    const stored_parameter* which = nullptr;
    int stage = 0;
    std::vector<std::vector<float>> versions; ///< all there ever were
    std::vector<float> velocity;
  };

  double train_on(std::int64_t microbatch, bool accumulate) {
    const auto batch = data_.batch(microbatch);
    const std::array inputs{batch.images, batch.labels};
    program_->forward(microbatch, inputs, run_mode::training);
    const double loss{program_->output(microbatch).data<float>()[0]};
    program_->backward(microbatch, accumulate);
    return loss;
  }

  void update_all(std::int64_t round) {
    for (auto& each : parameters_)
      update(each, 1 / static_cast<float>(round));
  }

  /// PyTorch's SGD: g + decay w, its running sum, a step against it.
  void update(history& of, float scale) {
    const auto grad = program_->read_grad(*of.which);
    const auto rate = static_cast<float>(small_rate);
    const auto decay = static_cast<float>(rule_.weight_decay);
    const auto momentum = static_cast<float>(rule_.momentum);
    of.velocity.resize(grad.size());
    auto next = of.versions.back();
    for (std::size_t i = 0; i < next.size(); ++i) {
      const float g = grad[i] * scale + decay * next[i];
      of.velocity[i] = momentum * of.velocity[i] + g;
      next[i] -= rate * of.velocity[i];
    }
    of.versions.push_back(std::move(next));
  }

  named_weights weights() {
    named_weights made;
    for (const auto& which : program_->plan().parameters)
      if (!which.rule.is_trainable)
        made[which.name] = program_->read(which);
    for (const auto& each : parameters_)
      made[each.which->name] = each.versions.back();
    return made;
  }

  small_pipeline& data_;
  optimizer_settings rule_;
  cpu_device on_{{.threads = 1}};
  std::unique_ptr<stage_program> program_;
  std::vector<history> parameters_;
};

/// Cuts into 1 to 4 stages. All but the first cut through a residual, so that
/// edges pass by stages.
const std::vector<std::vector<std::string>> cuts{
  {}, {"relu2"}, {"down.bn", "relu3"}, {"down.bn", "relu2", "relu4"}};

const std::vector<optimizer_settings> rules{{}, small_rule()};

/// Some epochs of `how`, whose shape is set to as many stages as `until` has,
/// and the same by the reference.
struct both_runs {
  pipeline_run got, wanted;

  both_runs(schedule_options how, const std::vector<std::string>& until,
            const optimizer_settings& rule, int epochs,
            const version_formula& version) {
    how.shape.replicas.assign(until.size() + 1, 1);
    small_pipeline cut{how, until, {.rule = rule}};
    got = cut.run(epochs);
    const auto round = cut.all()->rounds[0];
    wanted = every_version{cut, until, rule}.run(epochs, how.microbatches,
                                                 round, version);
  }
};

using formula_maker = std::function<version_formula(int stages)>;

void check_one(const schedule_options& how,
               const std::vector<std::string>& until,
               const optimizer_settings& rule,
               const formula_maker& formula_of) {
  const auto stages = static_cast<int>(until.size()) + 1;
  INFO(how.name << ", " << stages << " stages, momentum " << rule.momentum);
  const both_runs runs{how, until, rule, 2, formula_of(stages)};
  CHECK(runs.got.losses == runs.wanted.losses);
  CHECK(runs.got.weights == runs.wanted.weights);
}

/// Holds `how` against the formula, for all cuts and rules, over two epochs.
void check_all(const schedule_options& how, const formula_maker& formula_of) {
  for (const auto& until : cuts)
    for (const auto& rule : rules)
      check_one(how, until, rule, formula_of);
}

/// max(0, k - (S - 1 - s)), SOSP'19.
version_formula stashed(int stages) {
  return [stages](int s, std::int64_t k) {
    return std::max<std::int64_t>(0, k - (stages - 1 - s));
  };
}

} // namespace

TEST_CASE("pipedream gives the bits of a reference that keeps every version "
          "and applies the staleness formula",
          "[program][theorem]") {
  check_all({.name = "pipedream", .microbatches = 8}, stashed);
}

TEST_CASE("pipedream with vertical sync gives the bits of a reference where "
          "all stages use the first one's version",
          "[program][theorem]") {
  check_all({.name = "pipedream", .microbatches = 8, .vertical_sync = true},
            [](int stages) -> version_formula {
              return [first = stashed(stages)](int, std::int64_t k) {
                return first(0, k);
              };
            });
}

TEST_CASE("pipedream-2bw gives the bits of W(t + 1) = W(t) - v grad f(W(t - "
          "1))",
          "[program][theorem]") {
  check_all({.name = "pipedream-2bw", .microbatches = 16, .round = 4},
            [](int) -> version_formula {
              return [](int, std::int64_t k) {
                return std::max<std::int64_t>(0, k / 4 - 1);
              };
            });
}

TEST_CASE("model-parallel gives the bits of plain SGD", "[program][theorem]") {
  check_all({.name = "model-parallel", .microbatches = 6},
            [](int) -> version_formula {
              return [](int, std::int64_t k) { return k; };
            });
}

TEST_CASE("the first backwards of epoch 2 use the weights that its forwards "
          "used, not what epoch 1 left behind",
          "[program][theorem]") {
  const int stages = 4;
  const std::int64_t n = 6;
  const schedule_options how{.name = "pipedream", .microbatches = n};
  const both_runs drained{how, cuts[3], small_rule(), 2, stashed(stages)};
  CHECK(drained.got == drained.wanted);
  // The pipeline that never drains, and so starts epoch 2 with stale weights.
  small_pipeline data{
    {.name = "model-parallel", .shape = {{1}, 1}, .microbatches = 2 * n}, {}};
  every_version running{data, cuts[3], small_rule()};
  CHECK(running.run(1, 2 * n, 1, stashed(stages)).losses.at(n)
        != drained.got.losses.at(n));
}
