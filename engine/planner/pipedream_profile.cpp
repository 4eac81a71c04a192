#include "engine/planner/pipedream_profile.hpp"

#include "engine/base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <queue>
#include <tuple>
#include <utility>

namespace pd {

namespace {

constexpr std::string_view separator = " -- ";

std::vector<std::string> split_by(std::string_view text,
                                  std::string_view between) {
  std::vector<std::string> parts;
  for (auto at = text.find(between); at != std::string_view::npos;
       at = text.find(between)) {
    parts.emplace_back(text.substr(0, at));
    text.remove_prefix(at + between.size());
  }
  parts.emplace_back(text);
  return parts;
}

// -- numbers -----------------------------------------------------------------

/// 10^shift times the number: the text is read as if it had that exponent, so
/// no digit is lost.
result<double> read_amount(const std::string& text, int shift) {
  const auto whole = shift == 0 ? text : text + "e" + std::to_string(shift);
  double value = 0;
  const auto* end = whole.data() + whole.size();
  const auto [stop, status] = std::from_chars(whole.data(), end, value);
  if (status != std::errc{} || stop != end || !std::isfinite(value)
      || value < 0)
    return error{errc::bad_file,
                 "wanted a number from 0 on, got '" + text + "'"};
  return value;
}

/// The number divided by 10^shift, with `least` digits after the point or as
/// many as it takes to read it back.
std::string print_amount(double value, int shift, std::size_t least) {
  std::array<char, 400> digits{};
  const auto printed =
    std::to_chars(digits.data(), digits.data() + digits.size(), value,
                  std::chars_format::fixed);
  std::string text{digits.data(), printed.ptr};
  auto point = std::min(text.find('.'), text.size());
  auto fraction = point < text.size() ? text.substr(point + 1) : "";
  auto whole = text.substr(0, point);
  const auto zeros = static_cast<std::size_t>(shift);
  if (whole.size() <= zeros)
    whole.insert(0, zeros + 1 - whole.size(), '0');
  fraction.insert(0, whole.substr(whole.size() - zeros));
  whole.resize(whole.size() - zeros);
  while (!fraction.empty() && fraction.back() == '0')
    fraction.pop_back();
  fraction.resize(std::max(fraction.size(), least), '0');
  return whole + "." + fraction;
}

// -- reading -----------------------------------------------------------------

/// The number that a node's id ends with, for the order of nodes.
std::int64_t number_of(const std::string& id) {
  const auto last = id.find_last_not_of("0123456789");
  const auto from = last == std::string::npos ? 0 : last + 1;
  std::int64_t number = -1;
  std::from_chars(id.data() + from, id.data() + id.size(), number);
  return number;
}

class graph_reader {
public:
  explicit graph_reader(const std::string& path) : path_{path} {}

  result<profile> read(std::string_view text) {
    int line = 0;
    for (auto each : split(text, '\n')) {
      ++line;
      if (!each.empty() && each.back() == '\r')
        each.pop_back();
      if (each.find_first_not_of(" \t") == std::string::npos)
        continue;
      if (const auto read = read_line(each, line); !read)
        return read.failure().within(path_ + ":" + std::to_string(line));
    }
    if (nodes_.empty())
      return error{errc::bad_file, path_ + ": wanted nodes, got none"};
    PD_CHECK(connect());
    return order();
  }

private:
  struct edge_line {
    std::string from;
    std::string to;
    int line = 0;
  };

  static error broken(const std::string& what) {
    return {errc::bad_file, what};
  }

  result<void> read_line(const std::string& text, int line) {
    return text.front() == '\t' ? read_edge(text.substr(1), line)
                                : read_node(text, line);
  }

  result<void> read_edge(const std::string& text, int line) {
    const auto ends = split_by(text, separator);
    if (ends.size() != 2)
      return broken("wanted an edge 'source -- destination', got '" + text
                    + "'");
    edges_.push_back({ends[0], ends[1], line});
    return {};
  }

