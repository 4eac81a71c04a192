/// Writes checkpoints into a directory, and removes old ones.
///
///     begin ──▶ <name>.part/            made
///     write_shard, one a writer         written, synced     (shard.hpp)
///     commit ─▶ manifest.json           written, synced; the folder synced
///            ─▶ <name>.part ▶ <name>    renamed; the directory synced
///            ─▶ the oldest              renamed to .part, removed
///
/// Invariants:
///
/// (1) A folder has its name without ".part" only when all that is in it is
///     whole and on the disk.
///
/// (2) Where a whole checkpoint of a position was, there is one at every
///     moment, also while another takes its place.
///
/// (3) Nothing is removed that has no name of ours: not in the directory, not
///     in a checkpoint's folder.

#pragma once

#include "engine/base/descriptor.hpp"
#include "engine/base/error.hpp"
#include "engine/checkpoint/manifest.hpp"

#include <string>

namespace pd {

/// The one writer of a directory: it holds a lock on it, which ends with its
/// process.
///
/// Thread: one at a time.
class checkpoint_store {
public:
  /// Makes the directory, and those above it, if need be. Keeps the newest
  /// `keep` checkpoints.
  /// Errors: io, with the directory, if it cannot be made or written, or
  /// another process writes checkpoints there. @pre keep >= 1
  [[nodiscard]] static result<checkpoint_store> open(std::string directory,
                                                     int keep);

  /// Makes the folder that the shards go to, and says its path. What dead
  /// writers left is removed first. Errors: io. @pre none is begun
  [[nodiscard]] result<std::string> begin(const checkpoint_position& at);

  /// Makes of the shards in the folder a checkpoint, and says its path. One of
  /// the same position is replaced. What is older than the newest `keep` whole
  /// ones is removed, but never this one; what cannot be removed is told in
  /// the log.
  /// Errors: io, with the file: a shard is missing or has another size, the
  /// disk is full. There is no folder in the making then. @pre one is begun
  [[nodiscard]] result<std::string> commit(const checkpoint_manifest& manifest);

  /// Gives up on what is begun, if anything is, and frees its space.
  void abandon();

  [[nodiscard]] const std::string& directory() const { return directory_; }

private:
  checkpoint_store(std::string directory, int keep, descriptor lock)
    : directory_{std::move(directory)}, keep_{keep}, lock_{std::move(lock)} {}

  std::string directory_;
  int keep_;
  descriptor lock_;
  std::string part_; ///< the folder in the making; empty if there is none
};

} // namespace pd
