/// What a run's figures were made on.

#pragma once

#include <string>

namespace pd {

/// A JSON object: host, system, processor, cores, memory, device, version.
/// device: one line about it.
[[nodiscard]] std::string host_facts(const std::string& device);

} // namespace pd
