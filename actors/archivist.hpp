/// Begins and ends the checkpoints of a job, in the coordinator's process: it
/// waits for the disk so that nobody else has to.
///
/// Invariants:
///
/// (1) Of every save_checkpoint one checkpoint_ended comes, also of one that
///     could not begin.

#pragma once

#include "actors/handles.hpp"
#include "engine/checkpoint/checkpoint_store.hpp"
#include "engine/train/deployment.hpp"

#include <memory>

namespace pd {

struct archivist_options {
  std::shared_ptr<const deployment> all;
  std::shared_ptr<checkpoint_store> store; ///< nobody else's
};

/// Spawn detached: with shell<archivist, archivist_actor>. Answers who ordered.
/// Gives up, as it ends, on a checkpoint that is not whole.
class archivist {
public:
  static inline const char* name = "archivist";

  archivist(archivist_actor::pointer self, archivist_options options);
  archivist(const archivist&) = delete;
  archivist& operator=(const archivist&) = delete;
  ~archivist();

  archivist_actor::behavior_type make_behavior();

private:
  void begin(const save_checkpoint& order);
  [[nodiscard]] result<std::string> end(const end_checkpoint& order);
  void tell_end(const result<std::string>& outcome);
  template <class Message>
  void answer(const Message& what);

  archivist_actor::pointer self_;
  archivist_options is_;
  checkpoint_position at_; ///< of the checkpoint that is begun
};

} // namespace pd
