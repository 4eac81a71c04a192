#include "engine/planner/profile_file.hpp"

#include "engine/base/text.hpp"
#include "engine/planner/pipedream_profile.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

namespace pd {

namespace {

using json = nlohmann::json;

constexpr const char* format = "pd-engine profile";
constexpr int version = 1;

/// A measured time's key, without "_us" or "_spread_us".
struct time_key {
  const char* name;
  measured_time profiled_node::*field;
};

constexpr std::array time_keys{
  time_key{"forward", &profiled_node::forward},
  time_key{"backward_input", &profiled_node::backward_input},
  time_key{"backward_weight", &profiled_node::backward_weight},
  time_key{"update", &profiled_node::update},
};

std::vector<std::string> keys_of_node() {
  std::vector<std::string> made{"name",
                                "description",
                                "inputs",
                                "activation_bytes",
                                "parameter_bytes",
                                "stash_bytes",
                                "stage"};
  for (const auto& each : time_keys) {
    made.push_back(std::string{each.name} + "_us");
    made.push_back(std::string{each.name} + "_spread_us");
  }
  return made;
}

const std::vector<std::string> keys_of_file{"format", "version",   "network",
                                            "device", "minibatch", "nodes"};

/// What an error shows of a value.
std::string shown(const json& value) {
  constexpr std::size_t most = 40;
  const auto text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return text.size() <= most ? text : text.substr(0, most) + "...";
}

/// One object of the file: its values by key, with where it stands in errors.
class object_reader {
public:
  object_reader(const json& from, std::string where)
    : from_{from}, where_{std::move(where)} {}

  [[nodiscard]] error wrong(const std::string& key, const std::string& wanted,
                            const json& got) const {
    return {errc::bad_value,
            where_ + ": " + key + ": wanted " + wanted + ", got " + shown(got)};
  }

  /// Null if it is not there.
  [[nodiscard]] const json* find(const std::string& key) const {
    const auto found = from_.find(key);
    return found == from_.end() ? nullptr : &*found;
  }

  [[nodiscard]] result<const json*> need(const std::string& key) const {
    if (const auto* found = find(key))
      return found;
    return error{errc::bad_value, where_ + ": wanted a key '" + key + "'"};
  }

  [[nodiscard]] result<void>
  check_keys(const std::vector<std::string>& known) const {
    for (const auto& [key, value] : from_.items())
      if (std::ranges::find(known, key) == known.end())
        return error{errc::unknown_name, where_ + ": no key '" + key + "'"
                                           + did_you_mean(key, known)};
    return {};
  }

  [[nodiscard]] result<std::string> text(const std::string& key) const {
    PD_TRY(const auto* value, need(key));
    if (!value->is_string())
      return wrong(key, "a text", *value);
    return value->get<std::string>();
  }

  [[nodiscard]] result<std::string> text_or_none(const std::string& key) const {
    return find(key) == nullptr ? result<std::string>{""} : text(key);
  }

  [[nodiscard]] result<double> amount(const std::string& key) const {
    PD_TRY(const auto* value, need(key));
    if (!value->is_number() || value->get<double>() < 0)
      return wrong(key, "a number from 0 on", *value);
    return value->get<double>();
  }

  [[nodiscard]] result<double> amount_or_0(const std::string& key) const {
    return find(key) == nullptr ? result<double>{0.0} : amount(key);
  }

  [[nodiscard]] result<std::int64_t> count(const std::string& key) const {
    PD_TRY(const auto* value, need(key));
    if (!value->is_number_integer() || value->get<std::int64_t>() < 0)
      return wrong(key, "a whole number from 0 on", *value);
    return value->get<std::int64_t>();
  }

