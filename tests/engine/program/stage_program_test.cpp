#include "engine/program/stage_program.hpp"

#include "engine/device/cpu_device.hpp"
#include "engine/graph/builder.hpp"
#include "engine/graph/fuse.hpp"
#include "engine/program/optimizer.hpp"
#include "tests/support/allocation_counter.hpp"
#include "tests/support/late_device.hpp"
#include "tests/support/op_harness.hpp"
#include "tests/support/small_pipeline.hpp"

#include <catch2/catch.hpp>

#include <cstring>
#include <limits>
#include <utility>

using namespace pd;

namespace {

constexpr std::int64_t samples = small_samples;
constexpr std::int64_t classes = 10;

/// The same without what draws on the whole batch or on the microbatch's
/// number, so that microbatches can be compared.
typed_graph typed(bool is_fused = true) {
  const auto net = small_network();
  auto made =
    infer(is_fused ? fuse(place_inputs(net)).net : place_inputs(net).net,
          all_ops(), samples);
  if (!made)
    FAIL(made.failure().message);
  return std::move(*made);
}

std::array<tensor, 2> batch(device& on, const stage_plan& plan,
                            std::uint64_t seed) {
  std::array<tensor, 2> made;
  std::size_t next = 0;
  for (const auto& each : plan.values)
    if (each.is_external) {
      auto memory = on.memory().allocate(each.type.bytes());
      REQUIRE(memory);
      made[next++] = {*memory, 0, each.type, {}};
    }
  const auto key = make_random_key(seed, "batch");
  for (std::int64_t i = 0; i < made[0].type.elems(); ++i)
    made[0].data<float>()[i] = normal(key, static_cast<std::uint64_t>(i));
  for (std::int64_t i = 0; i < samples; ++i)
    made[1].data<std::int32_t>()[i] = static_cast<std::int32_t>(
      (static_cast<std::uint64_t>(i) * 3 + seed) % classes);
  return made;
}

std::unique_ptr<stage_program> make_program(device& on, plan_options options,
                                            int versions = 1,
                                            bool is_fused = true) {
  options.seed = 5;
  auto plan = plan_stage(typed(is_fused), all_ops(), on, options);
  if (!plan)
    FAIL(plan.failure().message);
  auto made = stage_program::make(std::move(*plan), on, versions);
  if (!made)
    FAIL(made.failure().message);
  return std::move(*made);
}

std::unique_ptr<optimizer> make_optimizer(stage_program& program, device& on,
                                          double clip_norm = 0) {
  learning_rate_policy rate;
  rate.base = 0.05;
  auto made =
    optimizer::make({{.momentum = 0.9, .weight_decay = 1e-3}, rate, clip_norm},
                    program, all_ops(), on);
  REQUIRE(made);
  return std::move(*made);
}

float loss_of(stage_program& program, std::int64_t microbatch) {
  const auto out = program.output(microbatch);
  out.ready.block();
  return out.data<float>()[0];
}

using weights = std::vector<std::vector<float>>;

weights all_weights(stage_program& program) {
  weights found;
  for (const auto& each : program.plan().parameters)
    found.push_back(program.read(each));
  return found;
}

weights all_grads(stage_program& program) {
  weights found;
  for (const auto& each : program.plan().parameters)
    if (each.rule.is_trainable)
      found.push_back(program.read_grad(each));
  return found;
}

/// The flat array. @pre nothing is queued that writes it
std::vector<float> stored_grads(stage_program& program) {
  const auto* first = program.weights().gradients();
  return {first, first + program.weights().trainable_elems()};
}

/// In one or in two halves, as the plan says.
void backward(stage_program& program, std::int64_t microbatch, bool accumulate,
              const bucket_watch& watch = {}) {
  if (!program.plan().options.splits_backward)
    return program.backward(microbatch, accumulate, {}, watch);
  program.backward_input(microbatch);
  program.backward_weight(microbatch, accumulate, watch);
}

/// Losses and final weights of some steps on `on`.
struct trained {
  std::vector<float> losses;
  weights end;
  bool operator==(const trained&) const = default;
};

trained train(device& on, int steps = 4, bool is_split = false) {
  const auto program = make_program(on, {.splits_backward = is_split});
  const auto updates = make_optimizer(*program, on);
  trained made;
  for (int i = 0; i < steps; ++i) {
    const auto inputs =
      batch(on, program->plan(), static_cast<std::uint64_t>(i));
    program->forward(i, inputs, run_mode::training);
    made.losses.push_back(loss_of(*program, i));
    backward(*program, i, false);
    updates->step();
  }
  made.end = all_weights(*program);
  return made;
}

/// A stem that a head, whose loss counts `weight`, and the last layer take.
typed_graph with_head(double weight) {
  graph_builder net{"with_head"};
  auto x = net.relu("stem", net.conv2d("conv", net.input({3, 12, 12}),
                                       {.out_channels = 4, .kernel = 3}));
  {
    net.labels();
    const auto head = net.within("head");
    const int wide = net.linear("fc1", net.flatten("flatten", x), 8);
    const int logits = net.linear("fc2", net.relu("relu", wide), classes);
    net.auxiliary_loss("loss", logits, weight);
  }
  net.loss(net.linear("fc", net.flatten("flatten", x), classes));
  auto made = infer(fuse(place_inputs(*net.finish())).net, all_ops(), samples);
  if (!made)
    FAIL(made.failure().message);
  return std::move(*made);
}

/// The stem's gradient of one microbatch.
std::vector<float> stem_grad(double head_weight) {
  cpu_device on;
  auto plan = plan_stage(with_head(head_weight), all_ops(), on, {.seed = 5});
  REQUIRE(plan);
  const auto program = stage_program::make(std::move(*plan), on);
  REQUIRE(program);
  auto& with = **program;
  with.forward(0, batch(on, with.plan(), 1), run_mode::training);
  with.backward(0, false);
  return with.read_grad(with.plan().parameters.front());
}

} // namespace

