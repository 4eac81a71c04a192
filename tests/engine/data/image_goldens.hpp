/// The tensors of tests/golden/images/<name>.safetensors, which
/// tests/golden/make_image_goldens.py writes.

#pragma once

#include "engine/checkpoint/safetensors.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace pd::test {

class image_goldens {
public:
  explicit image_goldens(const std::string& name) {
    auto read = read_safetensors(PD_SOURCE_DIR "/tests/golden/images/" + name
                                 + ".safetensors");
    REQUIRE(read);
    all_ = *std::move(read);
  }

  [[nodiscard]] std::span<const std::uint8_t>
  bytes(const std::string& name) const {
    const auto& found = tensor(name);
    return {reinterpret_cast<const std::uint8_t*>(found.bytes.data()),
            found.bytes.size()};
  }

  /// Numbers of 4 bytes: float or std::int32_t.
  template <class T>
  [[nodiscard]] std::vector<T> numbers(const std::string& name) const {
    const auto& found = tensor(name);
    std::vector<T> made(found.bytes.size() / sizeof(T));
    std::memcpy(made.data(), found.bytes.data(), found.bytes.size());
    return made;
  }

  [[nodiscard]] std::vector<std::int64_t> shape(const std::string& name) const {
    return tensor(name).shape;
  }

  /// The names that end in `ending`, without it.
  [[nodiscard]] std::vector<std::string>
  names(const std::string& ending) const {
    std::vector<std::string> made;
    for (const auto& each : all_.tensors)
      if (each.name.ends_with(ending))
        made.push_back(each.name.substr(0, each.name.size() - ending.size()));
    return made;
  }

private:
  [[nodiscard]] const safetensor& tensor(const std::string& name) const {
    const auto* found = all_.find(name);
    INFO(name);
    REQUIRE(found != nullptr);
    return *found;
  }

  safetensors_file all_;
};

} // namespace pd::test
