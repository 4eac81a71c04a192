/// The one kernel of device "replay" that is not the CPU's.

#pragma once

#include "engine/graph/kernel.hpp"

#include <memory>

namespace pd {

[[nodiscard]] result<std::unique_ptr<kernel>>
make_replay_kernel(const kernel_context& context);

} // namespace pd
