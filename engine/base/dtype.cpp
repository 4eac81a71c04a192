#include "engine/base/dtype.hpp"

#include <array>

namespace pd {

const char* to_string(dtype type) {
  constexpr std::array names{"f32", "bf16", "i32", "i64", "u8"};
  return names[static_cast<std::size_t>(type)];
}

result<dtype> parse_dtype(const std::string& name) {
  for (const auto type :
       {dtype::f32, dtype::bf16, dtype::i32, dtype::i64, dtype::u8})
    if (name == to_string(type))
      return type;
  return error{errc::unknown_name,
               "dtype '" + name + "': wanted f32, bf16, i32, i64 or u8"};
}

} // namespace pd
