/// Device memory between guards, and how tests put tensors into it.

#pragma once

#include "engine/device/pool.hpp"
#include "engine/device/tensor.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace pd {

/// Exactly `bytes` of a pool's memory, with 4 KiB of guard on each side.
class guarded_memory {
public:
  guarded_memory() = default;
  guarded_memory(pool& from, std::int64_t bytes);

  /// Aligned as a pool aligns; null if it has no bytes.
  [[nodiscard]] std::byte* data() const;
  /// Fills it with 0xFF: a NaN in f32 and in bf16.
  void scribble();
  [[nodiscard]] bool guards_are_whole() const;

  /// Remembers the bytes for is_as_kept().
  void keep() { kept_ = contents(); }
  [[nodiscard]] bool is_as_kept() const { return kept_ == contents(); }

  [[nodiscard]] std::vector<std::byte> contents() const;
  void set_contents(std::span<const std::byte> bytes);

private:
  buffer memory_; ///< null if it has no bytes
  std::int64_t bytes_ = 0;
  std::vector<std::byte> kept_;
};

/// Writes plain `values`, rounded to the type, in its layout; padding is zero.
void upload(std::span<const float> values, const tensor_type& type,
            std::byte* to);

/// The reverse of upload.
[[nodiscard]] std::vector<float> download(const tensor_type& type,
                                          const std::byte* from);

[[nodiscard]] bool padding_is_zero(const tensor_type& type,
                                   const std::byte* at);

} // namespace pd
