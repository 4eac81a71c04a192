/// The JSON header of a safetensors file, as data. What it says of the bytes
/// that follow is checked in safetensors.cpp.

#pragma once

#include "engine/base/error.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pd {

/// What the header says of one tensor.
struct safetensors_entry {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::array<std::int64_t, 2> offsets{}; ///< begin, end
};

struct safetensors_header {
  std::vector<safetensors_entry> entries; ///< in the order of the text
  std::map<std::string, std::string> metadata;
};

/// Reads the JSON, which may end in white space. Fields of a tensor that the
/// format does not know are skipped, as the reference implementation does.
///
/// Errors: bad_file with the tensor and what is wrong with it.
[[nodiscard]] result<safetensors_header>
parse_safetensors_header(std::string_view text);

/// The reverse, without white space and padding.
/// Errors: bad_value if a name is not UTF-8.
[[nodiscard]] result<std::string>
print_safetensors_header(const safetensors_header& header);

/// 'name', fit for a message: one line, cut if it is long.
[[nodiscard]] std::string quoted_name(std::string_view name);

} // namespace pd
