#include "engine/graph/fuse.hpp"

#include <algorithm>
#include <utility>

namespace pd {

namespace {

std::size_t at(int index) {
  return static_cast<std::size_t>(index);
}

bool is_set(const node& of, const char* name) {
  const auto found = of.settings.find(name);
  const auto* flag =
    found == of.settings.end() ? nullptr : std::get_if<bool>(&found->second);
  return flag != nullptr && *flag;
}

/// The setting `p` of a dropout is there, and 0 in either type.
bool is_without_dropout(const node& of) {
  const auto p = of.settings.find("p");
  return p != of.settings.end()
         && (p->second == attribute{0.0}
             || p->second == attribute{std::int64_t{0}});
}

/// Leaves out the nodes that are not `kept` and renumbers the rest. value_of:
/// by old index, the old index of the node that makes the value, if it is kept.
rewritten compact(const graph& from, const std::vector<bool>& kept,
                  const std::vector<int>& value_of) {
  rewritten made{{from.name, {}}, std::vector<int>(from.nodes.size(), -1)};
  std::vector<int> place(from.nodes.size(), -1);
  for (std::size_t i = 0; i < from.nodes.size(); ++i)
    if (kept[i]) {
      place[i] = static_cast<int>(made.net.nodes.size());
      auto moved = from.nodes[i];
      for (auto& input : moved.inputs)
        input = place[at(input)];
      made.net.nodes.push_back(std::move(moved));
    }
  for (std::size_t i = 0; i < value_of.size(); ++i)
    made.index_of[i] = place[at(value_of[i])];
  return made;
}

class fuser {
public:
  fuser(graph from, const std::set<std::string>& visible)
    : net_{std::move(from)}, kept_(net_.nodes.size(), true) {
    for (std::size_t i = 0; i < net_.nodes.size(); ++i) {
      value_of_.push_back(static_cast<int>(i));
      is_visible_.push_back(visible.contains(net_.nodes[i].name));
    }
  }

  rewritten run() {
    const auto all = static_cast<int>(net_.nodes.size());
    for (int i = 0; i < all; ++i)
      if (is_idle(i))
        bypass(i);
    takers_ = count_takers();
    for (int i = 0; i < all; ++i)
      if (net_.nodes[at(i)].op == "relu"
          && net_.nodes[at(i)].inputs.size() == 1)
        fuse_relu(i);
    for (int i = 0; i < all; ++i)
      if (net_.nodes[at(i)].op == "relu6"
          && net_.nodes[at(i)].inputs.size() == 1)
        fuse_relu6(i);
    for (int i = 0; i < all; ++i)
      if (kept_[at(i)] && !is_visible_[at(i)] && net_.nodes[at(i)].op == "add"
          && !is_set(net_.nodes[at(i)], "relu"))
        fuse_residual(i, i, nullptr);
    return compact(net_, kept_, value_of_);
  }

private:
  [[nodiscard]] bool is_idle(int i) const {
    const auto& own = net_.nodes[at(i)];
    return !is_visible_[at(i)] && own.inputs.size() == 1
           && (own.op == "identity"
               || (own.op == "dropout" && is_without_dropout(own)));
  }

  /// Whoever takes the value of node i takes its input instead.
  void bypass(int i) {
    const int input = net_.nodes[at(i)].inputs[0];
    for (auto& each : net_.nodes)
      std::ranges::replace(each.inputs, i, input);
    std::ranges::replace(value_of_, i, input);
    kept_[at(i)] = false;
  }

  [[nodiscard]] std::vector<int> count_takers() const {
    std::vector<int> count(net_.nodes.size(), 0);
    for (std::size_t i = 0; i < net_.nodes.size(); ++i)
      if (kept_[i])
        for (const int input : net_.nodes[i].inputs)
          ++count[at(input)];
    return count;
  }

  /// Invariant (2).
  [[nodiscard]] bool is_inner(int i) const {
    return takers_[at(i)] == 1 && !is_visible_[at(i)];
  }

  void fuse_relu(int relu) {
    const int inner = net_.nodes[at(relu)].inputs[0];
    const auto& made_by = net_.nodes[at(inner)];
    if (!is_inner(inner) || has_clip(made_by))
      return;
    if (made_by.op == "add" && fuse_residual(relu, inner, "relu"))
      return;
    if (made_by.op == "conv2d" || made_by.op == "linear"
        || made_by.op == "batch_norm" || made_by.op == "add")
      put_at(relu, inner, made_by.inputs, "relu");
  }

