#include "engine/planner/profile.hpp"

#include "engine/base/text.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace pd {

namespace {

bool is_amount(double x) {
  return std::isfinite(x) && x >= 0;
}

bool has_amounts(const profiled_node& of) {
  const double one_each[] = {
    of.forward.us,         of.forward.spread_us,
    of.backward_input.us,  of.backward_input.spread_us,
    of.backward_weight.us, of.backward_weight.spread_us,
    of.update.us,          of.update.spread_us,
    of.parameter_bytes,    of.stash_bytes};
  return std::ranges::all_of(one_each, is_amount)
         && std::ranges::all_of(of.activation_bytes, is_amount);
}

} // namespace

double backward_us(const profiled_node& of) {
  return of.backward_input.us + of.backward_weight.us;
}

double compute_us(const profiled_node& of) {
  return of.forward.us + backward_us(of);
}

double output_bytes(const profiled_node& of) {
  return std::accumulate(of.activation_bytes.begin(), of.activation_bytes.end(),
                         0.0);
}

result<int> profile::find(const std::string& node_name) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].name == node_name)
      return static_cast<int>(i);
    names.push_back(nodes[i].name);
  }
  return error{errc::unknown_name, network + ": no node '" + node_name + "'"
                                     + did_you_mean(node_name, names)};
}

result<void> profile::validate() const {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& each = nodes[i];
    const auto wrong = [&](const std::string& what) {
      return error{errc::bad_value,
                   network + ": node '" + each.name + "' " + what};
    };
    if (each.name.empty() || !seen.insert(each.name).second)
      return wrong("wants a name of its own");
    const auto is_later = [i](int input) {
      return input < 0 || input >= static_cast<int>(i);
    };
    if (std::ranges::any_of(each.inputs, is_later))
      return wrong("takes an output that is not made before it");
    if (!has_amounts(each))
      return wrong("has a time or a size that is negative or no number");
  }
  return {};
}

} // namespace pd
