/// The checkpoints of a directory.

#pragma once

#include "engine/base/error.hpp"
#include "engine/checkpoint/checkpoint.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pd {

/// What the name of a checkpoint's folder says.
///
///     e000002-s0000003840        whole, once it has this name
///     e000002-s0000003840.part   being written, or being removed
///     e000002-s0000003840.old    about to be replaced (checkpoint_store.cpp)
struct checkpoint_name {
  checkpoint_position at;
  std::string_view ending; ///< "", ".part" or ".old"
};

/// "e000002-s0000003840". Sorts as the position does.
[[nodiscard]] std::string name_of(const checkpoint_position& at);

/// Nothing if no checkpoint has such a name.
[[nodiscard]] std::optional<checkpoint_name>
parse_checkpoint_name(std::string_view name);

struct listed_checkpoint {
  std::string path;
  checkpoint_state state = checkpoint_state::whole;
  std::string why; ///< unless it is whole: the file, and what is wrong with it
  checkpoint_position at; ///< by the folder's name
  std::int64_t bytes = 0; ///< of all its files
  int shards = 0;         ///< files that hold tensors
};

/// The paths of all folders that have a checkpoint's name, newest first, those
/// in the making among them. Nothing is opened.
/// Errors: bad_value if there is no such directory; io.
[[nodiscard]] result<std::vector<std::string>>
checkpoint_paths(const std::string& directory);

/// Newest first, each verified in full: it reads every byte.
/// Errors: as above; a checkpoint that is not whole is none.
[[nodiscard]] result<std::vector<listed_checkpoint>>
list_checkpoints(const std::string& directory);

/// What a job goes on from.
struct newest_checkpoint {
  std::optional<checkpoint> whole;
  std::vector<listed_checkpoint> skipped; ///< newer, and not whole
};

/// Opens the newest whole one. Older ones are not looked at.
/// Errors: as above, also if one that may be whole cannot be read: to go on
/// from an older one would lose it. To find none is none.
[[nodiscard]] result<newest_checkpoint>
find_newest_checkpoint(const std::string& directory);

} // namespace pd
