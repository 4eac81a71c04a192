#include "engine/planner/running_nodes.hpp"

#include "engine/models/models.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace pd;

namespace {

std::string text_of(const std::vector<running_node>& all) {
  std::string text;
  for (const auto& each : all)
    text += each.name + "=" + each.until + " ";
  return text;
}

} // namespace

TEST_CASE("a fused node is called by the last of its parts",
          "[planner][running_nodes]") {
  graph net{"net",
            {{"image", "input", {}, {}},
             {"conv", "conv2d", {}, {0}},
             {"bn", "batch_norm", {}, {1}},
             {"drop", "dropout", {{"p", 0.0}}, {2}},
             {"relu", "relu", {}, {3}},
             {"same", "identity", {}, {4}},
             {"fc", "linear", {}, {5}}}};
  CHECK(text_of(running_nodes(net)) == "image=image conv=conv bn=same fc=fc ");
}

TEST_CASE("a reorder of what the loader brings has no name in the network",
          "[planner][running_nodes]") {
  graph net{"net", {{"image", "input", {}, {}}, {"bn", "batch_norm", {}, {0}}}};
  const auto all = running_nodes(net);
  CHECK(text_of(all) == "image=image image.to_activation= bn=bn ");
  CHECK(all[0].is_from_loader);
  CHECK_FALSE(all[1].is_from_loader);
}

TEST_CASE("names of running nodes ascend in every model, so each can end a "
          "stage",
          "[planner][running_nodes]") {
  for (const auto* name : {"lenet", "resnet18", "resnet50", "mobilenet_v2",
                           "densenet121", "googlenet", "squeezenet1_0"}) {
    INFO(name);
    const auto net = build_model(name, {});
    REQUIRE(net);
    int last = -1;
    for (const auto& each : running_nodes(*net)) {
      if (each.until.empty())
        continue;
      const auto place = net->find(each.until);
      REQUIRE(place);
      CHECK(*place > last);
      last = *place;
    }
  }
}
