/// Networks as PyTorch's exporter writes them give PyTorch's logits and losses
/// (tests/golden/make_onnx.py).

#include "engine/train/onnx_job.hpp"

#include "engine/data/batch.hpp"
#include "engine/job/job_file.hpp"
#include "engine/train/session.hpp"
#include "engine/train/worker_parts.hpp"
#include "engine/train/worker_plan.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/op_harness.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <unistd.h>

using namespace pd;

namespace {

namespace fs = std::filesystem;

const std::string golden_folder = PD_SOURCE_DIR "/tests/golden/onnx";

struct golden_network {
  std::string name;
  job what;
  std::vector<float> logits; ///< of the first microbatch, in evaluation
  std::vector<double> losses;
  std::map<std::string, std::vector<std::int64_t>> parameters;
};

template <class T>
T wanted(result<T> x) {
  if (!x)
    FAIL(x.failure().message);
  return *std::move(x);
}

/// Whose threads no sanitizer mistakes for racers.
job one_threaded(job what) {
  what.run.threads_per_worker = 1;
  return what;
}

golden_network read_golden(const fs::path& path) {
  std::ifstream from{path};
  const auto read = nlohmann::json::parse(from);
  return {
    path.stem().string(),
    one_threaded(wanted(parse_job(read["job"].get<std::string>(),
                                  (path.parent_path() / "x.toml").string()))),
    read["logits"], read["losses"], read["parameters"]};
}

std::vector<golden_network> goldens_in(const std::string& folder) {
  std::vector<fs::path> paths;
  for (const auto& each : fs::directory_iterator{folder})
    if (each.path().extension() == ".json")
      paths.push_back(each.path());
  std::ranges::sort(paths);
  std::vector<golden_network> made;
  for (const auto& each : paths)
    made.push_back(read_golden(each));
  return made;
}

/// The images of the first microbatch.
tensor first_images(const job& what, device& on) {
  const auto data = wanted(open_data(what));
  const auto type = images_type(what);
  const tensor made{wanted(on.memory().allocate(type.bytes())), 0, type, {}};
  std::vector<std::int64_t> indices(
    static_cast<std::size_t>(what.data.microbatch));
  std::iota(indices.begin(), indices.end(), 0);
  std::vector<std::int32_t> labels(indices.size());
  REQUIRE(fill_batch(
    *data.training, {indices},
    {made.data<float>(), static_cast<std::size_t>(made.type.elems())}, labels));
  return made;
}

/// Cuts the network before its loss, so the first stage's output is they.
std::vector<float> logits_of(job what) {
  const auto net = wanted(build_graph(what, all_ops()));
  const auto logits =
    net.nodes[static_cast<std::size_t>(net.nodes.back().inputs[0])].name;
  what.stages = {{.until = logits}, {}};
  const auto all = wanted(deploy(what, {.training = 800}, all_ops()));
  const auto worker = wanted(make_worker(all, 0, all_ops()));
  auto& program = *worker.programs[0];
  const tensor images[]{first_images(what, *worker.on)};
  program.forward(0, images, run_mode::evaluation);
  const auto out = program.output(0);
  out.ready.block();
  return {out.data<float>(), out.data<float>() + out.type.elems()};
}

std::vector<double> losses_of(const job& what) {
  auto with = wanted(open_session(what, all_ops()));
  std::vector<double> found;
  const std::atomic<bool> never{false};
  const auto done = with.loop->run(
    {[&](const update_metrics& at, const train_progress&) -> result<void> {
       found.push_back(at.loss);
       return {};
     },
     [](const train_progress&) {},
     [](const evaluation_metrics&) -> result<void> { return {}; }},
    never);
  if (!done)
    FAIL(done.failure().message);
  return found;
}

/// The largest difference beside the largest number.
template <class T>
double apart(const std::vector<T>& got, const std::vector<T>& wanted) {
  double most = 0;
  double largest = 0;
  REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    REQUIRE(std::isfinite(got[i]));
    most = std::max<double>(most, std::abs(got[i] - wanted[i]));
    largest = std::max<double>(largest, std::abs(wanted[i]));
  }
  return wanted.empty() ? 0 : most / largest;
}

std::map<std::string, std::vector<std::int64_t>> shapes_of(const job& what) {
  std::map<std::string, std::vector<std::int64_t>> made;
  for (const auto& each : wanted(job_weights(what, all_ops())))
    made[each.name] = {each.extents.begin(), each.extents.end()};
  return made;
}

void check(const golden_network& golden, double allowed) {
  INFO(golden.name);
  CHECK(apart(logits_of(golden.what), golden.logits) < allowed);
  if (!golden.losses.empty())
    CHECK(apart(losses_of(golden.what), golden.losses) < allowed);
  if (!golden.parameters.empty())
    CHECK(shapes_of(golden.what) == golden.parameters);
}

job golden_job(const std::string& name) {
  return read_golden(golden_folder + "/" + name + ".json").what;
}

} // namespace

TEST_CASE("exported networks give PyTorch's logits, losses and names",
          "[train][onnx]") {
  const auto all = goldens_in(golden_folder);
  CHECK(all.size() >= 8);
  for (const auto& each : all)
    check(each, 1e-5);
}

TEST_CASE("torchvision's networks through ONNX give PyTorch's figures",
          "[.zoo]") {
  const auto* folder = std::getenv("PD_ONNX_GOLDENS");
  if (folder == nullptr)
    FAIL("started by tests/golden/make_onnx.py --zoo");
  for (const auto& each : goldens_in(folder)) {
    const auto logits = apart(logits_of(each.what), each.logits);
    const auto losses =
      each.losses.empty() ? 0.0 : apart(losses_of(each.what), each.losses);
    std::cout << each.name << ": logits " << logits << ", losses " << losses
              << (each.losses.empty() ? " (none)" : "") << std::endl;
    CHECK(logits < 1e-4);
    CHECK(losses < 1e-4);
    if (!each.parameters.empty())
      CHECK(shapes_of(each.what) == each.parameters);
  }
}

TEST_CASE("weights of a file stand over those of the ONNX file",
          "[train][onnx]") {
  auto what = golden_job("lenet_17");
  auto weights = wanted(job_weights(what, all_ops()));
  for (auto& each : weights)
    std::ranges::fill(each.values, 0.5F);
  const auto path =
    fs::temp_directory_path() / ("onnx_weights" + std::to_string(getpid()));
  REQUIRE(save_weights(weights, path.string()));
  what.model.weights = path.string();
  for (const auto& each : wanted(job_weights(what, all_ops())))
    CHECK(std::ranges::count(each.values, 0.5F)
          == static_cast<std::ptrdiff_t>(each.values.size()));
  fs::remove(path);
}

TEST_CASE("an ONNX network is cut at the names of PyTorch's blocks",
          "[train][onnx]") {
  auto what = golden_job("resnet_17");
  const auto whole = losses_of(what);
  what.stages = {{.until = "layer1"}, {.until = "layer2.0.conv2"}, {}};
  what.schedule.name = "model-parallel";
  CHECK(losses_of(what) == whole);
}

TEST_CASE("label smoothing is an ONNX job's to set", "[train][onnx]") {
  auto what = golden_job("lenet_17");
  const auto plain = losses_of(what)[0];
  what.train.label_smoothing = 0.1;
  CHECK(losses_of(what)[0] != plain);
  CHECK(parse_job(print_job(what), "x.toml"));
}