  result<void> read_node(const std::string& text, int line) {
    const auto fields = split_by(text, separator);
    if (fields.size() != 3 && fields.size() != 4)
      return broken("wanted 'id -- description -- times and sizes', got "
                    + std::to_string(fields.size()) + " fields");
    profiled_node made;
    made.name = fields[0];
    made.description = fields[1];
    PD_CHECK(read_amounts(fields[2], made));
    if (fields.size() == 4)
      PD_CHECK(read_stage(fields[3], made));
    const auto [known, is_new] =
      index_of_.try_emplace(made.name, static_cast<int>(nodes_.size()));
    if (made.name.empty() || !is_new)
      return broken("wanted a node id that is not taken, got '" + made.name
                    + "' again");
    nodes_.push_back(std::move(made));
    lines_.push_back(line);
    return {};
  }

  static result<void> read_amounts(const std::string& text, profiled_node& to) {
    constexpr std::array keys{"forward_compute_time", "backward_compute_time",
                              "activation_size", "parameter_size"};
    const auto fields = split_by(text, ", ");
    std::array<std::string, keys.size()> values;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto start = std::string{keys[i]} + "=";
      if (fields.size() != keys.size() || !fields[i].starts_with(start))
        return broken("wanted 'forward_compute_time=, backward_compute_time=, "
                      "activation_size=, parameter_size=', got '"
                      + text + "'");
      values[i] = fields[i].substr(start.size());
    }
    PD_TRY(to.parameter_bytes, named(keys[3], read_amount(values[3], 0)));
    PD_TRY(to.forward.us, named(keys[0], read_amount(values[0], 3)));
    PD_TRY(const double backward, named(keys[1], read_amount(values[1], 3)));
    part_backward(backward, to);
    return read_activations(values[2], to);
  }

  static result<double> named(const char* key, result<double> read) {
    if (!read)
      return read.failure().within(key);
    return read;
  }

  static void part_backward(double us, profiled_node& to) {
    const bool is_halved = to.parameter_bytes > 0;
    to.backward_input.us = is_halved ? us / 2 : us;
    to.backward_weight.us = is_halved ? us / 2 : 0;
  }

  static result<void> read_activations(const std::string& text,
                                       profiled_node& to) {
    const bool is_list = text.starts_with('[');
    if (is_list && (text.size() < 2 || text.back() != ']'))
      return broken("activation_size: wanted a list [a; b], got '" + text
                    + "'");
    const auto inner = is_list ? text.substr(1, text.size() - 2) : text;
    for (const auto& each : split_by(inner, "; ")) {
      PD_TRY(const double bytes,
             named("activation_size", read_amount(each, 0)));
      to.activation_bytes.push_back(bytes);
    }
    const bool is_in_place = to.description.find("inplace") != text.npos;
    to.stash_bytes = is_in_place ? 0 : output_bytes(to);
    return {};
  }

  static result<void> read_stage(const std::string& text, profiled_node& to) {
    const std::string start = "stage_id=";
    int stage = -1;
    const auto* end = text.data() + text.size();
    if (text.starts_with(start)) {
      const auto read = std::from_chars(text.data() + start.size(), end, stage);
      if (read.ptr != end)
        stage = -1;
    }
    if (stage < 0)
      return broken("wanted 'stage_id=' and a number from 0 on, got '" + text
                    + "'");
    to.stage = stage;
    return {};
  }

  result<int> find(const std::string& id) const {
    const auto found = index_of_.find(id);
    if (found != index_of_.end())
      return found->second;
    std::vector<std::string> ids;
    for (const auto& each : nodes_)
      ids.push_back(each.name);
    return error{errc::bad_file, "wanted an edge between nodes, got '" + id
                                   + "'" + did_you_mean(id, ids)};
  }

  /// Edges may stand before their nodes, so they are joined at the end.
  result<void> connect() {
    takers_.resize(nodes_.size());
    for (const auto& each : edges_) {
      const auto where = path_ + ":" + std::to_string(each.line);
      const auto from = find(each.from);
      const auto to = find(each.to);
      if (!from || !to)
        return (from ? to : from).failure().within(where);
      if (*from == *to)
        return broken("wanted an edge between two nodes, got '" + each.from
                      + "' to itself")
          .within(where);
      takers_[static_cast<std::size_t>(*from)].push_back(*to);
      nodes_[static_cast<std::size_t>(*to)].inputs.push_back(*from);
    }
    return {};
  }

