/// Memory that a process shares with one that it starts.

#pragma once

#include "engine/base/error.hpp"

#include <cstddef>
#include <memory>

namespace pd {

/// Zero at first. The other side gets the descriptor and opens it.
class shared_memory {
public:
  /// Errors: io.
  [[nodiscard]] static result<std::unique_ptr<shared_memory>>
  make(std::size_t bytes);
  [[nodiscard]] static result<std::unique_ptr<shared_memory>>
  open(int descriptor);

  shared_memory(const shared_memory&) = delete;
  shared_memory& operator=(const shared_memory&) = delete;
  ~shared_memory();

  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

private:
  shared_memory(int descriptor, void* data, std::size_t bytes)
    : descriptor_{descriptor}, data_{data}, bytes_{bytes} {}

  int descriptor_;
  void* data_;
  std::size_t bytes_;
};

} // namespace pd
