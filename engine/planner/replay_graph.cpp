#include "engine/planner/replay_graph.hpp"

#include "engine/planner/pipedream_profile.hpp"

#include <algorithm>
#include <cmath>

namespace pd {

namespace {

/// Whole f32 elements, at least one if there is anything.
std::int64_t elems_of(double bytes) {
  constexpr double elem_bytes = 4;
  return bytes > 0 ? std::max<std::int64_t>(1, std::llround(bytes / elem_bytes))
                   : 0;
}

constexpr const char* logits_name = "replay.logits";
constexpr const char* loss_name = "replay.loss";

class replay_builder {
public:
  explicit replay_builder(const profile& from) : from_{from} {
    made_.name = from.network;
    image_ = add({"replay.image",
                  "input",
                  {{"extents", std::vector<std::int64_t>{1, 1, 1}}},
                  {}});
  }

  graph build() && {
    for (std::size_t i = 0; i < from_.nodes.size(); ++i)
      add_profiled(i);
    const auto logits = add({logits_name,
                             "replay",
                             {{"elems", std::int64_t{2}}, {"is_zero", true}},
                             unused_});
    const auto labels = add({"replay.labels", "labels", {}, {}});
    add({loss_name, "softmax_loss", {}, {logits, labels}});
    return std::move(made_);
  }

private:
  int add(node one) {
    made_.nodes.push_back(std::move(one));
    return static_cast<int>(made_.nodes.size()) - 1;
  }

  void add_profiled(std::size_t index) {
    const auto& x = from_.nodes[index];
    if (is_loader(x)) {
      made_of_.push_back(image_);
      return;
    }
    const auto inputs = inputs_of(x);
    for (const int each : inputs)
      std::erase(unused_, each);
    made_of_.push_back(add({x.name, "replay", settings_of(x), inputs}));
    unused_.push_back(made_of_.back());
  }

  /// Each once; the image if there is none.
  [[nodiscard]] std::vector<int> inputs_of(const profiled_node& x) const {
    std::vector<int> inputs;
    for (const int each : x.inputs)
      inputs.push_back(made_of_[static_cast<std::size_t>(each)]);
    std::ranges::sort(inputs);
    inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
    if (inputs.size() > 1)
      std::erase(inputs, image_);
    if (inputs.empty())
      inputs.push_back(image_);
    return inputs;
  }

  [[nodiscard]] attributes settings_of(const profiled_node& x) const {
    return {{"elems", std::max<std::int64_t>(1, elems_of(output_bytes(x)))},
            {"parameter_elems", elems_of(x.parameter_bytes)},
            {"forward_us", x.forward.us},
            {"backward_input_us", x.backward_input.us},
            {"backward_weight_us", x.backward_weight.us}};
  }

  const profile& from_;
  graph made_;
  int image_ = 0;
  std::vector<int> made_of_; ///< by the profile's node
  std::vector<int> unused_;  ///< whose output nobody has taken yet
};

} // namespace

bool is_replay_end(const std::string& name) {
  return name == logits_name || name == loss_name;
}

graph replay_graph(const profile& x) {
  return replay_builder{x}.build();
}

} // namespace pd
