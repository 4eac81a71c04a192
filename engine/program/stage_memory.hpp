/// Where a stage's values, gradients and workspaces lie, and what of its
/// forward runs again.
///
///     segments   0 1 2 | 3 4 | 5 6 7
///     step       0 … 7 | 5' 6' 7' B7 B6 B5 | 3' 4' B4 B3 | 0' … | W7 … W0
///                forward  backward, a segment at a time        halves apart
///
/// A stage that recomputes keeps of a microbatch what comes from outside and
/// the values at the borders of its segments; the backward runs each segment
/// forward again (i') before it goes back through it. One that does not is a
/// single segment whose forward is kept.
///
/// Invariants:
///
/// (1) What the last segment made is kept if a stage has one microbatch in
///     flight: its backward comes next, so to run it again would save nothing.
///
/// (2) What is needed in one action only lies in an arena that all microbatches
///     in flight share; what backward_input leaves for backward_weight in one
///     for each microbatch between the two; the rest in the microbatch's own.
///     A stage of (1), or one that does not recompute, has the last only.
///
/// Papers: Chen et al., arXiv 1604.06174 (segments); GPipe, arXiv 1811.06965
/// (recomputation in a pipeline).

#pragma once

#include "engine/program/stage_plan.hpp"

#include <cstdint>
#include <vector>

namespace pd {

/// The segments with which the stage takes the least memory, each by its first
/// node. {0} if it does not recompute. @pre nodes and gradients are planned
[[nodiscard]] std::vector<int> choose_segments(const stage_plan& plan);

/// The memory of all microbatches in flight with these segments: no placing
/// can do with less.
[[nodiscard]] std::int64_t least_stash_bytes(const stage_plan& plan,
                                             const std::vector<int>& segments);

/// Places all of `plan`, and fills in what runs again.
/// @pre segments begin with 0 and ascend
void place_stage(stage_plan& plan, const std::vector<int>& segments);

} // namespace pd
