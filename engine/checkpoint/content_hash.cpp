#include "engine/checkpoint/content_hash.hpp"

#define XXH_INLINE_ALL
#include <array>
#include <cstdio>
#include <xxhash.h>

namespace pd {

namespace {

/// High half first: the canonical form.
std::string digits_of(XXH128_hash_t hash) {
  std::array<char, 33> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx",
                static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text.data();
}

} // namespace

struct content_hash::state {
  XXH3_state_t of_xxh3;
};

content_hash::content_hash() : state_{std::make_unique<state>()} {
  XXH3_128bits_reset(&state_->of_xxh3);
}

content_hash::content_hash(content_hash&&) noexcept = default;
content_hash& content_hash::operator=(content_hash&&) noexcept = default;
content_hash::~content_hash() = default;

void content_hash::add(std::span<const std::byte> bytes) {
  XXH3_128bits_update(&state_->of_xxh3, bytes.data(), bytes.size());
}

std::string content_hash::digits() const {
  return digits_of(XXH3_128bits_digest(&state_->of_xxh3));
}

std::string hash_of(std::span<const std::byte> bytes) {
  return digits_of(XXH3_128bits(bytes.data(), bytes.size()));
}

std::string hash_of(const std::string& text) {
  return hash_of(std::as_bytes(std::span{text}));
}

} // namespace pd
