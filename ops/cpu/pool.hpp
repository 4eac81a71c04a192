/// What the pools' kernels share: images as planes of rows, and the choice of
/// a kernel by element type and block.

#pragma once

#include "engine/graph/kernel.hpp"
#include "ops/cpu/channel_view.hpp"
#include "ops/cpu/kernels.hpp"
#include "ops/cpu/lanes.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace pd::cpu {

/// An activation as planes [H, W, B], one for each sample and channel block.
struct planes {
  channel_view view;
  std::int64_t count = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;

  static planes of(const tensor_type& type) {
    const auto& x = type.extents;
    const auto view = channel_view::of(type);
    return {view, view.images * view.blocks, x[2], x[3]};
  }

  /// The first element of a plane.
  [[nodiscard]] std::int64_t at(std::int64_t plane) const {
    return view.row_at(plane / view.blocks, plane % view.blocks, 0);
  }
  /// Elements from a row of lanes to the next.
  [[nodiscard]] std::int64_t step() const { return view.pixel_step; }
};

/// For each place along an axis, those that it goes to or comes from.
template <class T>
struct table {
  std::vector<std::int64_t> starts; ///< one more than there are places
  std::vector<T> entries;

  [[nodiscard]] std::span<const T> at(std::int64_t place) const {
    const auto i = static_cast<std::size_t>(place);
    const auto begin = static_cast<std::size_t>(starts[i]);
    const auto end = static_cast<std::size_t>(starts[i + 1]);
    return std::span{entries}.subspan(begin, end - begin);
  }
};

/// Makes Kernel<T, B> for the context's element type and channel block.
template <template <class, int> class Kernel, class Rule>
made_kernel make_pool(const kernel_context& context) {
  const auto& rule = static_cast<const Rule&>(context.rule);
  const auto make = [&]<class T, int B>() -> made_kernel {
    return std::unique_ptr<kernel>{
      std::make_unique<Kernel<T, B>>(rule, context)};
  };
  const auto with_block = [&]<class T>() -> made_kernel {
    switch (row_lanes(context.output)) {
    case 32:
      return make.template operator()<T, 32>();
    case 16:
      return make.template operator()<T, 16>();
    case 8:
      return make.template operator()<T, 8>();
    default:
      return make.template operator()<T, 1>();
    }
  };
  if (context.inputs[0].order != context.output.order)
    return error{errc::not_supported,
                 context.at.op
                   + ": takes its input in the order of its output, "
                   + to_string(context.output.order) + ", got "
                   + to_string(context.inputs[0].order)};
  return context.output.type == dtype::bf16
           ? with_block.template operator()<bf16>()
           : with_block.template operator()<float>();
}

} // namespace pd::cpu
