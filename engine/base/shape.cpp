#include "engine/base/shape.hpp"

#include <functional>
#include <numeric>
#include <ostream>

namespace pd {

std::int64_t shape::elems() const {
  return std::accumulate(begin(), end(), std::int64_t{1}, std::multiplies<>{});
}

std::string to_string(const shape& extents) {
  std::string text = "[";
  for (int axis = 0; axis < extents.rank(); ++axis)
    text += (axis == 0 ? "" : ", ") + std::to_string(extents[axis]);
  return text + "]";
}

std::ostream& operator<<(std::ostream& out, const shape& extents) {
  return out << to_string(extents);
}

} // namespace pd
