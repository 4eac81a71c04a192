/// A TOML file as plain data, with the line of everything. The only place that
/// knows toml++; nothing it throws gets further.
///
///     name = "x"          section "", key "name"
///     [model]             section "model"
///     [[stage]]           section "stage", is_element, once for each
///
/// Values are what job and graph files hold: no dates, no lists of other than
/// numbers or text, no table within a table.

#pragma once

#include "engine/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pd {

/// An empty list is one of whole numbers; so is a list of nothing else.
using toml_value = std::variant<bool, std::int64_t, double, std::string,
                                std::vector<std::int64_t>, std::vector<double>,
                                std::vector<std::string>>;

struct toml_entry {
  std::string key;
  toml_value value;
  int line = 0; ///< 1-based
};

struct toml_section {
  std::string name;
  bool is_element = false; ///< written [[name]]
  int line = 0;
  std::vector<toml_entry> entries;
};

/// In the order of the file; the keys before the first section come first, as
/// a section without a name.
using toml_document = std::vector<toml_section>;

/// Errors: bad_file, with "path:line: " in front.
[[nodiscard]] result<toml_document> parse_toml(std::string_view text,
                                               const std::string& path);

/// The text of a small file. Errors: io; bad_file if it is not small.
[[nodiscard]] result<std::string> read_text_file(const std::string& path);

/// A value as TOML: parse_toml reads it back equal.
[[nodiscard]] std::string print_toml(const toml_value& value);

/// The same, cut if it is long: for messages.
[[nodiscard]] std::string brief_toml(const toml_value& value);

/// "path:line"
[[nodiscard]] std::string place_text(const std::string& path, int line);

} // namespace pd
