/// Batch normalization with a fused residual and ReLU, bound by memory.
///
///     forward   start: K    reduce: sums of x     finish   apply: y
///     backward              reduce: sums, dz      finish   apply: dx
///
/// A thread takes a few channel blocks through all four (row_grid.hpp), so x
/// and dy come from memory once and from the cache the second time.
///
/// Sums are f32 over about 256 rows and double beyond. K, near which values
/// are summed, is the mean of the rows just before: the square of the distance
/// between the means of neighbours is at most four times the variance, on
/// average, so no cancellation can be large.
///
/// The workspace holds seven numbers a channel and, for a ReLU after a
/// residual, a bit an element; without a residual the mask is computed again
/// from x. So the output is not stashed.

#include "ops/batch_norm.hpp"

#include "ops/cpu/batch_norm_rows.hpp"
#include "ops/cpu/kernels.hpp"
#include "ops/cpu/row_grid.hpp"

#include <array>
#include <cmath>

namespace pd::cpu {

namespace {

constexpr std::int64_t chunk_rows = 256;
/// What the blocks that a thread takes at once may have of one operand.
constexpr std::int64_t group_bytes = 128 << 10;
/// An output of at least so much goes around the caches. It may cost the next
/// node a read from memory, which its arithmetic hides; it saves this one the
/// read of the lines that it overwrites. (Measured: 16 x 2048 x 7 x 7 takes
/// half the time.)
constexpr std::int64_t streamed_bytes = 4 << 20;

/// Calls f(f's argument types...) with a compile-time copy of a flag.
template <class F>
auto with_flag(bool flag, F&& f) {
  return flag ? f(std::true_type{}) : f(std::false_type{});
}

bool is_aligned(const void* memory) {
  return reinterpret_cast<std::uintptr_t>(memory) % 64 == 0;
}

/// Numbers by channel, each an array of padded_channels().
struct norm_workspace {
  enum array {
    center,
    scale,
    shift,
    inverse_deviation,
    offset,
    dw,
    db,
    arrays
  };

  float* base = nullptr;
  std::int64_t channels = 0;

  [[nodiscard]] float* operator[](array which) const {
    return base + which * channels;
  }
  [[nodiscard]] void* bits() const { return base + arrays * channels; }
};

/// Sums by part and channel; slope and level of backward.
template <int B>
struct norm_scratch {
  double* base = nullptr;
  const row_grid& grid;

  [[nodiscard]] double* sums(std::int64_t block, std::int64_t part) const {
    return base + (block * grid.parts() + part) * 2 * B;
  }
  [[nodiscard]] float* slope() const {
    return reinterpret_cast<float*>(sums(grid.blocks, 0));
  }
  [[nodiscard]] float* level() const {
    return slope() + grid.padded_channels();
  }
  /// The sums of all parts of a block, added in their order.
  void total(std::int64_t block, double* first, double* second) const {
    std::fill_n(first, B, 0.0);
    std::fill_n(second, B, 0.0);
    for (std::int64_t part = 0; part < grid.parts(); ++part)
      for (int l = 0; l < B; ++l) {
        first[l] += sums(block, part)[l];
        second[l] += sums(block, part)[B + l];
      }
  }

