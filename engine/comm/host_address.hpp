/// Whether this machine can be reached under an address.

#pragma once

#include "engine/base/error.hpp"

#include <string>

namespace pd {

/// Errors: bad_value if the name has no address, or none of this machine's.
[[nodiscard]] result<void> check_host(const std::string& host);

/// Errors: bad_value if there is no such network interface.
[[nodiscard]] result<void> check_interface(const std::string& name);

} // namespace pd
