/// What a run's figures were made on.

#pragma once

#include "engine/device/device.hpp"

#include <string>

namespace pd {

/// A JSON object: host, system, processor, cores, memory, device, version.
[[nodiscard]] std::string host_facts(const device& on);

} // namespace pd
