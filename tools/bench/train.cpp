/// Trains a model on one batch after another and prints samples/s: the whole
/// step, forward to update, on batches that are already in memory.
///
///     bench_train --model resnet50 --image 224 --microbatch 16 --limit
///
/// With --limit every step takes a turn with oneDNN's convolutions alone.
/// With --serve it waits for lines "run N" on stdin and answers each with one
/// line of JSON; so another program can take turns with it (versus_pytorch).

#include "engine/base/clock.hpp"
#include "engine/checkpoint/safetensors.hpp"
#include "engine/device/cpu_device.hpp"
#include "engine/graph/fuse.hpp"
#include "engine/models/models.hpp"
#include "engine/program/optimizer.hpp"
#include "engine/train/weights.hpp"
#include "ops/register.hpp"
#include "tools/bench/support/convolution_limit.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

namespace pd {

namespace {

struct bench_options {
  std::string model = "resnet50";
  std::int64_t image = 224;
  std::int64_t channels = 3;
  std::int64_t classes = 1000;
  std::int64_t microbatch = 16;
  int threads = 2;
  std::string precision = "f32";
  double lr = 0.01;
  double dropout = -1;
  int steps = 5;
  int warmup = 1;
  std::string weights;
  std::string batches;
  bool is_serving = false;
  bool shows_limit = false;
};

/// Images and labels that are on the device.
struct batch {
  std::array<tensor, 2> inputs;
};

/// A model that can be trained step by step.
class bench {
public:
  static result<std::unique_ptr<bench>> make(const bench_options& options,
                                             const registry& ops) {
    std::unique_ptr<bench> made{new bench{options}};
    PD_TRY(made->net_, infer_net(options, ops));
    PD_TRY(const auto precision, parse_dtype(options.precision));
    PD_TRY(auto plan, plan_stage(made->net_, ops, made->on_,
                                 {.precision = precision, .seed = 1}));
    PD_TRY(made->program_, stage_program::make(std::move(plan), made->on_));
    if (!options.weights.empty())
      PD_CHECK(load_weights(*made->program_, options.weights,
                            weight_names(*made->program_)));
    learning_rate_policy rate;
    rate.base = options.lr;
    PD_TRY(made->updates_,
           optimizer::make({{.momentum = 0.9, .weight_decay = 1e-4}, rate},
                           *made->program_, ops, made->on_));
    PD_CHECK(options.batches.empty() ? made->draw_batch()
                                     : made->read_batches());
    return made;
  }

  /// One step; returns the loss.
  double step() {
    auto& from = batches_[static_cast<std::size_t>(steps_) % batches_.size()];
    program_->forward(steps_, from.inputs, run_mode::training);
    const auto outputs = program_->plan().outputs.size();
    const auto loss = // those of auxiliary heads come first
      program_->output(steps_, static_cast<int>(outputs) - 1);
    program_->backward(steps_++, false);
    updates_->step();
    program_->work().synchronize();
    return double{loss.data<float>()[0]};
  }

  [[nodiscard]] const typed_graph& net() const { return net_; }
  [[nodiscard]] std::int64_t memory_bytes() {
    return on_.memory().peak_bytes();
  }
  [[nodiscard]] std::string device_text() const { return on_.describe(); }

private:
  explicit bench(const bench_options& options)
    : options_{options}, on_{{.threads = options.threads}} {}

  static result<typed_graph> infer_net(const bench_options& o,
                                       const registry& ops) {
    model_options wanted;
    wanted.classes = o.classes;
    wanted.height = wanted.width = o.image;
    wanted.channels = o.channels;
    if (o.dropout >= 0)
      wanted.dropout = o.dropout;
    PD_TRY(auto net, build_model(o.model, wanted));
    return infer(fuse(place_inputs(net)).net, ops, o.microbatch);
  }

  result<batch> allocate_batch() {
    batch made;
    std::size_t next = 0;
    for (const auto& each : program_->plan().values)
      if (each.is_external) {
        PD_TRY(auto memory, on_.memory().allocate(each.type.bytes()));
        made.inputs[next++] = {std::move(memory), 0, each.type, {}};
      }
    return made;
  }

  result<void> draw_batch() {
    PD_TRY(auto made, allocate_batch());
    const auto key = make_random_key(1, "bench");
    auto* images = made.inputs[0].data<float>();
    for (std::int64_t i = 0; i < made.inputs[0].type.elems(); ++i)
      images[i] = normal(key, static_cast<std::uint64_t>(i));
    auto* labels = made.inputs[1].data<std::int32_t>();
    for (std::int64_t i = 0; i < options_.microbatch; ++i)
      labels[i] = static_cast<std::int32_t>(i % options_.classes);
    batches_.push_back(std::move(made));
    return {};
  }

  result<void> read_batches() {
    PD_TRY(const auto file, read_safetensors(options_.batches));
    for (int i = 0;; ++i) {
      const auto* images = file.find("images" + std::to_string(i));
      const auto* labels = file.find("labels" + std::to_string(i));
      if (images == nullptr || labels == nullptr)
        break;
      PD_TRY(auto made, allocate_batch());
      PD_CHECK(copy_f32(
        *images, {made.inputs[0].data<float>(),
                  static_cast<std::size_t>(made.inputs[0].type.elems())}));
      PD_TRY(const auto classes, to_i64(*labels));
      std::ranges::copy(classes, made.inputs[1].data<std::int32_t>());
      batches_.push_back(std::move(made));
    }
    if (batches_.empty())
      return error{errc::bad_file,
                   options_.batches + ": no tensors images0, labels0"};
    return {};
  }