  [[nodiscard]] result<const json*> list(const std::string& key) const {
    PD_TRY(const auto* value, need(key));
    if (!value->is_array())
      return wrong(key, "a list", *value);
    return value;
  }

private:
  const json& from_;
  std::string where_;
};

// -- a node ------------------------------------------------------------------

result<measured_time> read_time(const object_reader& from, const char* name) {
  measured_time made;
  const std::string key = name;
  PD_TRY(made.us, key == "update" ? from.amount_or_0(key + "_us")
                                  : from.amount(key + "_us"));
  PD_TRY(made.spread_us, from.amount_or_0(key + "_spread_us"));
  return made;
}

/// The node's output, or a list of them.
result<std::vector<double>> read_activations(const object_reader& from) {
  const std::string key = "activation_bytes";
  PD_TRY(const auto* value, from.need(key));
  const auto all = value->is_array() ? *value : json::array({*value});
  std::vector<double> made;
  for (const auto& each : all) {
    if (!each.is_number() || each.get<double>() < 0)
      return from.wrong(key, "numbers from 0 on", each);
    made.push_back(each.get<double>());
  }
  return made;
}

using node_indices = std::map<std::string, int>;

result<std::vector<int>> read_inputs(const object_reader& from,
                                     const node_indices& earlier) {
  PD_TRY(const auto* all, from.list("inputs"));
  std::vector<int> made;
  for (const auto& each : *all) {
    const auto found =
      each.is_string() ? earlier.find(each.get<std::string>()) : earlier.end();
    if (found == earlier.end())
      return from.wrong("inputs", "names of nodes that stand before it", each);
    made.push_back(found->second);
  }
  return made;
}

result<std::optional<int>> read_stage(const object_reader& from) {
  if (from.find("stage") == nullptr)
    return std::optional<int>{};
  PD_TRY(const auto stage, from.count("stage"));
  return std::optional{static_cast<int>(stage)};
}

/// How errors call a node: by its name, or its place if it has none.
std::string where_of(const json& from, std::size_t index) {
  const auto name = from.find("name");
  return name != from.end() && name->is_string()
           ? "node '" + name->get<std::string>() + "'"
           : "node " + std::to_string(index);
}

result<profiled_node> read_node(const json& from, std::size_t index,
                                const node_indices& earlier) {
  if (!from.is_object())
    return error{errc::bad_value, "node " + std::to_string(index)
                                    + ": wanted an object, got " + shown(from)};
  static const auto known = keys_of_node();
  const object_reader values{from, where_of(from, index)};
  PD_CHECK(values.check_keys(known));
  profiled_node made;
  PD_TRY(made.name, values.text("name"));
  PD_TRY(made.description, values.text_or_none("description"));
  PD_TRY(made.inputs, read_inputs(values, earlier));
  for (const auto& each : time_keys) {
    PD_TRY(made.*each.field, read_time(values, each.name));
  }
  PD_TRY(made.activation_bytes, read_activations(values));
  PD_TRY(made.parameter_bytes, values.amount_or_0("parameter_bytes"));
  PD_TRY(made.stash_bytes, values.amount_or_0("stash_bytes"));
  PD_TRY(made.stage, read_stage(values));
  return made;
}

result<void> check_format(const object_reader& from) {
  const auto* name = from.find("format");
  if (name == nullptr || *name != format)
    return error{errc::bad_file, std::string{"wanted \"format\": \""} + format
                                   + "\", got "
                                   + (name == nullptr ? "none" : shown(*name))};
  PD_TRY(const auto found, from.count("version"));
  if (found != version)
    return error{errc::not_supported, "version: wanted "
                                        + std::to_string(version) + ", got "
                                        + std::to_string(found)};
  return {};
}

result<std::vector<profiled_node>> read_nodes(const object_reader& from) {
  PD_TRY(const auto* all, from.list("nodes"));
  std::vector<profiled_node> made;
  node_indices earlier;
  for (const auto& each : *all) {
    PD_TRY(auto node, read_node(each, made.size(), earlier));
    earlier.emplace(node.name, static_cast<int>(made.size()));
    made.push_back(std::move(node));
  }
  return made;
}

result<profile> read_all(const json& from) {
  if (!from.is_object())
    return error{errc::bad_file, "wanted an object, got " + shown(from)};
  const object_reader values{from, "profile"};
  PD_CHECK(check_format(values));
  PD_CHECK(values.check_keys(keys_of_file));
  profile made;
  PD_TRY(made.network, values.text("network"));
  PD_TRY(made.device, values.text_or_none("device"));
  PD_TRY(made.minibatch, values.count("minibatch"));
  PD_TRY(made.nodes, read_nodes(values));
  PD_CHECK(made.validate());
  return made;
}

// -- writing -----------------------------------------------------------------

/// Whole nanoseconds and bytes: what is behind them is noise.
double rounded_us(double us) {
  return std::round(us * 1e3) / 1e3;
}

nlohmann::ordered_json to_json(const profiled_node& from, const profile& in) {
  nlohmann::ordered_json made{{"name", from.name},
                              {"description", from.description}};
  auto& inputs = made["inputs"] = json::array();
  for (const int each : from.inputs)
    inputs.push_back(in.nodes[static_cast<std::size_t>(each)].name);
  for (const auto& each : time_keys) {
    const auto& time = from.*each.field;
    made[std::string{each.name} + "_us"] = rounded_us(time.us);
    made[std::string{each.name} + "_spread_us"] = rounded_us(time.spread_us);
  }
  made["activation_bytes"] = from.activation_bytes;
  made["parameter_bytes"] = from.parameter_bytes;
  made["stash_bytes"] = from.stash_bytes;
  if (from.stage)
    made["stage"] = *from.stage;
  return made;
}

} // namespace

std::string print_profile(const profile& from) {
  const nlohmann::ordered_json head{{"format", format},
                                    {"version", version},
                                    {"network", from.network},
                                    {"device", from.device},
                                    {"minibatch", from.minibatch}};
  auto text = head.dump();
  text.back() = ',';
  text += "\n\"nodes\": [";
  const char* before = "\n";
  for (const auto& each : from.nodes) {
    text += before + to_json(each, from).dump();
    before = ",\n";
  }
  return text + "\n]}\n";
}

result<profile> parse_profile(const std::string& text) {
  try {
    return read_all(json::parse(text));
  } catch (const json::parse_error& fault) {
    return error{errc::bad_file, std::string{"no JSON: "} + fault.what()};
  }
}

result<profile_in_file> read_profile(const std::string& path) {
  std::ifstream from{path};
  std::ostringstream all;
  if (!from || std::filesystem::is_directory(path))
    return error{errc::io, path + ": cannot be read"};
  all << from.rdbuf();
  const auto text = all.str();
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || text[first] != '{') {
    PD_TRY(auto graph, parse_pipedream_graph(text, path));
    return profile_in_file{std::move(graph), false};
  }
  auto made = parse_profile(text);
  if (!made)
    return made.failure().within(path);
  return profile_in_file{*std::move(made), true};
}

result<void> write_profile(const profile& from, const std::string& path) {
  std::ofstream to{path};
  to << (path.ends_with(".txt") ? print_pipedream_graph(from)
                                : print_profile(from));
  to.close();
  if (!to)
    return error{errc::io, path + ": cannot be written"};
  return {};
}

} // namespace pd
