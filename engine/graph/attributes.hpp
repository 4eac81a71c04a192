/// The settings of a node, as data; and how an op reads them.

#pragma once

#include "engine/base/error.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace pd {

/// One setting: `stride = [2, 2]`, `bias = true`, `eps = 1e-5`.
using attribute = std::variant<bool, std::int64_t, double, std::string,
                               std::vector<std::int64_t>>;

using attributes = std::map<std::string, attribute>;

/// Reads the settings of one node; the first thing that is wrong is kept, and
/// told by finish(). What nobody read is unknown, and an error too.
///
///     attribute_reader read{"conv2d", settings};
///     const auto groups = read.integer("groups", 1, 1);
///     PD_CHECK(read.finish());
///
/// Errors (from finish): bad_value with the name, wanted and got; unknown_name
/// with the nearest known name.
class attribute_reader {
public:
  attribute_reader(std::string op, const attributes& from)
    : op_{std::move(op)}, from_{from} {}

  /// A whole number of at least `least`; `fallback` if it is not set.
  std::int64_t integer(const std::string& name, std::int64_t fallback,
                       std::int64_t least);
  /// As above, and an error if it is not set.
  std::int64_t required_integer(const std::string& name, std::int64_t least);
  double number(const std::string& name, double fallback, double least,
                double most);
  bool flag(const std::string& name, bool fallback);
  std::string text(const std::string& name, const std::string& fallback,
                   const std::vector<std::string>& allowed);
  /// [height, width] of at least `least`; one number stands for both.
  std::array<std::int64_t, 2> pair(const std::string& name,
                                   std::array<std::int64_t, 2> fallback,
                                   std::int64_t least);
  std::vector<std::int64_t> list(const std::string& name, std::int64_t least);

  [[nodiscard]] result<void> finish() const;

private:
  [[nodiscard]] const attribute* find(const std::string& name);
  void fail(const std::string& name, const std::string& wanted);

  std::string op_;
  const attributes& from_;
  std::vector<std::string> known_;
  result<void> first_;
};

/// "true", "3", "[1, 1]", "'same'".
[[nodiscard]] std::string to_string(const attribute& value);

} // namespace pd
