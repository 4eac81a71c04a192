#include "engine/job/job_keys.hpp"

#include "engine/base/text.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace pd {

namespace {

// -- values ------------------------------------------------------------------

/// Turns a TOML value into what a key holds; false if it cannot be.
struct assigner {
  const job_key& key;
  const toml_value& from;

  [[nodiscard]] bool is_in_range(double x) const {
    return x >= key.least && x <= key.most; // false for a NaN
  }

  bool operator()(bool& to) const {
    const auto* flag = std::get_if<bool>(&from);
    if (flag != nullptr)
      to = *flag;
    return flag != nullptr;
  }

  bool operator()(std::int64_t& to) const {
    const auto* whole = std::get_if<std::int64_t>(&from);
    if (whole == nullptr || !is_in_range(static_cast<double>(*whole)))
      return false;
    to = *whole;
    return true;
  }

  bool operator()(double& to) const {
    double got = std::nan("");
    if (const auto* real = std::get_if<double>(&from))
      got = *real;
    else if (const auto* whole = std::get_if<std::int64_t>(&from))
      got = static_cast<double>(*whole);
    if (!is_in_range(got))
      return false;
    to = got;
    return true;
  }

  /// A number, or "auto" for none.
  bool operator()(std::optional<double>& to) const {
    if (const auto* text = std::get_if<std::string>(&from)) {
      to.reset();
      return *text == "auto";
    }
    return (*this)(to.emplace(0));
  }

  bool operator()(std::string& to) const {
    const auto* text = std::get_if<std::string>(&from);
    const auto is_control = [](char c) {
      return static_cast<unsigned char>(c) < 0x20;
    };
    if (text == nullptr || std::ranges::any_of(*text, is_control))
      return false;
    const auto& all = key.choices;
    if (!all.empty() && std::ranges::find(all, *text) == all.end())
      return false;
    to = *text;
    return true;
  }

  bool operator()(image_extents& to) const {
    const auto* list = std::get_if<std::vector<std::int64_t>>(&from);
    if (list == nullptr || list->size() != 3)
      return false;
    const auto fits = [](std::int64_t x, int most) {
      return x >= 1 && x <= most;
    };
    const auto& x = *list;
    if (!fits(x[0], max_image_extent) || !fits(x[1], max_image_extent)
        || !fits(x[2], max_image_channels))
      return false;
    to = {static_cast<int>(x[0]), static_cast<int>(x[1]),
          static_cast<int>(x[2])};
    return true;
  }

  /// Numbers, or "auto" for none.
  bool operator()(std::vector<std::int64_t>& to) const {
    if (const auto* text = std::get_if<std::string>(&from)) {
      to.clear();
      return *text == "auto";
    }
    const auto* list = std::get_if<std::vector<std::int64_t>>(&from);
    const auto fits = [this](std::int64_t x) {
      return is_in_range(static_cast<double>(x));
    };
    if (list == nullptr || list->empty() || !std::ranges::all_of(*list, fits))
      return false;
    to = *list;
    return true;
  }

  bool operator()(checkpoint_interval& to) const {
    if (const auto* text = std::get_if<std::string>(&from)) {
      to.rounds = 0;
      return *text == "epoch";
    }
    return (*this)(to.rounds);
  }

  /// As many numbers as there are.
  bool operator()(std::vector<double>& to) const {
    std::vector<double> got;
    if (const auto* reals = std::get_if<std::vector<double>>(&from))
      got = *reals;
    else if (const auto* list = std::get_if<std::vector<std::int64_t>>(&from))
      got.assign(list->begin(), list->end());
    const auto fits = [this](double x) { return is_in_range(x); };
    if (got.size() != to.size() || !std::ranges::all_of(got, fits))
      return false;
    to = got;
    return true;
  }
};

struct reader {
  toml_value operator()(const auto& x) const { return x; }
  toml_value operator()(const std::vector<std::int64_t>& x) const {
    return x.empty() ? toml_value{"auto"} : toml_value{x};
  }
  toml_value operator()(const checkpoint_interval& x) const {
    return x.rounds == 0 ? toml_value{"epoch"} : toml_value{x.rounds};
  }
  toml_value operator()(const std::optional<double>& x) const {
    return x ? toml_value{*x} : toml_value{"auto"};
  }
  toml_value operator()(const image_extents& x) const {
    return std::vector<std::int64_t>{x.height, x.width, x.channels};
  }
};

/// 1e+06 as 1000000, 0.25 as 0.25.
std::string bound_text(double x) {
  const bool is_whole =
    x == std::floor(x) && std::abs(x) <= job_key::most_count;
  if (is_whole)
    return std::to_string(static_cast<std::int64_t>(x));
  return print_toml(x);
}

struct want_text {
  const job_key& key;

