/// libFuzzer: no text makes the reader of manifests crash, and what is read is
/// printed and read back equal.
///
///     bin/fuzz_manifest -max_total_time=60 tools/fuzz/corpus/manifest
///
/// A checksum is not hit on by chance; so every input is tried once as it is,
/// and once as what stands behind a checksum that is right.

#include "engine/checkpoint/manifest.hpp"

#include "engine/base/assert.hpp"
#include "engine/checkpoint/content_hash.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace {

void read(const std::string& text) {
  const auto manifest = pd::parse_manifest(text, "fuzz");
  if (!manifest) {
    PD_ASSERT(!manifest.failure().message.empty());
    return;
  }
  for (const auto& each : manifest->tensors) {
    PD_ASSERT(manifest->find(each.name) != nullptr);
    PD_ASSERT(each.extents.elems() >= 0);
  }
  const auto printed = pd::print_manifest(*manifest);
  PD_ASSERT(printed.has_value());
  const auto again = pd::parse_manifest(*printed, "again");
  PD_ASSERT(again.has_value());
  PD_ASSERT(*again == *manifest);
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string text{reinterpret_cast<const char*>(data), size};
  read(text);
  read("{\n  \"checksum\": \"" + pd::hash_of(text) + text);
  return 0;
}