  static std::int64_t bytes(const row_grid& grid) {
    return (grid.blocks * grid.parts() * 2 * B + grid.padded_channels())
           * static_cast<std::int64_t>(sizeof(double));
  }
};

/// Sums `Most` or fewer blocks of a part, in f32 by add(block, run, sums), and
/// in double by flush(block, sums) every chunk_rows or so.
template <int B, std::int64_t Most, class Add, class Flush>
void sum_part(const row_grid& grid, block_range blocks, std::int64_t part,
              Add&& add, Flush&& flush) {
  std::array<row_sums<B>, Most> all;
  const auto end_chunk = [&](std::int64_t block) {
    auto& sums = all[static_cast<std::size_t>(block - blocks.first)];
    flush(block, sums);
    sums = {};
  };
  for_runs(grid, blocks, part, [&](std::int64_t block, const row_run& run) {
    auto& sums = all[static_cast<std::size_t>(block - blocks.first)];
    for (std::int64_t i = 0; i < run.rows; i += chunk_rows) {
      add(block,
          row_run{run.at + i * grid.pixel_step, run.row + i,
                  std::min(chunk_rows, run.rows - i)},
          sums);
      if (sums.rows >= chunk_rows)
        end_chunk(block);
    }
  });
  for (auto block = blocks.first; block < blocks.end; ++block)
    if (all[static_cast<std::size_t>(block - blocks.first)].rows > 0)
      end_chunk(block);
}

/// Calls f with the most blocks that a part is summed for at once.
template <class F>
void with_most_blocks(const row_grid& grid, F&& f) {
  if (grid.has_side_by_side_blocks())
    f(std::integral_constant<std::int64_t, row_grid::most_blocks_at_once>{});
  else
    f(std::integral_constant<std::int64_t, 1>{});
}

// -- forward -----------------------------------------------------------------

template <class T, int B>
struct forward_pass {
  using loop = void (*)(norm_rows<T, B>, norm_channels);

  const row_grid& grid;
  const batch_norm::settings& set;
  const forward_call& call;
  norm_workspace numbers;
  norm_scratch<B> scratch;
  norm_rows<T, B> operands; ///< at row 0
  loop normalize_rows;

  void start(std::int64_t block) {
    if (!call.is_training)
      return;
    auto* center = numbers[norm_workspace::center] + block * B;
    std::fill_n(center, B, 0.0F);
    row_sums<B> sums;
    sum_values<T, B>(
      values({grid.row_at(0, block, 0), 0, std::min(chunk_rows, grid.pixels)}),
      center, sums);
    for (int l = 0; l < B; ++l)
      center[l] = sums.first[l] / static_cast<float>(sums.rows);
  }

  void reduce(block_range blocks, std::int64_t part) {
    if (call.is_training)
      with_most_blocks(grid, [&](auto most) { reduce<most()>(blocks, part); });
  }

  template <std::int64_t Most>
  void reduce(block_range blocks, std::int64_t part) {
    alignas(64) std::array<float, B * Most> centers;
    const auto center_of = [&](std::int64_t block) {
      return centers.data() + (block - blocks.first) * B;
    };
    for (std::int64_t i = 0; i < std::min(blocks.size(), Most); ++i) {
      const auto block = blocks.first + i;
      std::copy_n(numbers[norm_workspace::center] + block * B, B,
                  center_of(block));
      std::fill_n(scratch.sums(block, part), 2 * B, 0.0);
    }
    sum_part<B, Most>(
      grid, blocks, part,
      [&](std::int64_t block, const row_run& run, row_sums<B>& sums) {
        sum_values<T, B>(values(run), center_of(block), sums);
      },
      [&](std::int64_t block, const row_sums<B>& sums) {
        auto* sum = scratch.sums(block, part);
        add_chunk(sums, center_of(block), sum, sum + B);
      });
  }

  [[nodiscard]] norm_rows<T, B> values(const row_run& run) const {
    norm_rows<T, B> at;
    at.rows = run.rows;
    at.step = grid.pixel_step;
    at.x = operands.x + run.at;
    return at;
  }

  /// Adds the sums of x and x^2, from those of x - K; moves K.
  static void add_chunk(const row_sums<B>& sums, float* center, double* sum,
                        double* square) {
    const auto n = static_cast<double>(sums.rows);
    const float each = 1.0F / static_cast<float>(sums.rows);
    for (int l = 0; l < B; ++l) {
      const double k = center[l];
      const double s = sums.first[l];
      const double q = sums.second[l];
      sum[l] += s + n * k;
      square[l] += q + k * (2 * s + n * k);
      center[l] += sums.first[l] * each;
    }
  }

