/// What tells that bytes are those that were written: XXH3, 128 bits
/// (https://github.com/Cyan4973/xxHash). Against accidents, not against malice.

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace pd {

/// The hash of bytes that come one part after another.
class content_hash {
public:
  content_hash();
  content_hash(content_hash&&) noexcept;
  content_hash& operator=(content_hash&&) noexcept;
  ~content_hash();

  void add(std::span<const std::byte> bytes);

  /// Of what was added so far: 32 hexadecimal digits, as `xxh128sum` prints
  /// them.
  [[nodiscard]] std::string digits() const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

/// The same of bytes that are all here.
[[nodiscard]] std::string hash_of(std::span<const std::byte> bytes);
[[nodiscard]] std::string hash_of(const std::string& text);

} // namespace pd
