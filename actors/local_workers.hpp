/// Workers that are threads of this process.

#pragma once

#include "actors/worker_host.hpp"
#include "engine/data/dataset.hpp"
#include "engine/train/deployment.hpp"

#include <caf/actor_system.hpp>

#include <memory>

namespace pd {

/// The datasets may be null if no pass uses them.
/// @pre `in`, `ops` and the datasets outlive the host's end()
[[nodiscard]] std::unique_ptr<worker_host> make_local_workers(
  caf::actor_system& in, const std::shared_ptr<const deployment>& all,
  const registry& ops, const dataset* training, const dataset* evaluation);

} // namespace pd
