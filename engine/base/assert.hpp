/// PD_ASSERT: a bug of our own ends the process with both values. On in all
/// builds.

#pragma once

#include <sstream>
#include <string>

namespace pd {

/// Prints "file:line: text (details)" on stderr and aborts.
[[noreturn]] void assertion_failed(const char* file, int line, const char* text,
                                   const std::string& details);

/// "lhs vs rhs", for a failed comparison.
template <class L, class R>
[[nodiscard]] std::string both_values(const L& lhs, const R& rhs) {
  std::ostringstream out;
  out << lhs << " vs " << rhs;
  return out.str();
}

} // namespace pd

#define PD_ASSERT(condition)                                                   \
  do {                                                                         \
    if (!(condition)) [[unlikely]]                                             \
      ::pd::assertion_failed(__FILE__, __LINE__, #condition, "");              \
  } while (false)

#define PD_ASSERT_EQ(lhs, rhs)                                                 \
  do {                                                                         \
    if (!((lhs) == (rhs))) [[unlikely]]                                        \
      ::pd::assertion_failed(__FILE__, __LINE__, #lhs " == " #rhs,             \
                             ::pd::both_values(lhs, rhs));                     \
  } while (false)