  bench_options options_;
  cpu_device on_;
  typed_graph net_;
  std::unique_ptr<stage_program> program_;
  std::unique_ptr<optimizer> updates_;
  std::vector<batch> batches_;
  std::int64_t steps_ = 0;
};

std::int64_t peak_process_bytes() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return std::int64_t{used.ru_maxrss} * 1024;
}

struct steps_run {
  std::vector<double> seconds;
  std::vector<double> losses;
};

void run_steps(bench& on, int steps, steps_run& to) {
  for (int i = 0; i < steps; ++i) {
    const auto begin = now_us();
    to.losses.push_back(on.step());
    to.seconds.push_back(seconds_since(begin));
  }
}

std::string json_of(const steps_run& ran) {
  return nlohmann::json{{"seconds", ran.seconds},
                        {"losses", ran.losses},
                        {"peak_process_bytes", peak_process_bytes()}}
    .dump();
}

void serve(bench& on) {
  std::cout << "ready" << std::endl;
  std::string order;
  for (int steps = 0; std::cin >> order >> steps && order == "run";) {
    steps_run ran;
    run_steps(on, steps, ran);
    std::cout << json_of(ran) << std::endl;
  }
}

double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void print_rate(bench& on, const bench_options& options, const steps_run& ran) {
  const auto median = median_of(ran.seconds);
  fmt::print("{} {}x{} microbatch {} {} {}: {:.1f} ms a step (median of {}), "
             "{:.2f} samples/s, last loss {:.4f}\n",
             options.model, options.image, options.image, options.microbatch,
             options.precision, on.device_text(), median * 1e3, options.steps,
             static_cast<double>(options.microbatch) / median,
             ran.losses.back());
}

void print_memory(bench& on) {
  fmt::print("memory: {:.1f} MiB planned and allocated, {:.1f} MiB peak of the "
             "process\n",
             static_cast<double>(on.memory_bytes()) / (1 << 20),
             static_cast<double>(peak_process_bytes()) / (1 << 20));
}

void print_limit(const bench_options& options, const steps_run& ran,
                 const std::vector<double>& limits) {
  const auto median = median_of(limits);
  std::vector<double> percents(limits.size());
  std::ranges::transform(
    limits, ran.seconds, percents.begin(),
    [](double limit, double s) { return 100 * limit / s; });
  const auto [least, most] = std::ranges::minmax(percents);
  fmt::print("convolutions alone: {:.1f} ms a step, {:.2f} samples/s\n",
             median * 1e3, static_cast<double>(options.microbatch) / median);
  fmt::print("{:.1f} % of the convolution limit (median of {} turns, {:.1f} to "
             "{:.1f})\n",
             median_of(percents), percents.size(), least, most);
}

void run_alone(bench& on, const bench_options& options) {
  steps_run ran;
  run_steps(on, options.steps, ran);
  print_rate(on, options, ran);
  print_memory(on);
}

/// A step and the convolutions alone in turns. Each step is held against the
/// limit of its own turn, since a shared machine's speed changes.
result<void> run_with_limit(bench& on, const bench_options& options) {
  const auto type = options.precision == "bf16" ? dtype::bf16 : dtype::f32;
  PD_TRY(auto limit, convolution_limit::make(on.net(), type, options.threads));
  steps_run ran;
  std::vector<double> limits;
  for (int i = 0; i < options.steps; ++i) {
    run_steps(on, 1, ran);
    limits.push_back(limit.run_s());
  }
  print_rate(on, options, ran);
  print_limit(options, ran, limits);
  return {};
}

result<void> run_orders(bench& on, const bench_options& options) {
  if (options.is_serving) {
    serve(on);
    return {};
  }
  steps_run warmup;
  run_steps(on, options.warmup, warmup);
  if (options.shows_limit)
    return run_with_limit(on, options);
  run_alone(on, options);
  return {};
}

void add_options(CLI::App& app, bench_options& to) {
  app.add_option("--model", to.model)->capture_default_str();
  app.add_option("--image", to.image, "height and width")
    ->capture_default_str();
  app.add_option("--channels", to.channels)->capture_default_str();
  app.add_option("--classes", to.classes)->capture_default_str();
  app.add_option("--microbatch", to.microbatch)->capture_default_str();
  app.add_option("--threads", to.threads)->capture_default_str();
  app.add_option("--precision", to.precision, "f32 or bf16")
    ->capture_default_str();
  app.add_option("--lr", to.lr)->capture_default_str();
  app.add_option("--dropout", to.dropout, "instead of the model's own");
  app.add_option("--steps", to.steps, "to take the median of; at least 1")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app.add_option("--warmup", to.warmup)->capture_default_str();
  app.add_option("--weights", to.weights, "safetensors to start from");
  app.add_option("--batches", to.batches,
                 "safetensors with images0, labels0, images1 ...");
  app.add_flag("--serve", to.is_serving, "take orders from stdin");
  app.add_flag("--limit", to.shows_limit, "measure the convolutions too");
}

int run(int argc, char** argv) try {
  bench_options options;
  CLI::App app{"bench_train: samples/s of a training step"};
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);
  registry ops;
  register_ops(ops);
  auto made = bench::make(options, ops);
  const auto done =
    made ? run_orders(**made, options) : result<void>{made.failure()};
  if (!done) {
    fmt::print(stderr, "bench_train: error: {}\n", done.failure().message);
    return 2;
  }
  return 0;
} catch (const std::exception& fault) { // oneDNN, or the memory gave out
  fmt::print(stderr, "bench_train: error: {}\n", fault.what());
  return 2;
}

} // namespace

} // namespace pd

int main(int argc, char** argv) {
  return pd::run(argc, argv);
}
