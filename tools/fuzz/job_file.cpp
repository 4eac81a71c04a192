/// libFuzzer: no text makes the readers of job and graph files crash, and a
/// job that is read prints to one that is read back equal.
///
///     bin/fuzz_job_file -max_total_time=60 tools/fuzz/corpus/job_file

#include "engine/job/job_file.hpp"

#include "engine/base/assert.hpp"
#include "engine/job/graph_file.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

void read_as_job(const std::string& text) {
  const auto read = pd::parse_job(text, "fuzz.toml");
  if (!read)
    return;
  const auto again = pd::parse_job(pd::print_job(*read), "fuzz.toml");
  PD_ASSERT(again.has_value());
  PD_ASSERT(*again == *read);
}

void read_as_graph(const std::string& text) {
  const auto read = pd::parse_graph(text, "fuzz.toml", {28, 28, 1});
  if (!read)
    return;
  const auto printed = pd::print_graph(*read);
  const auto again = pd::parse_graph(printed, "fuzz.toml", {28, 28, 1});
  PD_ASSERT(again.has_value());
  PD_ASSERT(pd::print_graph(*again) == printed);
}

/// The text's first line as an override of a job that is whole.
void read_as_override(const std::string& text) {
  const std::string overrides[]{text.substr(0, text.find('\n'))};
  const auto read =
    pd::parse_job("model.name = 'lenet'", "fuzz.toml", overrides);
  PD_ASSERT(read || !read.failure().message.empty());
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string text{reinterpret_cast<const char*>(data), size};
  read_as_job(text);
  read_as_graph(text);
  read_as_override(text);
  return 0;
}
