/// What is wrong with a node, without its name: who imports it puts that in
/// front.

#pragma once

#include "engine/base/error.hpp"

#include <cstddef>
#include <string>

namespace pd {

/// Its inputs or attributes do not fit together.
inline error misfit(const std::string& why) {
  return {errc::bad_value, why};
}

/// Errors: bad_value, unless `count` is in `least` ... `most`.
inline result<void> want_inputs(std::size_t count, std::size_t least,
                                std::size_t most) {
  if (count >= least && count <= most)
    return {};
  return misfit("wanted " + std::to_string(least)
                + (most > least ? " to " + std::to_string(most) : "")
                + (most == 1 ? " input" : " inputs") + ", got "
                + std::to_string(count));
}

} // namespace pd
