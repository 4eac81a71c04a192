#include "tests/support/guarded_memory.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>

namespace pd {

namespace {

constexpr std::int64_t guard_bytes = 4096; // so that a small overrun ends in it
constexpr std::byte guard{0xA5};

/// Where each element of a plain tensor lies in memory, in plain order.
std::vector<std::size_t> places(const tensor_type& type) {
  const auto& x = type.extents;
  std::vector<std::size_t> found;
  const auto block = x.rank() == 4 ? channel_block(type.order) : 1;
  const auto channels = x.rank() == 4 ? x[1] : 1;
  const auto pixels = x.rank() == 4 ? x[2] * x[3] : x.elems();
  const auto blocks = (channels + block - 1) / block;
  const auto samples = x.rank() == 4 ? x[0] : 1;
  for (std::int64_t n = 0; n < samples; ++n)
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t i = 0; i < pixels; ++i)
        found.push_back(static_cast<std::size_t>(
          type.order == layout::channels_last && x.rank() == 4
            ? (n * pixels + i) * channels + c
            : ((n * blocks + c / block) * pixels + i) * block + c % block));
  return found;
}

void put(float x, dtype type, std::byte* to, std::size_t at) {
  const auto write = [&](auto value) {
    std::memcpy(to + at * sizeof value, &value, sizeof value);
  };
  if (type == dtype::f32)
    write(x);
  else if (type == dtype::bf16)
    write(bf16{x});
  else if (type == dtype::i32)
    write(static_cast<std::int32_t>(x));
  else if (type == dtype::i64)
    write(static_cast<std::int64_t>(x));
  else
    write(static_cast<std::uint8_t>(x));
}

template <class T>
float read(const std::byte* from, std::size_t at) {
  T value;
  std::memcpy(&value, from + at * sizeof value, sizeof value);
  return static_cast<float>(value);
}

float get(dtype type, const std::byte* from, std::size_t at) {
  switch (type) {
  case dtype::f32:
    return read<float>(from, at);
  case dtype::bf16:
    return read<bf16>(from, at);
  case dtype::i32:
    return read<std::int32_t>(from, at);
  case dtype::i64:
    return read<std::int64_t>(from, at);
  default:
    return read<std::uint8_t>(from, at);
  }
}

} // namespace

guarded_memory::guarded_memory(pool& from, std::int64_t bytes) : bytes_{bytes} {
  if (bytes == 0)
    return;
  auto got = from.allocate(bytes + 2 * guard_bytes);
  REQUIRE(got.has_value());
  memory_ = *std::move(got);
  std::fill_n(memory_.data(), memory_.bytes(), guard);
}

std::byte* guarded_memory::data() const {
  return memory_ ? memory_.data() + guard_bytes : nullptr;
}

void guarded_memory::scribble() {
  std::fill_n(data(), bytes_, std::byte{0xFF});
}

bool guarded_memory::guards_are_whole() const {
  if (!memory_)
    return true;
  const auto is_guard = [](std::byte x) { return x == guard; };
  const auto* end = data() + bytes_;
  return std::all_of(memory_.data(), data(), is_guard)
         && std::all_of(end, end + guard_bytes, is_guard);
}

std::vector<std::byte> guarded_memory::contents() const {
  if (!memory_)
    return {};
  return {data(), data() + bytes_};
}

void guarded_memory::set_contents(std::span<const std::byte> bytes) {
  std::ranges::copy(bytes, data());
}

void upload(std::span<const float> values, const tensor_type& type,
            std::byte* to) {
  std::fill_n(to, type.bytes(), std::byte{0});
  const auto at = places(type);
  for (std::size_t i = 0; i < values.size(); ++i)
    put(values[i], type.type, to, at[i]);
}

std::vector<float> download(const tensor_type& type, const std::byte* from) {
  std::vector<float> values;
  for (const auto at : places(type))
    values.push_back(get(type.type, from, at));
  return values;
}

bool padding_is_zero(const tensor_type& type, const std::byte* at) {
  const auto elem = size_bytes(type.type);
  std::vector<std::byte> rest{at, at + type.bytes()};
  for (const auto place : places(type))
    std::fill_n(rest.begin() + static_cast<std::ptrdiff_t>(place * elem), elem,
                std::byte{0});
  return std::ranges::all_of(rest,
                             [](std::byte x) { return x == std::byte{}; });
}

} // namespace pd
