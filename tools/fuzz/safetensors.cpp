/// libFuzzer: no bytes make the reader of safetensors crash, and what is read
/// is written and read back equal.
///
///     bin/fuzz_safetensors -max_total_time=60 tools/fuzz/corpus/safetensors
///
/// The first 8 bytes of a file, its header's length, are rarely hit on by
/// chance; so every input is tried once as it is, and once as a header of the
/// right length that ends at the input's last "}".

#include "engine/checkpoint/safetensors.hpp"

#include "engine/base/assert.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace {

void check_equal(const pd::safetensor& a, const pd::safetensor* b) {
  PD_ASSERT(b != nullptr);
  PD_ASSERT(a.dtype == b->dtype && a.shape == b->shape);
  PD_ASSERT(std::ranges::equal(a.bytes, b->bytes));
}

void convert(const pd::safetensor& from) {
  const auto reals = pd::to_f32(from);
  const auto wholes = pd::to_i64(from);
  PD_ASSERT(!(reals && wholes));
}

void write_and_read(const pd::safetensors_file& from) {
  const auto layout = pd::lay_out_safetensors(from.tensors, from.metadata);
  PD_ASSERT(layout.has_value());
  auto text = layout->header;
  for (const auto& each : layout->tensors)
    text.append(reinterpret_cast<const char*>(each.bytes.data()),
                each.bytes.size());
  const auto again =
    pd::parse_safetensors(std::as_bytes(std::span{text}), "again");
  PD_ASSERT(again.has_value());
  PD_ASSERT(again->metadata == from.metadata);
  PD_ASSERT(again->tensors.size() == from.tensors.size());
  for (const auto& each : from.tensors)
    check_equal(each, again->find(each.name));
}

void read(std::span<const std::byte> bytes) {
  const auto file = pd::parse_safetensors(bytes, "fuzz");
  if (!file)
    return;
  for (const auto& each : file->tensors)
    convert(each);
  write_and_read(*file);
}

void read_as_header(const std::string& text) {
  const auto end = text.rfind('}');
  const std::uint64_t length = end == std::string::npos ? 0 : end + 1;
  std::string whole(sizeof length, '\0');
  std::memcpy(whole.data(), &length, sizeof length);
  whole += text;
  read(std::as_bytes(std::span{whole}));
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  read(std::as_bytes(std::span{data, size}));
  read_as_header({reinterpret_cast<const char*>(data), size});
  return 0;
}
