#include "engine/graph/kernel.hpp"

#include <algorithm>

namespace pd {

parameter_storage kernel::storage(int, const parameter& rule) const {
  return {rule.extents.elems(), rule.type};
}

void kernel::pack(int, std::span<const float> plain,
                  std::span<float> stored) const {
  std::ranges::copy(plain, stored.begin());
}

void kernel::unpack(int, std::span<const float> stored,
                    std::span<float> plain) const {
  std::ranges::copy(stored, plain.begin());
}

} // namespace pd