TEST_CASE("a training step allocates nothing", "[program][stage_program]") {
  cpu_device on{{.threads = 1}};
  const auto program = make_program(on, {});
  const auto updates = make_optimizer(*program, on, 1.0);
  const auto inputs = batch(on, program->plan(), 1);
  const auto step = [&](std::int64_t i) {
    program->forward(i, inputs, run_mode::training);
    const auto loss = program->output(i);
    program->backward(i, false);
    updates->step();
    loss.ready.block();
  };
  step(0);
  const allocation_counter counter;
  for (int i = 1; i < 5; ++i)
    step(i);
  CHECK(counter.count().ours == 0);
}

TEST_CASE("a training step that tells its buckets allocates nothing",
          "[program][stage_program]") {
  cpu_device on{{.threads = 1}};
  const bool is_split = GENERATE(false, true);
  const auto program = make_program(on, {.splits_backward = is_split});
  const auto inputs = batch(on, program->plan(), 1);
  const auto buckets = plan_buckets(program->plan(), 4);
  std::size_t told = 0;
  const bucket_watch watch{buckets, [&told](int, const event&) { ++told; }};
  const auto step = [&](std::int64_t i) {
    program->forward(i, inputs, run_mode::training);
    backward(*program, i, false, watch);
  };
  step(0);
  const allocation_counter counter;
  for (int i = 1; i < 5; ++i)
    step(i);
  CHECK(counter.count().ours == 0);
  CHECK(told == 5 * buckets.size());
}

TEST_CASE("a bucket has its final value after its event, and those behind it "
          "are not begun",
          "[program][stage_program]") {
  late_device late{{.threads = 1}, 3, 20};
  const bool is_split = GENERATE(false, true);
  const auto program = make_program(late, {.splits_backward = is_split});
  const auto inputs = batch(late, program->plan(), 1);
  program->forward(0, inputs, run_mode::training);
  backward(*program, 0, false);
  program->work().synchronize();
  const auto before = stored_grads(*program);
  const auto buckets = plan_buckets(program->plan(), 4);
  std::vector<std::vector<float>> seen;
  program->forward(1, inputs, run_mode::training);
  backward(*program, 1, true, {buckets, [&](int bucket, const event& ready) {
                                 CHECK(std::cmp_equal(bucket, seen.size()));
                                 ready.block();
                                 seen.push_back(stored_grads(*program));
                               }});
  program->work().synchronize();
  const auto after = stored_grads(*program);
  REQUIRE(buckets.size() > 5);
  REQUIRE(seen.size() == buckets.size());
  for (std::size_t b = 0; b < buckets.size(); ++b) {
    const std::span now{seen[b]};
    const auto at = static_cast<std::size_t>(buckets[b].first);
    CHECK(std::ranges::equal(now.subspan(at), std::span{after}.subspan(at)));
    CHECK(std::ranges::equal(now.first(at), std::span{before}.first(at)));
    CHECK(before[at] != after[at]);
  }
}

