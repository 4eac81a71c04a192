/// The ranks of a group are threads of one process: bytes are copied by
/// whichever side comes second, and a sum reads every rank's memory in place.

#pragma once

#include "engine/comm/communicator.hpp"

#include <memory>
#include <vector>

namespace pd {

/// One communicator a rank, by rank. They share nothing with other groups.
[[nodiscard]] std::vector<std::unique_ptr<communicator>>
make_local_group(int size);

} // namespace pd