  void finish(std::int64_t block) {
    double sum[B];
    double square[B];
    if (call.is_training)
      scratch.total(block, sum, square);
    for (int l = 0; l < B; ++l) {
      const auto channel = block * B + l;
      if (channel >= grid.channels)
        clear(channel);
      else if (call.is_training)
        use_batch(channel, sum[l], square[l]);
      else
        use_running(channel);
    }
  }

  /// Of the padding: so it stays zero.
  void clear(std::int64_t channel) {
    for (int i = 0; i < norm_workspace::arrays; ++i)
      numbers[static_cast<norm_workspace::array>(i)][channel] = 0;
  }

  void use_batch(std::int64_t channel, double sum, double square) {
    const auto n = static_cast<double>(grid.images * grid.pixels);
    const double mean = sum / n;
    const double variance = std::max(square / n - mean * mean, 0.0);
    set_numbers(channel, mean, variance);
    if (call.is_repeat)
      return;
    const double unbiased = variance * n / std::max(n - 1, 1.0);
    move(batch_norm::running_mean, channel, mean);
    move(batch_norm::running_var, channel, unbiased);
  }

  void move(int statistic, std::int64_t channel, double towards) {
    auto& value =
      call.parameters[static_cast<std::size_t>(statistic)].f32()[channel];
    value = static_cast<float>((1 - set.momentum) * double{value}
                               + set.momentum * towards);
  }

  void use_running(std::int64_t channel) {
    set_numbers(
      channel, double{call.parameters[batch_norm::running_mean].f32()[channel]},
      double{call.parameters[batch_norm::running_var].f32()[channel]});
  }

  void set_numbers(std::int64_t channel, double mean, double variance) {
    const double weight{call.parameters[batch_norm::weight].f32()[channel]};
    const double bias{call.parameters[batch_norm::bias].f32()[channel]};
    const double inverse = 1 / std::sqrt(variance + set.eps);
    const auto k = static_cast<float>(mean);
    const auto put = [&](norm_workspace::array which, double value) {
      numbers[which][channel] = static_cast<float>(value);
    };
    put(norm_workspace::center, mean);
    put(norm_workspace::scale, weight * inverse);
    put(norm_workspace::shift, bias - (mean - double{k}) * weight * inverse);
    put(norm_workspace::inverse_deviation, inverse);
    put(norm_workspace::offset, mean - double{k});
  }

  void apply(block_range blocks, std::int64_t part) {
    for_runs(grid, blocks, part, [&](std::int64_t block, const row_run& run) {
      const norm_channels by{numbers[norm_workspace::center] + block * B,
                             numbers[norm_workspace::scale] + block * B,
                             numbers[norm_workspace::shift] + block * B,
                             nullptr, nullptr};
      auto at = values(run);
      if (operands.residual != nullptr)
        at.residual = operands.residual + run.at;
      at.y = operands.y + run.at;
      at.bits = operands.bits + run.row;
      normalize_rows(at, by);
    });
    sync_streams();
  }
};

template <class T, int B>
typename forward_pass<T, B>::loop normalize_loop(bool has_residual,
                                                 norm_clip clip, bool streams) {
  return with_flag(has_residual, [&](auto residual) {
    return with_flag(streams, [&](auto stream) {
      using loop = typename forward_pass<T, B>::loop;
      switch (clip) {
      case norm_clip::relu:
        return loop{normalize<T, B, residual(), norm_clip::relu, stream()>};
      case norm_clip::relu6:
        return loop{normalize<T, B, residual(), norm_clip::relu6, stream()>};
      default:
        return loop{normalize<T, B, residual(), norm_clip::none, stream()>};
      }
    });
  });
}

// -- backward ----------------------------------------------------------------

template <class T, int B>
struct backward_pass {
  using sum_loop = void (*)(norm_rows<T, B>, norm_channels, row_sums<B>&);
  using grad_loop = void (*)(norm_rows<T, B>, norm_channels);