TEST_CASE("buckets are told when their work is queued, not when it is done",
          "[program][stage_program]") {
  class held_device final : public cpu_device {
  public:
    using cpu_device::cpu_device;
    std::unique_ptr<stream> make_stream() override {
      auto made =
        std::make_unique<late_stream>(1, make_random_key(1, "held"), 0);
      newest = made.get();
      return made;
    }
    late_stream* newest = nullptr;
  };
  held_device on{{.threads = 1}};
  const auto program = make_program(on, {});
  program->forward(0, batch(on, program->plan(), 1), run_mode::training);
  const auto buckets = plan_buckets(program->plan(), 4);
  std::vector<event> told;
  on.newest->hold();
  program->backward(0, false, {}, {buckets, [&told](int, const event& ready) {
                                     told.push_back(ready);
                                   }});
  CHECK(told.size() == buckets.size());
  CHECK(std::ranges::none_of(told, &event::is_done));
  on.newest->release();
  for (const auto& each : told)
    each.block();
}

TEST_CASE("training lowers the loss on one batch", "[program][stage_program]") {
  cpu_device on;
  const auto program = make_program(on, {});
  const auto updates = make_optimizer(*program, on);
  const auto inputs = batch(on, program->plan(), 1);
  std::vector<float> losses;
  for (int i = 0; i < 30; ++i) {
    program->forward(i, inputs, run_mode::training);
    losses.push_back(loss_of(*program, i));
    program->backward(i, false);
    updates->step();
  }
  CHECK(losses.back() < losses.front() / 4);
}

TEST_CASE("a device whose work runs late gives the same bits",
          "[program][stage_program]") {
  cpu_device at_once{{.threads = 1}};
  const auto wanted = train(at_once);
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    late_device late{{.threads = 1}, seed};
    CHECK(train(late) == wanted);
  }
}

TEST_CASE("backward in two halves gives the bits of backward in one",
          "[program][stage_program]") {
  cpu_device on;
  CHECK(train(on, 4, true) == train(on, 4, false));
}

TEST_CASE("fused and unfused networks have the same gradients but for rounding",
          "[program][stage_program]") {
  cpu_device on;
  std::array<weights, 2> grads;
  for (const bool is_fused : {false, true}) {
    const auto program = make_program(on, {}, 1, is_fused);
    const auto inputs = batch(on, program->plan(), 3);
    program->forward(0, inputs, run_mode::training);
    program->backward(0, false);
    grads[is_fused ? 1 : 0] = all_grads(*program);
  }
  REQUIRE(grads[0].size() == grads[1].size());
  for (std::size_t p = 0; p < grads[0].size(); ++p)
    for (std::size_t i = 0; i < grads[0][p].size(); ++i)
      REQUIRE(grads[1][p][i] == Approx(grads[0][p][i]).margin(2e-5));
}

TEST_CASE("microbatches in flight together give the bits of one after another",
          "[program][stage_program]") {
  cpu_device on;
  const auto apart = make_program(on, {.in_flight = 1});
  const auto together = make_program(on, {.in_flight = 3});
  std::vector<std::array<tensor, 2>> inputs;
  for (std::uint64_t i = 0; i < 3; ++i)
    inputs.push_back(batch(on, apart->plan(), i));
  for (int i = 0; i < 3; ++i) {
    apart->forward(i, inputs[static_cast<std::size_t>(i)], run_mode::training);
    apart->backward(i, i > 0);
  }
  for (int i = 0; i < 3; ++i)
    together->forward(i, inputs[static_cast<std::size_t>(i)],
                      run_mode::training);
  for (int i = 0; i < 3; ++i)
    together->backward(i, i > 0);
  CHECK(all_grads(*apart) == all_grads(*together));
}

TEST_CASE("what lay in the arena before does not change a result",
          "[program][stage_program]") {
  cpu_device on;
  const auto program = make_program(on, {});
  const auto inputs = batch(on, program->plan(), 2);
  std::array<weights, 2> grads;
  for (int i = 0; i < 2; ++i) {
    program->forward(i, inputs, run_mode::training);
    const auto out = program->output(i);
    program->backward(i, false);
    grads[static_cast<std::size_t>(i)] = all_grads(*program);
    auto* floats = reinterpret_cast<float*>(out.memory.data());
    std::fill_n(floats, out.memory.bytes() / 4,
                std::numeric_limits<float>::quiet_NaN());
  }
  // Dropout draws by microbatch, so only what it does not touch is equal.
  program->forward(1, inputs, run_mode::evaluation);
  CHECK(loss_of(*program, 1) == loss_of(*program, 1));
  program->release(1);
  for (const auto& each : grads[1])
    for (const auto value : each)
      REQUIRE(std::isfinite(value));
}