  void fuse_relu6(int relu) {
    const int inner = net_.nodes[at(relu)].inputs[0];
    const auto& made_by = net_.nodes[at(inner)];
    if (is_inner(inner) && made_by.op == "batch_norm" && !has_clip(made_by))
      put_at(relu, inner, made_by.inputs, "relu6");
  }

  /// batch_norm + add (+ relu), the main branch (input 0) before the other.
  /// end: the relu, or the sum itself.
  bool fuse_residual(int end, int sum, const char* clip) {
    const auto summands = net_.nodes[at(sum)].inputs;
    if (summands.size() != 2)
      return false;
    for (const auto k : {0, 1}) {
      const int branch = summands[at(k)];
      const int other = summands[at(1 - k)];
      if (!is_plain_norm(branch) || !is_inner(branch))
        continue;
      kept_[at(sum)] = false;
      put_at(end, branch, {net_.nodes[at(branch)].inputs[0], other}, clip);
      return true;
    }
    return false;
  }

  [[nodiscard]] bool is_plain_norm(int i) const {
    const auto& own = net_.nodes[at(i)];
    return own.op == "batch_norm" && own.inputs.size() == 1 && !has_clip(own);
  }

  static bool has_clip(const node& of) {
    return is_set(of, "relu") || is_set(of, "relu6");
  }

  /// Puts node `inner` in the place of `end`. Invariant (1). clip: the setting
  /// that it gets; null: none.
  void put_at(int end, int inner, std::vector<int> inputs, const char* clip) {
    auto moved = net_.nodes[at(inner)];
    if (clip != nullptr)
      moved.settings.insert_or_assign(clip, true);
    moved.inputs = std::move(inputs);
    net_.nodes[at(end)] = std::move(moved);
    kept_[at(inner)] = false;
    kept_[at(end)] = true;
  }

  graph net_;
  std::vector<bool> kept_;
  std::vector<int> value_of_; ///< compact's
  std::vector<bool> is_visible_;
  std::vector<int> takers_;
};

// -- place_inputs ------------------------------------------------------------

bool is_loader_input(const node& of) {
  return of.op == "input" && !is_set(of, "activation");
}

bool reads_loader_layout(const node& of) {
  return of.op == "conv2d" || of.op == "linear" || of.op == "flatten"
         || of.op == "to_activation";
}

std::string unused_name(const graph& in, std::string wanted) {
  while (std::ranges::find(in.nodes, wanted, &node::name) != in.nodes.end())
    wanted += "_";
  return wanted;
}

/// By index: a node that takes the value cannot read a loader's layout.
std::vector<bool> find_wanting(const graph& from) {
  std::vector<bool> found(from.nodes.size(), false);
  for (const auto& each : from.nodes)
    if (!reads_loader_layout(each))
      for (const int input : each.inputs)
        found[at(input)] = is_loader_input(from.nodes[at(input)]);
  return found;
}

} // namespace

rewritten place_inputs(const graph& from) {
  const auto is_wanting = find_wanting(from);
  rewritten made{{from.name, {}}, {}};
  std::vector<int> activation_of(from.nodes.size(), -1);
  for (std::size_t i = 0; i < from.nodes.size(); ++i) {
    auto moved = from.nodes[i];
    for (auto& input : moved.inputs) {
      const bool is_placed =
        is_wanting[at(input)] && !reads_loader_layout(moved);
      input = is_placed ? activation_of[at(input)] : made.index_of[at(input)];
    }
    made.index_of.push_back(static_cast<int>(made.net.nodes.size()));
    made.net.nodes.push_back(std::move(moved));
    if (!is_wanting[i])
      continue;
    activation_of[i] = static_cast<int>(made.net.nodes.size());
    made.net.nodes.push_back(
      {unused_name(from, from.nodes[i].name + ".to_activation"),
       "to_activation",
       {},
       {made.index_of[i]}});
  }
  return made;
}

rewritten fuse(const graph& from, const std::set<std::string>& visible) {
  return fuser{from, visible}.run();
}

rewritten fuse(const rewritten& from, const std::set<std::string>& visible) {
  auto made = fuse(from.net, visible);
  auto index_of = from.index_of;
  for (auto& each : index_of)
    each = each < 0 ? -1 : made.index_of[at(each)];
  made.index_of = std::move(index_of);
  return made;
}

} // namespace pd
