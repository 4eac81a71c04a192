#include "tests/support/small_pipeline.hpp"

#include "engine/base/random.hpp"
#include "engine/graph/builder.hpp"
#include "tests/support/op_harness.hpp"

#include <catch2/catch.hpp>

namespace pd {

namespace {

constexpr std::int64_t classes = 10;

template <class T>
T value_of(result<T> from) {
  if (!from)
    FAIL(from.failure().message);
  return std::move(*from);
}

std::vector<int> ends_of(const graph& net,
                         const std::vector<std::string>& until) {
  auto names = until;
  names.emplace_back();
  return value_of(stage_ends(net, names));
}

std::int64_t peak(const row& cells, int chunk) {
  std::int64_t now = 0;
  std::int64_t most = 1;
  for (const auto& each : cells) {
    if (each.chunk != chunk)
      continue;
    now += each.kind == act::forward ? 1 : 0;
    now -= is_last_of_backward(each.kind) ? 1 : 0;
    most = std::max(most, now);
  }
  return most;
}

} // namespace

graph small_network(double dropout) {
  graph_builder net{"small"};
  auto x = net.input({3, 12, 12});
  x = net.conv2d("conv1", x, {.out_channels = 20, .kernel = 3, .padding = 1});
  x = net.relu("relu1", net.batch_norm("bn1", x));
  x = net.max_pool("pool1", x, {.kernel = 3, .stride = 2, .padding = 1});
  const auto shortcut =
    net.batch_norm("down.bn", net.conv2d("down.conv", x, {.out_channels = 24}));
  auto y = net.conv2d("conv2", x, {.out_channels = 24});
  y = net.relu("relu2", net.batch_norm("bn2", y));
  y = net.conv2d("conv3", y, {.out_channels = 24, .kernel = 3, .padding = 1});
  x = net.relu("relu3", net.sum("sum3", net.batch_norm("bn3", y), shortcut));
  y = net.conv2d("conv4", x, {.out_channels = 24, .kernel = 3, .padding = 1});
  x = net.relu("relu4", net.sum("sum4", net.batch_norm("bn4", y), x));
  x = net.dropout("drop", net.flatten("flat", net.global_avg_pool("pool2", x)),
                  dropout);
  net.loss(net.linear("fc", x, classes));
  auto made = net.finish();
  REQUIRE(made);
  return *made;
}

optimizer_settings small_rule() {
  return {.momentum = 0.9, .weight_decay = 1e-3};
}

loaded_batch small_batch(device& on, std::int64_t microbatch) {
  const tensor_type images{{small_samples, 3, 12, 12}};
  const tensor_type labels{{small_samples}, dtype::i32};
  loaded_batch made{microbatch, small_samples, {}, {}};
  made.images = {value_of(on.memory().allocate(images.bytes())), 0, images, {}};
  made.labels = {value_of(on.memory().allocate(labels.bytes())), 0, labels, {}};
  const auto key =
    make_random_key(static_cast<std::uint64_t>(microbatch), "batch");
  for (std::int64_t i = 0; i < images.elems(); ++i)
    made.images.data<float>()[i] = normal(key, static_cast<std::uint64_t>(i));
  for (std::int64_t i = 0; i < small_samples; ++i)
    made.labels.data<std::int32_t>()[i] =
      static_cast<std::int32_t>((i * 3 + microbatch) % classes);
  return made;
}

struct small_pipeline::worker {
  std::unique_ptr<device> on;
  std::vector<std::unique_ptr<stage_program>> programs;
  std::vector<std::unique_ptr<optimizer>> updates;
  std::vector<const pipeline_stage*> stages;
  std::vector<std::vector<gradient_bucket>> buckets;
};

small_pipeline::small_pipeline(const schedule_options& how,
                               const std::vector<std::string>& until,
                               small_options options)
  : options_{std::move(options)}, loader_{{.threads = 1}} {
  const auto net = small_network(options_.dropout);
  stages_ =
    value_of(cut_pipeline(net, all_ops(), small_samples, ends_of(net, until)));
  links_ = value_of(links_of(stages_, how.shape));
  auto made = value_of(generate(how));
  made.joint_updates = options_.clip_norm > 0 && stages_.size() > 1;
  all_ = std::make_shared<const timetable>(std::move(made));
  for (int w = 0; w < placement{how.shape}.workers(); ++w) {
    workers_.push_back(std::make_unique<worker>());
    workers_.back()->on =
      options_.open
        ? options_.open()
        : std::make_unique<cpu_device>(device_options{.threads = 1});
    for (int c = 0; c < how.shape.chunks; ++c)
      add_chunk(w, c);
  }
}

void small_pipeline::add_chunk(int index, int chunk) {
  const placement where{all_->shape};
  const auto& cells = all_->rows[static_cast<std::size_t>(index)];
  const auto& stage = stages_[static_cast<std::size_t>(
    where.virtual_stage(where.stage_of(index), chunk))];
  auto& to = *workers_[static_cast<std::size_t>(index)];
  std::set<int> outputs;
  for (const auto& each : stage.departures)
    outputs.insert(each.node);
  const auto in_flight = static_cast<int>(peak(cells, chunk));
  plan_options wanted{.in_flight = in_flight,
                      .splits_backward =
                        all_->schedule.starts_with("zero-bubble"),
                      .half_done = in_flight,
                      .recomputes = options_.recomputes,
                      .seed = small_seed,
                      .handoff_buffers = in_flight + 1};
  auto program = value_of(stage_program::make(
    value_of(plan_stage(stage.net, all_ops(), *to.on, wanted, outputs)), *to.on,
    static_cast<int>(versions_kept(cells))));
  learning_rate_policy rate;
  rate.base = small_rate;
  to.updates.push_back(value_of(optimizer::make(
    {options_.rule, rate, options_.clip_norm}, *program, all_ops(), *to.on)));
  to.buckets.push_back(plan_buckets(program->plan(), options_.bucket_bytes));
  to.programs.push_back(std::move(program));
  to.stages.push_back(&stage);
}

small_pipeline::~small_pipeline() = default;

std::vector<std::vector<row_runner::chunk_parts>> small_pipeline::parts() {
  std::vector<std::vector<row_runner::chunk_parts>> made;
  for (const auto& each : workers_) {
    auto& chunks = made.emplace_back();
    for (std::size_t c = 0; c < each->programs.size(); ++c)
      chunks.push_back({each->programs[c].get(), each->updates[c].get(),
                        each->stages[c], each->buckets[c]});
  }
  return made;
}

named_weights small_pipeline::weights() {
  named_weights found;
  for (const auto& each : workers_)
    for (const auto& program : each->programs)
      for (const auto& which : program->plan().parameters)
        if (!found.contains(which.name))
          found[which.name] = program->read(which);
  return found;
}

pipeline_run small_pipeline::run(int epochs, bool runs_ahead) {
  pipeline_run made;
  oracle runs{parts(), links_};
  for (int epoch = 0; epoch < epochs; ++epoch) {
    const auto first = epoch * all_->microbatches;
    const auto done = runs.run(
      {all_, first}, {.load = [&](std::int64_t k) -> result<loaded_batch> {
                        auto found = batch(first + k);
                        found.microbatch = k;
                        return found;
                      },
                      .on_loss =
                        [&](const loss_figures& of) {
                          made.losses[first + of.microbatch] = of.loss;
                        },
                      .on_update = [](int, std::int64_t,
                                      double) -> result<void> { return {}; },
                      .runs_ahead = runs_ahead});
    if (!done)
      FAIL(done.failure().message);
  }
  made.weights = weights();
  return made;
}

} // namespace pd
