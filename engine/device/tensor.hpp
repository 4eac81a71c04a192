/// A tensor: a handle to memory, and how to read it.

#pragma once

#include "engine/base/dtype.hpp"
#include "engine/device/buffer.hpp"
#include "engine/device/layout.hpp"
#include "engine/device/stream.hpp"

namespace pd {

/// What a tensor is, without its memory.
struct tensor_type {
  shape extents;
  dtype type = dtype::f32;
  layout order = layout::plain;

  [[nodiscard]] std::int64_t elems() const {
    return storage_elems(extents, order);
  }
  [[nodiscard]] std::int64_t bytes() const {
    return elems() * static_cast<std::int64_t>(size_bytes(type));
  }
  bool operator==(const tensor_type&) const = default;
};

/// "f32 [16, 64, 56, 56] blocked8"
[[nodiscard]] std::string to_string(const tensor_type& type);

/// Moves as a handle: a copy copies no element.
///
/// Owns: a share of `memory`.
struct tensor {
  buffer memory;
  std::int64_t offset_bytes = 0;
  tensor_type type;
  event ready; ///< after it the elements may be read; empty: at once

  [[nodiscard]] std::byte* bytes() const {
    return memory.data() + offset_bytes;
  }

  /// @pre type.type is the dtype of T
  template <class T>
  [[nodiscard]] T* data() const {
    PD_ASSERT(dtype_of<T> == type.type);
    return reinterpret_cast<T*>(bytes());
  }
};

} // namespace pd
