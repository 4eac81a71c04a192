/// The types of our actors: who takes which messages.

#pragma once

#include "actors/messages.hpp"

#include <caf/typed_actor.hpp>

namespace pd {

/// A stage, or the link to one in another process.
using tensor_receiver =
  caf::typed_actor<caf::reacts_to<activation>, caf::reacts_to<gradient>>;

using stage_actor =
  caf::typed_actor<caf::reacts_to<begin_pass>,
                   caf::replies_to<hold_pass>::with<pass_held>,
                   caf::reacts_to<end_pass_at>, caf::reacts_to<batch>,
                   caf::reacts_to<activation>, caf::reacts_to<gradient>,
                   caf::reacts_to<round_reduced>, caf::reacts_to<round_joined>>;

using data_loader_actor =
  caf::typed_actor<caf::reacts_to<begin_pass>, caf::reacts_to<end_pass_at>,
                   caf::reacts_to<batches_used>>;

using gradient_sync_actor = caf::typed_actor<caf::reacts_to<bucket_ready>,
                                             caf::reacts_to<align_statistics>>;

using checkpointer_actor = caf::typed_actor<caf::reacts_to<store_shard>>;

using archivist_actor = caf::typed_actor<caf::reacts_to<save_checkpoint>,
                                         caf::reacts_to<end_checkpoint>>;

using link_in_actor =
  caf::typed_actor<caf::reacts_to<begin_pass>, caf::reacts_to<end_pass_at>,
                   caf::reacts_to<receive_next>, caf::reacts_to<slot_filled>>;

/// May be in another process: nothing it takes holds a handle.
using worker_actor = caf::typed_actor<
  caf::reacts_to<deploy_worker>, caf::reacts_to<join_groups>,
  caf::reacts_to<begin_pass>, caf::replies_to<hold_pass>::with<pass_held>,
  caf::reacts_to<end_pass_at>, caf::reacts_to<align_statistics>,
  caf::reacts_to<statistics_aligned>, caf::reacts_to<store_shard>,
  caf::reacts_to<send_weights>, caf::reacts_to<report_status>,
  caf::reacts_to<report_trace>, caf::reacts_to<open_log>,
  caf::reacts_to<round_joined>>;

/// Likewise.
using coordinator_actor = caf::typed_actor<
  caf::reacts_to<deploy_job>, caf::reacts_to<run_pass>,
  caf::reacts_to<stop_pass>, caf::reacts_to<save_checkpoint>,
  caf::reacts_to<checkpoint_begun>, caf::reacts_to<shard_copied>,
  caf::reacts_to<shard_stored>, caf::reacts_to<checkpoint_ended>,
  caf::reacts_to<collect_weights>, caf::reacts_to<report_status>,
  caf::reacts_to<report_trace>, caf::reacts_to<trace_reported>,
  caf::reacts_to<worker_ready>, caf::reacts_to<groups_joined>,
  caf::reacts_to<worker_failed>, caf::reacts_to<process_ended>,
  caf::reacts_to<run_failed>, caf::reacts_to<status_reported>,
  caf::reacts_to<statistics_aligned>, caf::reacts_to<weights_named>,
  caf::reacts_to<progress_reported>, caf::reacts_to<pass_done>,
  caf::reacts_to<round_measured>>;

/// Who asked for the run: no actor of ours, but a mailbox that takes these.
using client_actor =
  caf::typed_actor<caf::reacts_to<workers_ready>, caf::reacts_to<job_deployed>,
                   caf::reacts_to<progress_reported>, caf::reacts_to<pass_over>,
                   caf::reacts_to<weights_copied>,
                   caf::reacts_to<checkpoint_ended>,
                   caf::reacts_to<weights_named>,
                   caf::reacts_to<trace_reported>, caf::reacts_to<run_failed>>;

using rendezvous_actor =
  caf::typed_actor<caf::reacts_to<set_key>,
                   caf::replies_to<get_key>::with<key_value>,
                   caf::reacts_to<close_store>>;

} // namespace pd