  /// What is ready to come next, the least number first.
  using waiting = std::tuple<std::int64_t, std::string, int>;

  [[nodiscard]] waiting ticket(int i) const {
    const auto& name = nodes_[static_cast<std::size_t>(i)].name;
    return {number_of(name), name, i};
  }

  /// Kahn's algorithm.
  result<profile> order() {
    std::priority_queue<waiting, std::vector<waiting>, std::greater<>> ready;
    std::vector<std::size_t> missing(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      missing[i] = nodes_[i].inputs.size();
      if (missing[i] == 0)
        ready.push(ticket(static_cast<int>(i)));
    }
    std::vector<int> sorted;
    while (!ready.empty()) {
      sorted.push_back(std::get<int>(ready.top()));
      ready.pop();
      for (const int taker : takers_[static_cast<std::size_t>(sorted.back())])
        if (--missing[static_cast<std::size_t>(taker)] == 0)
          ready.push(ticket(taker));
    }
    if (sorted.size() < nodes_.size())
      return cycle(missing);
    return arrange(sorted);
  }

  [[nodiscard]] error cycle(const std::vector<std::size_t>& missing) const {
    std::size_t i = 0;
    while (missing[i] == 0)
      ++i;
    return {errc::bad_file, path_ + ":" + std::to_string(lines_[i]) + ": node '"
                              + nodes_[i].name
                              + "' waits for a cycle of edges, wanted none"};
  }

  profile arrange(const std::vector<int>& sorted) {
    std::vector<int> place(nodes_.size());
    for (std::size_t i = 0; i < sorted.size(); ++i)
      place[static_cast<std::size_t>(sorted[i])] = static_cast<int>(i);
    profile made;
    made.network = path_;
    for (const int each : sorted) {
      made.nodes.push_back(std::move(nodes_[static_cast<std::size_t>(each)]));
      auto& inputs = made.nodes.back().inputs;
      for (int& input : inputs)
        input = place[static_cast<std::size_t>(input)];
      std::ranges::sort(inputs);
    }
    return made;
  }

  std::string path_;
  std::vector<profiled_node> nodes_; ///< inputs by their place in here
  std::vector<int> lines_;           ///< of each node
  std::map<std::string, int> index_of_;
  std::vector<edge_line> edges_;
  std::vector<std::vector<int>> takers_;
};

// -- writing -----------------------------------------------------------------

std::string print_activations(const std::vector<double>& bytes) {
  if (bytes.size() <= 1)
    return print_amount(bytes.empty() ? 0 : bytes[0], 0, 3);
  std::vector<std::string> parts;
  parts.reserve(bytes.size());
  for (const double each : bytes)
    parts.push_back(print_amount(each, 0, 1));
  return "[" + join(parts, "; ") + "]";
}

std::string print_node(const profiled_node& of) {
  const auto time = [](double us) { return print_amount(us, 3, 3); };
  auto text = of.name + std::string{separator} + of.description
              + std::string{separator}
              + "forward_compute_time=" + time(of.forward.us)
              + ", backward_compute_time=" + time(backward_us(of))
              + ", activation_size=" + print_activations(of.activation_bytes)
              + ", parameter_size=" + print_amount(of.parameter_bytes, 0, 3);
  if (of.stage)
    text += std::string{separator} + "stage_id=" + std::to_string(*of.stage);
  return text;
}

} // namespace

result<profile> parse_pipedream_graph(std::string_view text,
                                      const std::string& path) {
  return graph_reader{path}.read(text);
}

std::string print_pipedream_graph(const profile& from) {
  std::string text;
  for (const auto& each : from.nodes)
    text += print_node(each) + "\n";
  for (const auto& each : from.nodes)
    for (const int input : each.inputs)
      text += "\t" + from.nodes[static_cast<std::size_t>(input)].name
              + std::string{separator} + each.name + "\n";
  return text;
}

bool is_loader(const profiled_node& of) {
  const auto& what = of.description;
  return of.inputs.empty()
         && (what.starts_with("Input") || what == "input" || what == "labels");
}

} // namespace pd
