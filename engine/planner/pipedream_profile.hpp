/// PipeDream's graph.txt: a profile as its profiler writes it, a node or an
/// edge a line.
///
///     node4 -- ReLU -- forward_compute_time=1.5, backward_compute_time=2.000,
///         activation_size=[64.0; 8.0], parameter_size=0.000 -- stage_id=0
///     <tab>node3 -- node4
///
/// (A node is on one line.) The order of the lines means nothing. Times are
/// milliseconds there and microseconds here, to the last digit. What the file
/// does not say: the network's name, the device, the samples of a minibatch,
/// the spread of the times; and
///
/// - how a backward is parted: it is halved for a node with parameters, and
///   all backward_input for another;
/// - what a minibatch in flight keeps: it is what leaves the node, or nothing
///   more if the description says "inplace".

#pragma once

#include "engine/planner/profile.hpp"

#include <string>
#include <string_view>

namespace pd {

/// Reads one. Nodes come in an order of execution, among those that are ready
/// the one with the least number first; inputs ascend.
///
/// Errors: bad_file with "path:line: ", what was wanted and what was there.
[[nodiscard]] result<profile> parse_pipedream_graph(std::string_view text,
                                                    const std::string& path);

/// The reverse: parse(print(x)) == x for every x that was parsed. Of another
/// profile the spreads, the parts of a backward and the stash are lost.
[[nodiscard]] std::string print_pipedream_graph(const profile& from);

/// True for a node that brings a minibatch from outside: PipeDream's Input,
/// Input0 ..., our input and labels.
[[nodiscard]] bool is_loader(const profiled_node& of);

} // namespace pd
