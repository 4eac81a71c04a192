/// Every job that we ship, and its network, is whole.

#include "engine/graph/infer.hpp"
#include "engine/job/graph_file.hpp"
#include "engine/job/job_file.hpp"
#include "engine/models/models.hpp"
#include "engine/onnx/onnx_network.hpp"
#include "ops/register.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <vector>

using namespace pd;

namespace {

namespace fs = std::filesystem;

fs::path graphs() {
  return fs::path{__FILE__}.parent_path() / "../../../graphs";
}

std::vector<std::string> jobs() {
  std::vector<std::string> paths;
  for (const auto& each : fs::directory_iterator{graphs()})
    if (each.path().extension() == ".toml")
      paths.push_back(each.path().string());
  return paths;
}

registry all_ops() {
  registry made;
  register_ops(made);
  return made;
}

result<graph> network_of(const job& from, const registry& ops) {
  if (is_onnx_path(from.model.file)) {
    PD_TRY(auto read, load_onnx(from.model.file,
                                {.classes = from.model.classes,
                                 .height = from.model.image.height,
                                 .width = from.model.image.width,
                                 .channels = from.model.image.channels},
                                ops));
    return std::move(read.net);
  }
  if (!from.model.file.empty())
    return load_graph(from.model.file, from.model.image, &ops);
  return build_model(from.model.name, {.classes = from.model.classes,
                                       .height = from.model.image.height,
                                       .width = from.model.image.width,
                                       .channels = from.model.image.channels});
}

void check_classes(const typed_graph& net, std::int64_t classes) {
  const auto& loss = net.net.nodes.back();
  REQUIRE(loss.op == "softmax_loss");
  const auto logits = static_cast<std::size_t>(loss.inputs.at(0));
  CHECK(net.shapes[logits][1] == classes);
}

bool is_same(const node& a, const node& b) {
  return a.name == b.name && a.op == b.op && a.settings == b.settings
         && a.inputs == b.inputs;
}

/// The first node in which two graphs differ; empty if they are equal.
std::string difference(const graph& a, const graph& b) {
  if (a.name != b.name || a.nodes.size() != b.nodes.size())
    return a.name + " is not " + b.name;
  for (std::size_t i = 0; i < a.nodes.size(); ++i)
    if (!is_same(a.nodes[i], b.nodes[i]))
      return a.nodes[i].name;
  return "";
}

} // namespace

TEST_CASE("every job in graphs loads, and its shapes fit", "[job][graphs]") {
  const auto ops = all_ops();
  CHECK(jobs().size() >= 6);
  for (const auto& path : jobs()) {
    INFO(path);
    const auto read = load_job(path);
    INFO((read ? "" : read.failure().message));
    REQUIRE(read);
    CHECK(read->name == fs::path{path}.stem());
    const auto net = network_of(*read, ops);
    REQUIRE(net);
    const auto typed = infer(*net, ops, read->data.microbatch);
    INFO((typed ? "" : typed.failure().message));
    REQUIRE(typed);
    check_classes(*typed, read->model.classes);
  }
}

TEST_CASE("every built-in model prints to a graph file that reads back equal",
          "[job][graphs]") {
  const auto ops = all_ops();
  for (const auto& each : model_names()) {
    INFO(each.name);
    const auto net = build_model(each.name, each.usual);
    REQUIRE(net);
    const image_extents image{static_cast<int>(each.usual.height),
                              static_cast<int>(each.usual.width),
                              static_cast<int>(each.usual.channels)};
    const auto again = parse_graph(print_graph(*net), "x.toml", image, &ops);
    INFO((again ? "" : again.failure().message));
    REQUIRE(again);
    CHECK(difference(*again, *net).empty());
  }
}
