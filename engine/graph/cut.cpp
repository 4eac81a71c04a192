#include "engine/graph/cut.hpp"

#include <algorithm>
#include <set>

namespace pd {

namespace {

std::size_t at(int index) {
  return static_cast<std::size_t>(index);
}

class cutter {
public:
  cutter(const typed_graph& whole, int first, int last)
    : whole_{whole}, first_{first}, last_{last} {
    made_.net.name = whole.net.name;
    made_.index_of.assign(whole.net.nodes.size(), -1);
  }

  result<stage_graph> run() {
    for (const int producer : values_from_before())
      PD_CHECK(add_placeholder(producer));
    for (int i = first_; i < last_; ++i)
      add_node(i);
    find_outputs();
    return std::move(made_);
  }

private:
  [[nodiscard]] const node& whole_node(int i) const {
    return whole_.net.nodes[at(i)];
  }

  /// True for what a loader makes; a placeholder of an earlier cut is none.
  [[nodiscard]] bool is_from_loader(int i) const {
    const auto activation = whole_node(i).settings.find("activation");
    return whole_.ops[at(i)]->is_source()
           && (activation == whole_node(i).settings.end()
               || activation->second != attribute{true});
  }

  [[nodiscard]] std::set<int> values_from_before() const {
    std::set<int> found;
    for (int i = first_; i < last_; ++i)
      for (const int input : whole_node(i).inputs)
        if (input < first_)
          found.insert(input);
    return found;
  }

  result<void> add_placeholder(int producer) {
    made_.index_of[at(producer)] = static_cast<int>(made_.net.nodes.size());
    if (is_from_loader(producer)) {
      made_.net.nodes.push_back(whole_node(producer));
      return {};
    }
    const auto& extents = whole_.shapes[at(producer)];
    const auto& name = whole_node(producer).name;
    if (extents.rank() < 2)
      return error{errc::bad_shape, "node '" + name + "': a value "
                                      + to_string(extents)
                                      + " cannot go to another stage"};
    made_.inputs.push_back({producer, made_.index_of[at(producer)]});
    const std::vector<std::int64_t> sample(extents.begin() + 1, extents.end());
    made_.net.nodes.push_back(
      {name, "input", {{"extents", sample}, {"activation", true}}, {}});
    return {};
  }

  void add_node(int i) {
    auto moved = whole_node(i);
    for (auto& input : moved.inputs)
      input = made_.index_of[at(input)];
    made_.index_of[at(i)] = static_cast<int>(made_.net.nodes.size());
    made_.net.nodes.push_back(std::move(moved));
  }

  void find_outputs() {
    std::set<int> found;
    for (int i = last_; i < static_cast<int>(whole_.net.nodes.size()); ++i)
      for (const int input : whole_node(i).inputs)
        if (input >= first_ && input < last_ && !is_from_loader(input))
          found.insert(made_.index_of[at(input)]);
    made_.outputs.assign(found.begin(), found.end());
  }

  const typed_graph& whole_;
  int first_, last_;
  stage_graph made_;
};

} // namespace

result<stage_graph> cut(const typed_graph& whole, int first, int last) {
  const auto all = static_cast<int>(whole.net.nodes.size());
  if (first < 0 || first >= last || last > all)
    return error{errc::bad_value, whole.net.name + ": cannot cut out nodes "
                                    + std::to_string(first) + " to "
                                    + std::to_string(last) + " (exclusive) of "
                                    + std::to_string(all)};
  return cutter{whole, first, last}.run();
}

} // namespace pd
