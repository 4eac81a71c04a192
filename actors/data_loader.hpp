/// Reads the microbatches of one stage replica ahead, and no more than its
/// stage has room for (batches_of_worker).
///
/// Every loader has the same sampler, so the first stage's images and the last
/// stage's labels belong together without a word between them.

#pragma once

#include "actors/handles.hpp"
#include "actors/status_board.hpp"
#include "engine/data/batch_reader.hpp"
#include "engine/data/sampler.hpp"
#include "engine/train/deployment.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace pd {

/// The datasets may be null if no pass uses them; they and `memory` outlive
/// the actor.
struct data_loader_options {
  std::shared_ptr<const deployment> all;
  int worker = 0;
  const dataset* training = nullptr;
  const dataset* evaluation = nullptr;
  pool* memory = nullptr; ///< of the stage's device
  stage_actor to;
  status_place* shown = nullptr;
};

/// Spawn detached: with shell<data_loader, data_loader_actor>. Ends with the
/// error of a sample that cannot be read.
class data_loader {
public:
  static inline const char* name = "data_loader";

  data_loader(data_loader_actor::pointer self, data_loader_options options);

  data_loader_actor::behavior_type make_behavior();

private:
  void begin(const begin_pass& order);
  void leave_out(std::int64_t end);
  void read_ahead();
  [[nodiscard]] loaded_batch read(std::int64_t microbatch);
  [[nodiscard]] tensor free_tensor(const tensor_type& type);

  data_loader_actor::pointer self_;
  data_loader_options is_;
  bool reads_images_;
  batch_reader team_;
  std::int64_t window_; ///< batches ahead of the stage or held by it
  std::vector<tensor> memory_;
  std::optional<sampler> order_;
  const dataset* from_ = nullptr;
  std::int64_t generation_ = 0;
  std::int64_t begin_ = 0;       ///< of the epoch: the pass's microbatch 0
  std::deque<std::int64_t> due_; ///< microbatches, in the order of the row
  std::int64_t held_ = 0;        ///< batches sent and still in use
};

} // namespace pd
