#include "tests/support/compare.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <sstream>
#include <vector>

namespace pd {

namespace {

/// "[1, 0, 3]": where element `index` lies in `extents`.
std::string place(std::size_t index, const shape& extents) {
  auto rest = static_cast<std::int64_t>(index);
  std::vector<std::int64_t> at(static_cast<std::size_t>(extents.rank()));
  for (int axis = extents.rank() - 1; axis >= 0; --axis) {
    at[static_cast<std::size_t>(axis)] = rest % extents[axis];
    rest /= extents[axis];
  }
  return to_string(shape{at});
}

double largest(std::span<const float> values) {
  double most = 0;
  for (const double x : values)
    most = std::max(most, std::abs(x));
  return most;
}

double norm(std::span<const float> values) {
  double sum = 0;
  for (const double x : values)
    sum += x * x;
  return std::sqrt(sum);
}

} // namespace

std::string first_difference(std::span<const float> got,
                             std::span<const float> wanted,
                             const shape& extents, double relative) {
  std::ostringstream out;
  out.precision(9);
  if (got.size() != wanted.size()) {
    out << got.size() << " elements, wanted " << wanted.size();
    return out.str();
  }
  const double allowed = relative * largest(wanted);
  double sum = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double by = double{got[i]} - double{wanted[i]};
    sum += by * by;
    if (!(std::abs(by) <= allowed)) {
      out << "at " << place(i, extents) << ": got " << got[i] << ", wanted "
          << wanted[i] << ", off by " << by << ", allowed " << allowed;
      return out.str();
    }
  }
  if (!(std::sqrt(sum) <= relative * norm(wanted)))
    out << "norm of the difference " << std::sqrt(sum) << ", allowed "
        << relative * norm(wanted);
  return out.str();
}

} // namespace pd
