#include "engine/job/graph_file.hpp"

#include "engine/base/text.hpp"
#include "engine/job/toml_file.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

namespace pd {

namespace {

constexpr const char* input_name = "input";
constexpr const char* labels_name = "labels";
constexpr const char* loss_op = "softmax_loss";

/// One [[node]], as it was written.
struct node_text {
  std::string name;
  std::string op;
  std::optional<std::vector<std::string>> inputs; ///< empty: the node before
  attributes settings;
  int line = 0;
};

// -- one node ----------------------------------------------------------------

std::string node_label(const node_text& at) {
  return at.name.empty() ? "[[node]]" : "node '" + at.name + "'";
}

error bad_key(const node_text& at, const toml_entry& from,
              const std::string& wanted) {
  return {errc::bad_value, node_label(at) + ": " + from.key + ": wanted "
                             + wanted + ", got " + brief_toml(from.value)};
}

result<void> read_text(const toml_entry& from, node_text& at, std::string& to) {
  const auto* text = std::get_if<std::string>(&from.value);
  const auto is_control = [](char c) {
    return static_cast<unsigned char>(c) < 0x20;
  };
  if (text == nullptr || text->empty()
      || std::ranges::any_of(*text, is_control))
    return bad_key(at, from, "a name");
  to = *text;
  return {};
}

result<void> read_inputs(const toml_entry& from, node_text& at) {
  if (const auto* one = std::get_if<std::string>(&from.value))
    at.inputs = {*one};
  else if (const auto* list =
             std::get_if<std::vector<std::string>>(&from.value))
    at.inputs = *list;
  else
    return bad_key(at, from, "the names of nodes");
  return {};
}

result<void> read_setting(const toml_entry& from, node_text& at) {
  if (std::holds_alternative<std::vector<std::string>>(from.value)
      || std::holds_alternative<std::vector<double>>(from.value))
    return bad_key(at, from, "a number, text or a list of whole numbers");
  std::visit(
    [&](const auto& value) {
      if constexpr (std::is_constructible_v<attribute, decltype(value)>)
        at.settings[from.key] = value;
    },
    from.value);
  return {};
}

result<void> read_entry(const toml_entry& from, node_text& at) {
  if (from.key == "name")
    return {}; // read first, for the messages
  if (from.key == "op")
    return read_text(from, at, at.op);
  if (from.key == "inputs")
    return read_inputs(from, at);
  return read_setting(from, at);
}

result<node_text> read_node(const toml_section& from) {
  node_text made;
  made.line = from.line;
  for (const auto& each : from.entries)
    if (each.key == "name")
      PD_CHECK(read_text(each, made, made.name));
  if (made.name.empty())
    return error{errc::bad_value, "[[node]]: has no name"};
  for (const auto& each : from.entries)
    PD_CHECK(read_entry(each, made));
  if (made.op.empty())
    return error{errc::bad_value, node_label(made) + ": has no op"};
  return made;
}

/// What the job makes, and the engine, is not the file's to name.
result<void> check_reserved(const node_text& at) {
  for (const auto* each : {input_name, labels_name, "to_activation"})
    if (at.name == each || at.op == each)
      return error{errc::bad_value,
                   node_label(at) + ": '" + each
                     + "' is made by the engine and not in a graph file"};
  return {};
}

// -- the graph ---------------------------------------------------------------

/// Puts nodes one after another, by name.
class assembler {
public:
  assembler(std::string name, const image_extents& image, const registry* ops)
    : ops_{ops} {
    made_.name = std::move(name);
    const std::vector<std::int64_t> extents{image.channels, image.height,
                                            image.width};
    append({input_name, input_name, {{"extents", extents}}, {}}, 1);
  }

  result<void> add(const node_text& from) {
    PD_CHECK(check_reserved(from));
    if (has_loss_)
      return error{errc::bad_value, node_label(from) + ": stands after '"
                                      + last_
                                      + "', the loss, which is the "
                                        "last node"};
    if (index_.contains(from.name))
      return error{errc::bad_value, node_label(from) + ": is there twice"};
    PD_CHECK(check_last(from));
    node made{from.name, from.op, from.settings, {}};
    for (const auto& each : from.inputs.value_or(default_inputs(from))) {
      PD_TRY(const int index, find(each, from));
      made.inputs.push_back(index);
    }
    PD_CHECK(check_op(made));
    append(std::move(made), from.line);
    return {};
  }

  /// Errors: with the line in front.
  result<graph> finish(const std::string& path) && {
    if (!has_loss_)
      if (const auto done = add({"loss", loss_op, std::nullopt, {}, 0}); !done)
        return done.failure().within(path);
    const auto takers = made_.consumers();
    for (std::size_t i = 0; i + 1 < takers.size(); ++i)
      if (takers[i].empty() && !is_auxiliary_loss(made_.nodes[i]))
        return error{errc::bad_value, place_text(path, lines_[i]) + ": node '"
                                        + made_.nodes[i].name
                                        + "': no node takes its output"};
    return std::move(made_);
  }

private:
  [[nodiscard]] std::vector<std::string>
  default_inputs(const node_text& of) const {
    if (of.op == loss_op)
      return {last_, labels_name};
    return {last_};
  }

