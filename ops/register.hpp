/// All ops and optimizers of this build.

#pragma once

#include "engine/graph/registry.hpp"

namespace pd {

/// Called once by a program's main; no static initializers, which a static
/// library would drop.
void register_ops(registry& all);

} // namespace pd