  [[nodiscard]] std::string range() const {
    return " from " + bound_text(key.least) + " to " + bound_text(key.most);
  }
  std::string operator()(job_place<bool>) const { return "true or false"; }
  std::string operator()(job_place<std::int64_t>) const {
    return "a whole number" + range();
  }
  std::string operator()(job_place<double>) const {
    return "a number" + range();
  }
  std::string operator()(job_place<std::optional<double>>) const {
    return "\"auto\" or a number" + range();
  }
  std::string operator()(job_place<std::string>) const {
    if (key.choices.empty())
      return "one line of text";
    std::vector<std::string> quoted;
    for (const auto& each : key.choices)
      quoted.push_back("\"" + each + "\"");
    return (quoted.size() == 1 ? "" : "one of ") + join(quoted);
  }
  std::string operator()(job_place<std::vector<std::int64_t>>) const {
    return "\"auto\" or a list of whole numbers" + range();
  }
  std::string operator()(job_place<checkpoint_interval>) const {
    return "\"epoch\" or a whole number" + range();
  }
  std::string operator()(job_place<std::vector<double>> place) const {
    job empty;
    return "a list of " + std::to_string(place(empty, 0).size()) + " numbers"
           + range();
  }
  std::string operator()(job_place<image_extents>) const {
    return "[height, width, channels] up to ["
           + std::to_string(max_image_extent) + ", "
           + std::to_string(max_image_extent) + ", "
           + std::to_string(max_image_channels) + "]";
  }
};

job empty_job() {
  job made;
  made.stages.emplace_back();
  return made;
}

std::string table_row(const job_key& key) {
  return "| `" + key.name + "` | " + key.wanted() + " | `"
         + print_toml(default_of(key)) + "` | "
         + (key.unit.empty() ? "-" : key.unit) + " | " + key.meaning
         + (key.refuse == refuse_always ? " (*)" : "") + " |\n";
}

std::string table_heading(const std::string& section) {
  const auto title = section.empty()      ? "Before the first section"
                     : section == "stage" ? "`[[stage]]`"
                                          : "`[" + section + "]`";
  return "\n### " + title
         + "\n\n| key | wanted | default | unit | meaning |\n"
           "| --- | --- | --- | --- | --- |\n";
}

} // namespace

std::string job_key::full_name() const {
  return section.empty() ? name : section + "." + name;
}

std::string job_key::wanted() const {
  return std::visit(want_text{*this}, place);
}

bool job_key::is_text() const {
  return std::holds_alternative<job_place<std::string>>(place);
}

std::string refuse_always(const job&) {
  return "not supported by this version";
}

std::span<const job_key> job_keys() {
  static const auto keys = make_job_keys();
  return keys;
}

const job_key* find_job_key(const std::string& section,
                            const std::string& name) {
  for (const auto& each : job_keys())
    if (each.section == section && each.name == name)
      return &each;
  return nullptr;
}

std::vector<std::string> job_sections() {
  std::vector<std::string> names;
  for (const auto& each : job_keys())
    if (!each.section.empty() && each.section != "stage"
        && (names.empty() || names.back() != each.section))
      names.push_back(each.section);
  return names;
}

toml_value value_of(const job_key& key, job from, std::size_t stage) {
  return std::visit([&](auto place) { return reader{}(place(from, stage)); },
                    key.place);
}

toml_value default_of(const job_key& key) {
  return value_of(key, empty_job());
}

result<void> set_value(const job_key& key, const toml_value& value, job& to,
                       std::size_t stage) {
  const bool is_set = std::visit(
    [&](auto place) {
      return assigner{key, value}(place(to, stage));
    },
    key.place);
  if (is_set)
    return {};
  return error{errc::bad_value, key.full_name() + ": wanted " + key.wanted()
                                  + ", got " + brief_toml(value)};
}

std::string describe_job_keys() {
  std::string text;
  std::optional<std::string> section;
  for (const auto& each : job_keys()) {
    if (section != each.section)
      text += table_heading(each.section);
    section = each.section;
    text += table_row(each);
  }
  return text;
}

bool operator==(const job& a, const job& b) {
  const auto is_same = [&](const job_key& key) {
    if (key.section != "stage")
      return value_of(key, a) == value_of(key, b);
    for (std::size_t i = 0; i < a.stages.size(); ++i)
      if (value_of(key, a, i) != value_of(key, b, i))
        return false;
    return true;
  };
  return a.stages.size() == b.stages.size()
         && std::ranges::all_of(job_keys(), is_same);
}

} // namespace pd