  const row_grid& grid;
  norm_workspace numbers;
  norm_scratch<B> scratch;
  norm_rows<T, B> operands; ///< at row 0
  sum_loop sum_rows;
  grad_loop differentiate_rows; ///< null: nobody wants dx

  void start(std::int64_t) {}

  void reduce(block_range blocks, std::int64_t part) {
    with_most_blocks(grid, [&](auto most) { reduce<most()>(blocks, part); });
  }

  template <std::int64_t Most>
  void reduce(block_range blocks, std::int64_t part) {
    for (auto block = blocks.first; block < blocks.end; ++block)
      std::fill_n(scratch.sums(block, part), 2 * B, 0.0);
    sum_part<B, Most>(
      grid, blocks, part,
      [&](std::int64_t block, const row_run& run, row_sums<B>& sums) {
        sum_rows(rows_of(run), numbers_of(block), sums);
      },
      [&](std::int64_t block, const row_sums<B>& sums) {
        auto* first = scratch.sums(block, part);
        for (int l = 0; l < B; ++l) {
          first[l] += static_cast<double>(sums.first[l]);
          first[B + l] += static_cast<double>(sums.second[l]);
        }
      });
  }

  void finish(std::int64_t block) {
    double dz[B];
    double dz_d[B]; // d: x - K
    scratch.total(block, dz, dz_d);
    for (int l = 0; l < B; ++l)
      set_numbers(block * B + l, dz[l], dz_d[l]);
  }

  void set_numbers(std::int64_t channel, double dz, double dz_d) {
    const auto n = static_cast<double>(grid.images * grid.pixels);
    const double scale{numbers[norm_workspace::scale][channel]};
    const double inverse{numbers[norm_workspace::inverse_deviation][channel]};
    const double offset{numbers[norm_workspace::offset][channel]};
    const double dz_x = dz_d - offset * dz; // of the sums with x - mean
    const double slope = -scale * inverse * inverse * dz_x / n;
    scratch.slope()[channel] = static_cast<float>(slope);
    scratch.level()[channel] =
      static_cast<float>(-scale * dz / n - slope * offset);
    numbers[norm_workspace::dw][channel] = static_cast<float>(dz_x * inverse);
    numbers[norm_workspace::db][channel] = static_cast<float>(dz);
  }

  void apply(block_range blocks, std::int64_t part) {
    if (differentiate_rows == nullptr)
      return;
    for_runs(grid, blocks, part, [&](std::int64_t block, const row_run& run) {
      auto at = rows_of(run);
      if (at.dz != nullptr)
        at.dy = at.dz;
      differentiate_rows(at, numbers_of(block));
    });
    sync_streams();
  }

  [[nodiscard]] norm_channels numbers_of(std::int64_t block) const {
    return {numbers[norm_workspace::center] + block * B,
            numbers[norm_workspace::scale] + block * B,
            numbers[norm_workspace::shift] + block * B,
            scratch.slope() + block * B, scratch.level() + block * B};
  }

