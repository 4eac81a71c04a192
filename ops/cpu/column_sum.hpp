/// Sums over the rows of a matrix: the gradient of what was added to each.

#pragma once

#include <algorithm>
#include <cstdint>

namespace pd::cpu {

/// Rows of `columns` numbers, `step` elements apart.
struct row_span {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t step = 0;
};

/// sum[c] = the sum over rows of x[r, c], in the order of the rows; or that
/// sum, once it is whole, added to sum[c]: so two replicas' sums come to the
/// same bits. T: float or bf16.
template <class T>
void sum_rows(const T* x, const row_span& of, float* sum, bool adds) {
  constexpr std::int64_t at_once = 64;
#pragma omp parallel for schedule(static)
  for (std::int64_t first = 0; first < of.columns; first += at_once) {
    const auto end = std::min(first + at_once, of.columns);
    float own[at_once] = {};
    for (std::int64_t r = 0; r < of.rows; ++r)
      for (auto c = first; c < end; ++c)
        own[c - first] += static_cast<float>(x[r * of.step + c]);
    for (auto c = first; c < end; ++c)
      sum[c] = adds ? sum[c] + own[c - first] : own[c - first];
  }
}

} // namespace pd::cpu
