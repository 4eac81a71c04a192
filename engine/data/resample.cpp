#include "engine/data/resample.hpp"

#include "engine/base/assert.hpp"
#include "engine/data/cpu/resample_rows.hpp"

#include <algorithm>
#include <cmath>

namespace pd {

void axis_weights::compute(const resize_axis& axis) {
  firsts_.clear();
  begins_.assign(1, 0);
  weights_.clear();
  begin_ = axis.high;
  end_ = axis.low;
  for (int i = 0; i < axis.count; ++i)
    add(axis, axis.first + i);
}

void axis_weights::add(const resize_axis& axis, int position) {
  const double scale = (axis.end - axis.begin) / axis.positions;
  const double base = std::max(scale, 1.0);
  const double center = axis.begin + (position + 0.5) * scale;
  const int first = std::max(static_cast<int>(center - base + 0.5), axis.low);
  const int end = std::min(static_cast<int>(center + base + 0.5), axis.high);
  PD_ASSERT(first < end);
  const auto weight = [&](int i) {
    return std::max(0.0, 1.0 - std::abs(i + 0.5 - center) / base);
  };
  double sum = 0;
  for (int i = first; i < end; ++i)
    sum += weight(i);
  for (int i = first; i < end; ++i)
    weights_.push_back(static_cast<float>(weight(i) / sum));
  firsts_.push_back(first);
  begins_.push_back(weights_.size());
  begin_ = std::min(begin_, first);
  end_ = std::max(end_, end);
}

void resample(const pixel_view& from, const axis_weights& rows,
              const axis_weights& columns, const plane_scale& scale,
              bool is_mirrored, std::vector<float>& scratch,
              std::span<float> planes) {
  const int channels = from.channels == 4 ? 3 : 1;
  const auto width = static_cast<std::size_t>(columns.size());
  const auto plane = width * static_cast<std::size_t>(rows.size());
  PD_ASSERT_EQ(planes.size(), plane * static_cast<std::size_t>(channels));
  const auto input =
    static_cast<std::size_t>((columns.end() - columns.begin()) * from.channels);
  scratch.resize(std::max(scratch.size(), input));
  const std::span line{scratch.data(), input};
  const auto skipped = (columns.begin() - from.where.left) * from.channels;
  for (int y = 0; y < rows.size(); ++y) {
    cpu::sum_rows(from.row(rows.first(y)) + skipped, from.row_bytes,
                  rows.weights(y), line);
    auto* out = planes.data() + static_cast<std::size_t>(y) * width;
    if (channels == 3)
      cpu::resample_colors(line.data(), columns, scale, is_mirrored, out,
                           plane);
    else
      cpu::resample_grey(line.data(), columns, scale, is_mirrored, out);
  }
}

} // namespace pd