  [[nodiscard]] norm_rows<T, B> rows_of(const row_run& run) const {
    auto at = operands;
    at.rows = run.rows;
    at.step = grid.pixel_step;
    at.x += run.at;
    at.dy += run.at;
    at.bits += run.row;
    if (at.other_dy != nullptr)
      at.other_dy += run.at;
    if (at.dz != nullptr)
      at.dz += run.at;
    if (at.dx != nullptr)
      at.dx += run.at;
    return at;
  }
};

template <class T, int B, relu_mask Mask>
typename backward_pass<T, B>::sum_loop sum_loop_of(bool has_other,
                                                   bool writes) {
  return with_flag(has_other, [&](auto other) {
    return with_flag(writes, [&](auto write) {
      return typename backward_pass<T, B>::sum_loop{
        sum_grads<T, B, Mask, other(), write()>};
    });
  });
}

template <class T, int B, relu_mask Mask>
typename backward_pass<T, B>::grad_loop grad_loop_of(bool streams) {
  return with_flag(streams, [&](auto stream) {
    return typename backward_pass<T, B>::grad_loop{
      differentiate<T, B, Mask, stream()>};
  });
}

template <class T, int B>
void choose_loops(backward_pass<T, B>& pass, relu_mask mask, bool streams) {
  const bool has_other = pass.operands.other_dy != nullptr;
  const bool writes = pass.operands.dz != nullptr;
  const auto choose = [&](auto of) {
    pass.sum_rows = sum_loop_of<T, B, of()>(has_other, writes);
    pass.differentiate_rows = writes
                                ? grad_loop_of<T, B, relu_mask::none>(streams)
                                : grad_loop_of<T, B, of()>(streams);
  };
  if (mask == relu_mask::from_input)
    choose(std::integral_constant<relu_mask, relu_mask::from_input>{});
  else if (mask == relu_mask::from_input_6)
    choose(std::integral_constant<relu_mask, relu_mask::from_input_6>{});
  else if (mask == relu_mask::from_bits)
    choose(std::integral_constant<relu_mask, relu_mask::from_bits>{});
  else
    choose(std::integral_constant<relu_mask, relu_mask::none>{});
  if (pass.operands.dx == nullptr)
    pass.differentiate_rows = nullptr;
}

// -- the kernel --------------------------------------------------------------

template <class T, int B>
class batch_norm_kernel final : public kernel {
public:
  batch_norm_kernel(const kernel_context& context,
                    const batch_norm::settings& set)
    : set_{set},
      grid_{row_grid::of(context.output)},
      has_residual_{context.inputs.size() == 2},
      bytes_{context.output.bytes()} {}

  [[nodiscard]] kernel_needs needs() const override {
    kernel_needs wanted;
    wanted.stashes_input = true;
    wanted.workspace_bytes =
      grid_.padded_channels() * norm_workspace::arrays * 4
      + (has_bits() ? grid_.rows() * std::int64_t{sizeof(lane_bits<B>)} : 0);
    wanted.scratch_bytes = norm_scratch<B>::bytes(grid_);
    wanted.backward_in_place = has_residual_ ? 1 : 0;
    wanted.takes_two_output_grads = true;
    return wanted;
  }

  void forward(const forward_call& call) override {
    norm_rows<T, B> operands;
    operands.x = call.inputs[0].as<T>();
    operands.residual = has_residual_ ? call.inputs[1].as<T>() : nullptr;
    operands.y = call.output.as<T>();
    const auto numbers = numbers_of(call.workspace);
    operands.bits = static_cast<lane_bits<B>*>(numbers.bits());
    forward_pass<T, B> pass{
      grid_,
      set_,
      call,
      numbers,
      scratch_of(call.scratch),
      operands,
      normalize_loop<T, B>(has_residual_, clip(), streams(operands.y))};
    run_passes(grid_, group(), pass);
    if (call.is_training && !call.is_repeat)
      ++*call.parameters[batch_norm::batches].template as<std::int64_t>();
  }

  void backward_input(const backward_call& call) override {
    const auto numbers = numbers_of(call.workspace);
    const auto operands = backward_operands(call, numbers);
    backward_pass<T, B> pass{grid_,    numbers, scratch_of(call.scratch),
                             operands, nullptr, nullptr};
    const bool is_fresh =
      operands.dx != operands.dy && operands.dx != operands.dz;
    choose_loops(pass, mask(), is_fresh && streams(operands.dx));
    run_passes(grid_, group(), pass);
  }

  void backward_weight(const backward_call& call) override {
    const auto numbers = numbers_of(call.workspace);
    const auto put = [&](int parameter, const float* from) {
      auto* to =
        call.parameter_grads[static_cast<std::size_t>(parameter)].f32();
      for (std::int64_t i = 0; to != nullptr && i < grid_.channels; ++i)
        to[i] = call.accumulate ? to[i] + from[i] : from[i];
    };
    put(batch_norm::weight, numbers[norm_workspace::dw]);
    put(batch_norm::bias, numbers[norm_workspace::db]);
  }

