/// The families of schedules, as generate() sees them. Not for others.
///
/// A `head` is a timetable that has everything but its rows.

#pragma once

#include "engine/schedule/timetable.hpp"

#include <string>
#include <vector>

namespace pd {

/// Who decides how many are in flight.
enum class depth_rule : std::uint8_t {
  fixed,  ///< the order of the schedule: as many as its depth() says
  paper,  ///< the user, or depth()
  search, ///< the user, or a simulation
};

struct family {
  std::string name;
  bool has_rounds = false; ///< of options.round; else one a replica
  bool flushes = false;    ///< empty at the end of each round
  bool has_chunks = false;
  depth_rule rule = depth_rule::search;
  std::vector<int> (*depth)(const timetable& head) = nullptr; ///< by stage
  row (*make_row)(const timetable& head, int worker) = nullptr;
};

/// Makes the rows of a head that has its depth.
void fill_rows(const family& how, timetable& head);

/// In the order of schedule_names().
[[nodiscard]] const std::vector<family>& all_families();

// -- one file each ------------------------------------------------------------

std::vector<int> model_parallel_depth(const timetable& head);
row model_parallel_row(const timetable& head, int worker);

std::vector<int> gpipe_depth(const timetable& head);
row gpipe_row(const timetable& head, int worker);

row one_f_one_b_row(const timetable& head, int worker);

row pipedream_row(const timetable& head, int worker);
/// Gives F and B of all stages the version that stage 0 used.
void use_versions_of_first_stage(timetable& all);

row double_buffer_row(const timetable& head, int worker);

/// Errors: bad_value if a replica's share of a round is no multiple of the
/// stages.
result<void> check_interleaved(const timetable& head);
std::vector<int> interleaved_depth(const timetable& head);
row interleaved_row(const timetable& head, int worker);

std::vector<int> zero_bubble_depth(const timetable& head);
row zero_bubble_row(const timetable& head, int worker);
std::vector<int> zero_bubble_2p_depth(const timetable& head);
row zero_bubble_2p_row(const timetable& head, int worker);

std::vector<int> evaluation_depth(const pipeline_shape& shape);
row evaluation_row(const timetable& head, int worker);

} // namespace pd
