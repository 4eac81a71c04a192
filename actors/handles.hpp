/// The types of our actors: who takes which messages.

#pragma once

#include "actors/messages.hpp"

#include <caf/typed_actor.hpp>

namespace pd {

using stage_actor =
  caf::typed_actor<caf::reacts_to<begin_pass>,
                   caf::replies_to<hold_pass>::with<pass_held>,
                   caf::replies_to<report_waits>::with<wait_reported>,
                   caf::reacts_to<end_pass_at>, caf::reacts_to<batch>,
                   caf::reacts_to<activation>, caf::reacts_to<gradient>,
                   caf::reacts_to<round_reduced>>;

using data_loader_actor =
  caf::typed_actor<caf::reacts_to<begin_pass>, caf::reacts_to<end_pass_at>,
                   caf::reacts_to<batch_used>>;

using gradient_sync_actor =
  caf::typed_actor<caf::reacts_to<begin_pass>, caf::reacts_to<round_summed>,
                   caf::reacts_to<part_ready>, caf::reacts_to<segment_reduced>>;

using coordinator_actor =
  caf::typed_actor<caf::reacts_to<run_pass>, caf::reacts_to<stop_pass>,
                   caf::reacts_to<report_waits>, caf::reacts_to<loss_reported>,
                   caf::reacts_to<version_made>, caf::reacts_to<pass_done>>;

/// Who asked for the run: no actor of ours, but a mailbox that takes these.
using client_actor =
  caf::typed_actor<caf::reacts_to<loss_reported>, caf::reacts_to<version_made>,
                   caf::reacts_to<pass_done>, caf::reacts_to<run_failed>>;

} // namespace pd