  [[nodiscard]] std::string describe() const override {
    return "batch_norm:" + std::to_string(B) + "x" + to_string(dtype_of<T>)
           + (has_residual_ ? "+add" : "") + (set_.relu ? "+relu" : "")
           + (set_.relu6 ? "+relu6" : "");
  }

private:
  [[nodiscard]] norm_clip clip() const {
    return set_.relu    ? norm_clip::relu
           : set_.relu6 ? norm_clip::relu6
                        : norm_clip::none;
  }

  [[nodiscard]] bool has_bits() const {
    return has_residual_ && clip() != norm_clip::none;
  }

  [[nodiscard]] relu_mask mask() const {
    return has_bits()   ? relu_mask::from_bits
           : set_.relu  ? relu_mask::from_input
           : set_.relu6 ? relu_mask::from_input_6
                        : relu_mask::none;
  }

  /// dz gets a place if it is an input gradient itself, or if it costs a sum
  /// that would be done twice.
  [[nodiscard]] norm_rows<T, B>
  backward_operands(const backward_call& call,
                    const norm_workspace& numbers) const {
    norm_rows<T, B> operands;
    operands.x = call.inputs[0].as<T>();
    operands.dy = call.output_grad.as<T>();
    operands.other_dy = call.other_output_grad.as<T>();
    operands.bits = static_cast<lane_bits<B>*>(numbers.bits());
    operands.dx = call.input_grads[0].as<T>();
    operands.dz = has_residual_ ? call.input_grads[1].as<T>() : nullptr;
    if (operands.dz == nullptr && operands.other_dy != nullptr)
      operands.dz = operands.dx;
    return operands;
  }

  [[nodiscard]] norm_workspace numbers_of(operand workspace) const {
    return {workspace.f32(), grid_.padded_channels()};
  }
  [[nodiscard]] norm_scratch<B> scratch_of(operand scratch) const {
    return {scratch.as<double>(), grid_};
  }
  [[nodiscard]] bool streams(const void* to) const {
    return bytes_ >= streamed_bytes && is_aligned(to);
  }
  /// Channel blocks that a thread takes at once.
  [[nodiscard]] std::int64_t group() const {
    return std::max(group_bytes / (bytes_ / grid_.blocks), std::int64_t{1});
  }

  batch_norm::settings set_;
  row_grid grid_;
  bool has_residual_;
  std::int64_t bytes_;
};

template <class T>
made_kernel make_of_type(const kernel_context& context,
                         const batch_norm::settings& set) {
  switch (row_grid::of(context.output).lanes) {
  case 32:
    return std::unique_ptr<kernel>{
      std::make_unique<batch_norm_kernel<T, 32>>(context, set)};
  case 8:
    return std::unique_ptr<kernel>{
      std::make_unique<batch_norm_kernel<T, 8>>(context, set)};
  case 16:
    return std::unique_ptr<kernel>{
      std::make_unique<batch_norm_kernel<T, 16>>(context, set)};
  default:
    return std::unique_ptr<kernel>{
      std::make_unique<batch_norm_kernel<T, 1>>(context, set)};
  }
}

} // namespace

made_kernel make_batch_norm(const kernel_context& context) {
  const auto is_like_output = [&](const tensor_type& each) {
    return each == context.output;
  };
  const auto& type = context.output;
  const bool is_known = type.type == dtype::f32 || type.type == dtype::bf16;
  if (!std::ranges::all_of(context.inputs, is_like_output) || !is_known)
    return error{errc::not_supported, "batch_norm: from "
                                        + to_string(context.inputs[0]) + " to "
                                        + to_string(type)};
  const auto& set = dynamic_cast<const batch_norm&>(context.rule).set();
  return type.type == dtype::f32 ? make_of_type<float>(context, set)
                                 : make_of_type<bf16>(context, set);
}

} // namespace pd::cpu
