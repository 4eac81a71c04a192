/// libFuzzer: no text makes the reader of timetables or their validator crash;
/// what is read prints to what is read back equal; and what is valid runs to
/// its end and can be drawn.
///
///     bin/fuzz_timetable -max_total_time=60 tools/fuzz/corpus/timetable

#include "engine/schedule/timetable.hpp"

#include "engine/base/assert.hpp"
#include "engine/schedule/draw.hpp"
#include "engine/schedule/simulate.hpp"
#include "engine/schedule/validate.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {

void print_and_read(const pd::timetable& all) {
  const auto printed = pd::to_string(all);
  const auto again = pd::parse_timetable(printed);
  PD_ASSERT(again.has_value());
  PD_ASSERT(*again == all);
  PD_ASSERT(pd::to_string(*again) == printed);
}

void run(const pd::timetable& all) {
  const auto run = pd::simulate(all, pd::balanced_costs(all.shape));
  PD_ASSERT(run.deadlock.empty());
  for (std::size_t w = 0; w < all.rows.size(); ++w) {
    PD_ASSERT_EQ(run.times[w].size(), all.rows[w].size());
    PD_ASSERT(pd::versions_kept(all.rows[w]) >= 1);
  }
  PD_ASSERT(!pd::draw_text(all, run).empty());
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const auto read = pd::parse_timetable(
    std::string_view{reinterpret_cast<const char*>(data), size});
  if (!read) {
    PD_ASSERT(!read.failure().message.empty());
    return 0;
  }
  print_and_read(*read);
  const auto valid = pd::validate(*read);
  PD_ASSERT(valid || !valid.failure().message.empty());
  if (valid)
    run(*read);
  return 0;
}
