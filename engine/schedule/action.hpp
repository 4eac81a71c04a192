/// A cell of a timetable: one thing that a worker does, and its text form.
///
///     F3    forward of microbatch 3        B3    its full backward
///     I3    input-gradient half            W3    weight-gradient half
///     U5    makes version 5                E3    forward for evaluation
///     1F3   on the worker's chunk 1        F3@2  with version 2 of the weights
///
/// Invariants:
///
/// (1) A version counts from the start of the epoch: 0 is what the weights are
///     when the epoch starts, and a stage that starts it at version b uses and
///     makes b + version. So one timetable serves every epoch, and the first
///     backwards of the second epoch use the weights that its forwards used,
///     not what the first epoch left behind.
///
/// (2) In memory the version is always there. In text it is written only if it
///     is not the newest of that chunk at that point of the row.

#pragma once

#include "engine/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pd {

enum class act : std::uint8_t {
  forward,
  backward,
  input,
  weight,
  update,
  evaluate
};

struct action {
  int chunk = 0;
  act kind = act::forward;
  std::int64_t index = 0;   ///< the microbatch; of an update: what it makes
  std::int64_t version = 0; ///< of the weights it uses; of an update: `index`
  bool operator==(const action&) const = default;
};

/// The actions of one worker, in the order in which it runs them.
using row = std::vector<action>;

/// 'F', 'B', 'I', 'W', 'U', 'E'.
[[nodiscard]] char letter_of(act kind);

/// True for what ends a microbatch's stay in flight: B and W.
[[nodiscard]] constexpr bool is_last_of_backward(act kind) {
  return kind == act::backward || kind == act::weight;
}

/// "F3", "1F3": without the version.
[[nodiscard]] std::string to_string(const action& cell);

/// "F3", or "F3@2" where 2 is not `newest`.
[[nodiscard]] std::string to_string(const action& cell, std::int64_t newest);

/// "F0 F1 B0 U1 ...".
[[nodiscard]] std::string to_string(const row& cells);

/// The reverse of to_string(cell, newest).
/// Errors: bad_value with the column, what was wanted and what was there.
[[nodiscard]] result<action> parse_action(std::string_view text,
                                          std::int64_t newest = 0);

/// The reverse of to_string(row); cells stand apart by spaces. Columns in
/// errors count from `first_column`.
[[nodiscard]] result<row> parse_row(std::string_view text,
                                    std::size_t first_column = 1);

} // namespace pd
