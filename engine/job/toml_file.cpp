#include "engine/job/toml_file.hpp"

#include "engine/base/descriptor.hpp"
#include "engine/base/text.hpp"
#include "engine/job/toml_parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <exception>
#include <optional>
#include <span>
#include <utility>

namespace pd {

namespace {

/// Control characters of a broken file do not get into a message.
std::string printable(std::string_view text) {
  constexpr std::size_t longest = 200;
  std::string clean{text.substr(0, longest)};
  std::ranges::replace_if(
    clean, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return clean;
}

int line_of(const toml::node& at) {
  return static_cast<int>(at.source().begin.line);
}

/// A list of T; empty if an element is something else.
template <class T>
std::optional<toml_value> to_list(const toml::array& from) {
  std::vector<T> list;
  for (const auto& each : from) {
    const auto* element = each.as<T>();
    if (element == nullptr)
      return std::nullopt;
    list.push_back(element->get());
  }
  return list;
}

/// A list of numbers, some of them whole.
std::optional<toml_value> to_reals(const toml::array& from) {
  std::vector<double> list;
  for (const auto& each : from) {
    if (!each.is_number())
      return std::nullopt;
    list.push_back(*each.value<double>());
  }
  return list;
}

std::optional<toml_value> to_value(const toml::node& from) {
  if (const auto* flag = from.as_boolean())
    return flag->get();
  if (const auto* whole = from.as_integer())
    return whole->get();
  if (const auto* real = from.as_floating_point())
    return real->get();
  if (const auto* text = from.as_string())
    return text->get();
  const auto* list = from.as_array();
  if (list == nullptr)
    return std::nullopt;
  if (auto numbers = to_list<std::int64_t>(*list))
    return numbers;
  if (auto numbers = to_reals(*list))
    return numbers;
  return to_list<std::string>(*list);
}

const char* kind_of(const toml::node& at) {
  if (at.is_table())
    return "a table";
  return at.is_array() ? "another list" : "a date or time";
}

/// Turns toml++'s tree into sections.
class flattener {
public:
  explicit flattener(const std::string& path) : path_{path} {}

  result<toml_document> flatten(const toml::table& root) {
    document_.push_back({"", false, 1, {}});
    for (const auto& [key, child] : root)
      PD_CHECK(add_top(std::string{key.str()}, child));
    std::ranges::stable_sort(document_.begin() + 1, document_.end(), {},
                             &toml_section::line);
    for (auto& each : document_)
      std::ranges::stable_sort(each.entries, {}, &toml_entry::line);
    return std::move(document_);
  }

private:
  result<void> add_top(const std::string& key, const toml::node& child) {
    if (const auto* section = child.as_table())
      return add_section(key, *section, false);
    const auto* list = child.as_array();
    const auto is_table = [](const toml::node& each) {
      return each.is_table();
    };
    if (list == nullptr || list->empty()
        || !std::all_of(list->begin(), list->end(), is_table))
      return add_entry(document_.front(), key, child);
    for (const auto& each : *list)
      PD_CHECK(add_section(key, *each.as_table(), true));
    return {};
  }

  result<void> add_section(const std::string& name, const toml::table& from,
                           bool is_element) {
    toml_section made{name, is_element, line_of(from), {}};
    for (const auto& [key, child] : from)
      PD_CHECK(add_entry(made, std::string{key.str()}, child));
    document_.push_back(std::move(made));
    return {};
  }

  result<void> add_entry(toml_section& to, const std::string& key,
                         const toml::node& child) {
    auto value = to_value(child);
    const auto full = to.name.empty() ? key : to.name + "." + key;
    if (!value)
      return error{errc::bad_file,
                   place_text(path_, line_of(child)) + ": " + printable(full)
                     + ": wanted a number, text, true or false, or a list of "
                       "numbers or text, got "
                     + kind_of(child)};
    to.entries.push_back({key, std::move(*value), line_of(child)});
    return {};
  }

  const std::string& path_;
  toml_document document_;
};

error not_toml(const std::string& place, std::string_view why) {
  return {errc::bad_file, place + ": not TOML: " + printable(why)};
}

/// toml++ breaks its own assertion over "[" or "[[" at the end of a line, and
/// then does not say where.
error malformed(std::string_view text, const std::string& path) {
  const auto lines = split(text, '\n');
  const auto is_open = [](const std::string& line) {
    const auto last = line.find_last_not_of(" \t\r");
    return last != std::string::npos && line[last] == '['
           && line.find_first_not_of(" \t[") > last;
  };
  const auto at = std::ranges::find_if(lines, is_open);
  if (at == lines.end())
    return not_toml(path, "malformed");
  return not_toml(place_text(path, static_cast<int>(at - lines.begin()) + 1),
                  "a table header without a name");
}

/// The shortest text that reads back as `x`, and as no whole number.
std::string print_number(double x) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), x).ptr;
  std::string made{text.data(), end};
  if (made.find_first_of(".enf") == std::string::npos)
    made += ".0";
  return made;
}

std::string print_text(const std::string& text) {
  std::string made = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      made += '\\';
    if (code >= 0x20 && code != 0x7f) {
      made += c;
      continue;
    }
    std::array<char, 8> escape{};
    std::snprintf(escape.data(), escape.size(), "\\u%04X", code);
    made += escape.data();
  }
  return made + "\"";
}

struct printer {
  std::string operator()(bool x) const { return x ? "true" : "false"; }
  std::string operator()(std::int64_t x) const { return std::to_string(x); }
  std::string operator()(double x) const { return print_number(x); }
  std::string operator()(const std::string& x) const { return print_text(x); }
  template <class T>
  std::string operator()(const std::vector<T>& list) const {
    std::vector<std::string> parts;
    parts.reserve(list.size());
    for (const auto& each : list)
      parts.push_back((*this)(each));
    return "[" + join(parts) + "]";
  }
};

} // namespace

result<toml_document> parse_toml(std::string_view text,
                                 const std::string& path) {
  try {
    const auto root = toml::parse(text, path);
    return flattener{path}.flatten(root);
  } catch (const toml::parse_error& why) {
    const auto line = static_cast<int>(why.source().begin.line);
    return not_toml(place_text(path, line), why.description());
  } catch (const std::exception&) { // an assertion of toml++
    return malformed(text, path);
  }
}

result<std::string> read_text_file(const std::string& path) {
  constexpr std::int64_t max_bytes = 4 << 20;
  const auto file = open_to_read(path);
  if (!file)
    return file.failure().within(path);
  if (file->bytes > max_bytes)
    return error{errc::bad_file, path + ": more than 4 MiB"};
  std::string text(static_cast<std::size_t>(file->bytes), '\0');
  const auto got =
    read_all(file->at.get(), std::as_writable_bytes(std::span{text}));
  if (!got)
    return got.failure().within(path);
  text.resize(*got);
  return text;
}

std::string print_toml(const toml_value& value) {
  return std::visit(printer{}, value);
}

std::string brief_toml(const toml_value& value) {
  constexpr std::size_t longest = 80;
  auto text = print_toml(value);
  if (text.size() > longest)
    text = text.substr(0, longest) + "...";
  return text;
}

std::string place_text(const std::string& path, int line) {
  return path + ":" + std::to_string(line);
}

} // namespace pd