  /// An auxiliary loss is nobody's input.
  [[nodiscard]] result<void> check_last(const node_text& of) const {
    if (of.inputs || !is_after_head_)
      return {};
    return error{errc::bad_value, node_label(of)
                                    + ": wanted inputs, since the node before "
                                      "is the auxiliary loss '"
                                    + last_ + "'"};
  }

  /// Makes the op, and keeps it not, for what is wrong with its settings.
  [[nodiscard]] result<void> check_op(const node& at) const {
    if (ops_ == nullptr)
      return {};
    PD_TRY(const auto rule, ops_->make_op(at));
    return {};
  }

  void append(node made, int line) {
    is_after_head_ = is_auxiliary_loss(made);
    has_loss_ = is_loss(made) && !is_after_head_;
    if (made.name != labels_name)
      last_ = made.name;
    index_[made.name] = static_cast<int>(made_.nodes.size());
    made_.nodes.push_back(std::move(made));
    lines_.push_back(line);
  }

  result<int> find(const std::string& name, const node_text& from) {
    if (name == labels_name && !index_.contains(name))
      append({labels_name, labels_name, {}, {}}, from.line);
    if (const auto at = index_.find(name); at != index_.end())
      return at->second;
    std::vector<std::string> names;
    for (const auto& each : made_.nodes)
      names.push_back(each.name);
    return error{errc::unknown_name, node_label(from) + ": no node '" + name
                                       + "' before it"
                                       + did_you_mean(name, names)};
  }

  const registry* ops_;
  graph made_;
  std::map<std::string, int> index_;
  std::vector<int> lines_; ///< of each node
  std::string last_;       ///< the node before
  bool has_loss_ = false;
  bool is_after_head_ = false; ///< the node before is an auxiliary loss
};

result<std::string> read_name(const toml_section& from,
                              const std::string& path) {
  auto name = std::filesystem::path{path}.stem().string();
  for (const auto& each : from.entries) {
    const auto at = place_text(path, each.line) + ": ";
    if (each.key != "name")
      return error{errc::unknown_name, at + each.key
                                         + ": unknown key; before the first "
                                           "[[node]] there is only 'name'"};
    const auto* text = std::get_if<std::string>(&each.value);
    if (text == nullptr)
      return error{errc::bad_value,
                   at + "name: wanted text, got " + brief_toml(each.value)};
    name = *text;
  }
  return name;
}

result<void> add_section(const toml_section& from, assembler& to) {
  if (from.name != "node" || !from.is_element) {
    const auto written =
      from.is_element ? "[[" + from.name + "]]" : "[" + from.name + "]";
    return error{errc::unknown_name, written + ": wanted [[node]]"};
  }
  PD_TRY(const auto text, read_node(from));
  return to.add(text);
}

// -- printing ----------------------------------------------------------------

std::string print_key(const std::string& key) {
  const auto is_bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  const bool bare = !key.empty() && std::ranges::all_of(key, is_bare);
  return bare ? key : print_toml(key);
}

toml_value to_toml(const attribute& from) {
  return std::visit([](const auto& value) { return toml_value{value}; }, from);
}

std::string print_node(const graph& from, const node& at) {
  std::vector<std::string> inputs;
  for (const int each : at.inputs)
    inputs.push_back(from.nodes[static_cast<std::size_t>(each)].name);
  auto text = "\n[[node]]\nname = " + print_toml(at.name) + "\nop = "
              + print_toml(at.op) + "\ninputs = " + print_toml(inputs) + "\n";
  for (const auto& [name, value] : at.settings)
    text += print_key(name) + " = " + print_toml(to_toml(value)) + "\n";
  return text;
}

} // namespace

result<graph> load_graph(const std::string& path, const image_extents& image,
                         const registry* ops) {
  PD_TRY(const auto text, read_text_file(path));
  return parse_graph(text, path, image, ops);
}

result<graph> parse_graph(std::string_view text, const std::string& path,
                          const image_extents& image, const registry* ops) {
  PD_TRY(const auto document, parse_toml(text, path));
  PD_TRY(const auto name, read_name(document.front(), path));
  if (document.size() == 1)
    return error{errc::bad_value, path + ": wanted at least one [[node]]"};
  assembler made{name, image, ops};
  for (std::size_t i = 1; i < document.size(); ++i)
    if (const auto done = add_section(document[i], made); !done)
      return done.failure().within(place_text(path, document[i].line));
  return std::move(made).finish(path);
}

std::string print_graph(const graph& from) {
  auto text = "name = " + print_toml(from.name) + "\n";
  for (const auto& each : from.nodes)
    if (each.op != input_name && each.op != labels_name)
      text += print_node(from, each);
  return text;
}

} // namespace pd
