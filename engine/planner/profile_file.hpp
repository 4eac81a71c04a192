/// A profile as a file of JSON (docs/planning-reference.md has its keys).
///
///     {"format": "pd-engine profile", "version": 1, "network": "resnet50",
///      "device": "cpu, AVX-512, 2 threads", "minibatch": 16,
///      "nodes": [{"name": "conv1", "inputs": [], "forward_us": 812.5, ...}]}

#pragma once

#include "engine/planner/profile.hpp"

#include <string>

namespace pd {

/// One node a line. @pre from.validate()
[[nodiscard]] std::string print_profile(const profile& from);

/// The reverse: parse(print(x)) == x, but for the digits of a time.
/// Errors: bad_file if it is no JSON or no profile; bad_value and unknown_name
/// with the node and the key, what was wanted and what was there.
[[nodiscard]] result<profile> parse_profile(const std::string& text);

/// What a file holds, and whether its nodes are those of a network of ours, in
/// its order: a graph.txt's are not.
struct profile_in_file {
  profile nodes;
  bool is_ours = true;
};

/// Reads a file of either format: JSON, or PipeDream's graph.txt.
/// Errors: io; those of the format, with the path.
[[nodiscard]] result<profile_in_file> read_profile(const std::string& path);

/// Writes JSON, or a graph.txt if that is what the path ends in (".txt").
/// Errors: io.
[[nodiscard]] result<void> write_profile(const profile& from,
                                         const std::string& path);

} // namespace pd
