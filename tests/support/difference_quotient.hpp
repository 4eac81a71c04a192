/// Gradients by the difference quotient along a direction.

#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace pd {

/// (f(x + h v) - f(x - h v)) / 2h, with `x` put back as it was.
///
/// f: reads `x`, gives a double. v: as long as x.
template <class F>
[[nodiscard]] double difference_quotient(F&& f, std::span<float> x,
                                         std::span<const float> v, double h) {
  const std::vector<float> start{x.begin(), x.end()};
  const auto at = [&](double step) {
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>(double{start[i]} + step * double{v[i]});
    return f();
  };
  const double slope = (at(h) - at(-h)) / (2 * h);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = start[i];
  return slope;
}

/// The sum of a[i] * b[i], in double.
[[nodiscard]] inline double dot(std::span<const float> a,
                                std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += double{a[i]} * double{b[i]};
  return sum;
}

} // namespace pd
