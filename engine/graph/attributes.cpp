#include "engine/graph/attributes.hpp"

#include "engine/base/shape.hpp"
#include "engine/base/text.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace pd {

const attribute* attribute_reader::find(const std::string& name) {
  known_.push_back(name);
  const auto at = from_.find(name);
  return at == from_.end() ? nullptr : &at->second;
}

void attribute_reader::fail(const std::string& name,
                            const std::string& wanted) {
  if (!first_)
    return;
  const auto at = from_.find(name);
  const auto got = at == from_.end() ? "nothing" : to_string(at->second);
  first_ = error{errc::bad_value,
                 op_ + ": " + name + ": wanted " + wanted + ", got " + got};
}

std::int64_t attribute_reader::integer(const std::string& name,
                                       std::int64_t fallback,
                                       std::int64_t least) {
  const auto* value = find(name);
  if (value == nullptr)
    return fallback;
  const auto* number = std::get_if<std::int64_t>(value);
  if (number != nullptr && *number >= least)
    return *number;
  fail(name, "a whole number of at least " + std::to_string(least));
  return fallback;
}

std::int64_t attribute_reader::required_integer(const std::string& name,
                                                std::int64_t least) {
  if (!from_.contains(name))
    fail(name, "a whole number of at least " + std::to_string(least));
  return integer(name, least, least);
}

double attribute_reader::number(const std::string& name, double fallback,
                                double least, double most) {
  const auto* value = find(name);
  if (value == nullptr)
    return fallback;
  double got = std::nan("");
  if (const auto* real = std::get_if<double>(value))
    got = *real;
  else if (const auto* whole = std::get_if<std::int64_t>(value))
    got = static_cast<double>(*whole);
  if (got >= least && got <= most)
    return got;
  std::ostringstream range;
  range << "a number from " << least << " to " << most;
  fail(name, range.str());
  return fallback;
}

bool attribute_reader::flag(const std::string& name, bool fallback) {
  const auto* value = find(name);
  if (value == nullptr)
    return fallback;
  if (const auto* is_set = std::get_if<bool>(value))
    return *is_set;
  fail(name, "true or false");
  return fallback;
}

std::string attribute_reader::text(const std::string& name,
                                   const std::string& fallback,
                                   const std::vector<std::string>& allowed) {
  const auto* value = find(name);
  if (value == nullptr)
    return fallback;
  const auto* got = std::get_if<std::string>(value);
  if (got != nullptr && std::ranges::find(allowed, *got) != allowed.end())
    return *got;
  fail(name, "one of " + join(allowed));
  return fallback;
}

std::array<std::int64_t, 2>
attribute_reader::pair(const std::string& name,
                       std::array<std::int64_t, 2> fallback,
                       std::int64_t least) {
  const auto* value = find(name);
  if (value == nullptr)
    return fallback;
  std::array<std::int64_t, 2> got{least - 1, least - 1};
  if (const auto* both = std::get_if<std::int64_t>(value))
    got = {*both, *both};
  else if (const auto* each = std::get_if<std::vector<std::int64_t>>(value);
           each != nullptr && each->size() == 2)
    got = {(*each)[0], (*each)[1]};
  if (got[0] >= least && got[1] >= least)
    return got;
  fail(name, "one or two whole numbers of at least " + std::to_string(least));
  return fallback;
}

std::vector<std::int64_t> attribute_reader::list(const std::string& name,
                                                 std::int64_t least) {
  const auto* value = find(name);
  const auto* got =
    value == nullptr ? nullptr : std::get_if<std::vector<std::int64_t>>(value);
  const auto is_small = [least](std::int64_t x) { return x < least; };
  if (got != nullptr && !got->empty() && got->size() <= shape::max_rank
      && std::ranges::none_of(*got, is_small))
    return *got;
  fail(name, "a list of whole numbers of at least " + std::to_string(least));
  return {};
}

result<void> attribute_reader::finish() const {
  if (!first_)
    return first_;
  for (const auto& [name, value] : from_)
    if (std::ranges::find(known_, name) == known_.end())
      return error{errc::unknown_name, op_ + ": unknown attribute '" + name
                                         + "'" + did_you_mean(name, known_)};
  return {};
}

namespace {

struct printer {
  std::string operator()(bool x) const { return x ? "true" : "false"; }
  std::string operator()(std::int64_t x) const { return std::to_string(x); }
  std::string operator()(double x) const {
    std::ostringstream out;
    out << x;
    return out.str();
  }
  std::string operator()(const std::string& x) const { return "'" + x + "'"; }
  std::string operator()(const std::vector<std::int64_t>& x) const {
    std::vector<std::string> parts;
    for (const auto each : x)
      parts.push_back(std::to_string(each));
    return "[" + join(parts) + "]";
  }
};

} // namespace

std::string to_string(const attribute& value) {
  return std::visit(printer{}, value);
}

} // namespace pd