TEST_CASE("a backward uses the weights that its forward used",
          "[program][stage_program]") {
  cpu_device on;
  const auto stashing = make_program(on, {.in_flight = 2}, 3);
  const auto fresh = make_program(on, {.in_flight = 2}, 3);
  const auto updates = make_optimizer(*stashing, on);
  const auto first = batch(on, fresh->plan(), 0);
  const auto second = batch(on, fresh->plan(), 1);
  fresh->forward(1, second, run_mode::training);
  fresh->backward(1, false);

  stashing->forward(0, first, run_mode::training);
  stashing->forward(1, second, run_mode::training); // version 0
  stashing->backward(0, false);
  updates->step(); // version 1 is made beside it
  stashing->backward(1, false);
  CHECK(all_grads(*stashing) == all_grads(*fresh));
  CHECK(stashing->weights().newest().number == 1);
}

TEST_CASE("evaluation changes no weight and no statistic",
          "[program][stage_program]") {
  cpu_device on;
  const auto program = make_program(on, {});
  const auto before = all_weights(*program);
  const auto inputs = batch(on, program->plan(), 2);
  program->forward(0, inputs, run_mode::evaluation);
  program->release(0);
  CHECK(all_weights(*program) == before);
}

TEST_CASE("an evaluation leaves auxiliary heads out, and nothing else",
          "[program][stage_program]") {
  cpu_device on;
  auto plan = plan_stage(with_head(0.5), all_ops(), on, {.in_flight = 2});
  REQUIRE(plan);
  for (const auto& each : plan->nodes)
    CHECK(each.is_of_auxiliary_head == each.name.starts_with("head."));
  auto program = stage_program::make(std::move(*plan), on);
  REQUIRE(program);
  const auto& outputs = (*program)->plan().outputs;
  REQUIRE(outputs.size() == 2);
  const auto head_loss = [&](std::int64_t microbatch) {
    return (*program)->output(microbatch, 0).data<float>()[0];
  };
  const auto inputs = batch(on, (*program)->plan(), 1);
  (*program)->forward(0, inputs, run_mode::evaluation);
  CHECK(head_loss(0) == 0); // fresh memory
  const auto evaluated = (*program)->output(0, 1).data<float>()[0];
  (*program)->forward(1, inputs, run_mode::training);
  CHECK(head_loss(1) > 0);
  CHECK((*program)->output(1, 1).data<float>()[0] == evaluated);
  CHECK(evaluated > 0);
}

TEST_CASE("an auxiliary head adds its weight times its gradient",
          "[program][stage_program]") {
  const auto without = stem_grad(0);
  const auto whole = stem_grad(1);
  const auto half = stem_grad(0.5);
  double most = 0;
  for (std::size_t i = 0; i < half.size(); ++i) {
    const double head = double{whole[i]} - without[i];
    most = std::max(most, std::abs(head));
    CHECK(half[i] == Approx(without[i] + head / 2).margin(1e-6));
  }
  CHECK(most > 1e-3); // far above the margin
}

TEST_CASE("clipping keeps the direction and bounds the norm",
          "[program][optimizer]") {
  cpu_device on;
  const auto program = make_program(on, {});
  learning_rate_policy rate;
  rate.base = 1;
  const double most = 0.25;
  auto updates =
    optimizer::make({{.momentum = 0}, rate, most}, *program, all_ops(), on);
  REQUIRE(updates);
  const auto inputs = batch(on, program->plan(), 2);
  program->forward(0, inputs, run_mode::training);
  program->backward(0, false);
  const auto before = all_weights(*program);
  (*updates)->step();
  const auto after = all_weights(*program);
  double squares = 0;
  for (std::size_t p = 0; p < before.size(); ++p)
    if (program->plan().parameters[p].rule.is_trainable)
      for (std::size_t i = 0; i < before[p].size(); ++i)
        squares += std::pow(double{after[p][i]} - double{before[p][i]}, 2);
  CHECK(std::sqrt(squares) == Approx(most).epsilon(1e-3));
}

TEST_CASE("a stage that does not fit its budget says so and takes nothing",
          "[program][stage_program]") {
  cpu_device on{{.memory_bytes = 100'000}};
  auto plan = plan_stage(typed(), all_ops(), on, {});
  REQUIRE(plan);
  const auto made = stage_program::make(std::move(*plan), on);
  REQUIRE_FALSE(made);
  CHECK(made.failure().code == errc::out_of_memory);
  CHECK(on.memory().in_use_bytes() == 0);
}

TEST_CASE("the memory that a plan names is what its program takes",
          "[program][stage_program]") {
  cpu_device on;
  auto plan = plan_stage(typed(), all_ops(), on, {.in_flight = 2});
  REQUIRE(plan);
  const auto items = plan->memory(2, 1);
  std::int64_t named = 0;
  for (const auto& each : items)
    named += each.bytes;
  auto made = stage_program::make(std::move(*plan), on, 2);
  REQUIRE(made);
  const auto updates = make_optimizer(**made, on);
  CHECK(on.memory().in_use_bytes() == named);
}
