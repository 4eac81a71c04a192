/// concat: copies runs of channels, and takes them back.
///
/// Of a layout in blocks an input's block is one run, if the channels before it
/// fill whole blocks; else the whole's block boundary cuts it in two, at every
/// pixel. Of a layout with all channels of a pixel side by side an input is one
/// run.
///
///     input    |aaaa|aa..|      whole    |xxxa|aaaa|a...|
///               1 3  1 1                     1 3 1  1
///
/// A network that concatenates in a chain (DenseNet) takes each whole twice, so
/// backward adds two output gradients up as it reads them.

#include "ops/cpu/channel_view.hpp"
#include "ops/cpu/kernels.hpp"
#include "ops/cpu/lanes.hpp"

#include <algorithm>
#include <vector>

namespace pd::cpu {

namespace {

/// Channels as concat moves them: `lanes` together, then the next pixel's.
struct channel_runs {
  std::int64_t images, channels, pixels, lanes;

  static channel_runs of(const tensor_type& type) {
    const auto& x = type.extents;
    const bool is_blocked =
      x.rank() == 4 && type.order != layout::channels_last;
    return {x[0], x[1], x.elems() / (x[0] * x[1]),
            is_blocked ? channel_block(type.order) : x[1]};
  }

  [[nodiscard]] std::int64_t blocks() const {
    return (channels + lanes - 1) / lanes;
  }
  [[nodiscard]] std::int64_t image_step() const {
    return blocks() * lanes * pixels;
  }
  /// In an image, at its first pixel.
  [[nodiscard]] std::int64_t at(std::int64_t channel) const {
    return channel / lanes * lanes * pixels + channel % lanes;
  }
};

/// Channels that lie together both in an input and in the whole.
struct run {
  std::size_t input = 0;
  std::int64_t part_at = 0;  ///< element in an image of the input
  std::int64_t whole_at = 0; ///< and of the whole
  std::int64_t channels = 0;
};

std::vector<run> runs_of(const std::vector<channel_runs>& parts,
                         const channel_runs& whole) {
  std::vector<run> made;
  std::int64_t first = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& part = parts[i];
    for (std::int64_t c = 0; c < part.channels;) {
      const auto to = first + c;
      const auto together =
        std::min({part.channels - c, part.lanes - c % part.lanes,
                  whole.lanes - to % whole.lanes});
      made.push_back({i, part.at(c), whole.at(to), together});
      c += together;
    }
    first += part.channels;
  }
  return made;
}

/// Elements of T at a distance from pixel to pixel.
template <class T>
struct strided {
  T* first;
  std::int64_t step;
};

template <class T>
void copy_pixels(strided<const T> from, strided<T> to, std::int64_t channels,
                 std::int64_t pixels) {
  if (from.step == channels && to.step == channels) {
    std::copy_n(from.first, channels * pixels, to.first);
    return;
  }
  for (std::int64_t p = 0; p < pixels; ++p)
    std::copy_n(from.first + p * from.step, channels, to.first + p * to.step);
}

/// to[i] = a[i] + b[i]
template <class T>
void add_row(const T* a, const T* b, T* to, std::int64_t elems) {
  constexpr int at_once = 16;
  std::int64_t i = 0;
  for (; i + at_once <= elems; i += at_once)
    store<at_once>(to + i, load<at_once>(a + i) + load<at_once>(b + i));
  for (; i < elems; ++i)
    store<1>(to + i, load<1>(a + i) + load<1>(b + i));
}

template <class T>
void add_pixels(strided<const T> a, const T* b, strided<T> to,
                std::int64_t channels, std::int64_t pixels) {
  if (a.step == channels && to.step == channels) {
    add_row(a.first, b, to.first, channels * pixels);
    return;
  }
  for (std::int64_t p = 0; p < pixels; ++p)
    add_row(a.first + p * a.step, b + p * a.step, to.first + p * to.step,
            channels);
}

/// Zeroes the channels that pad the last block.
template <class T>
void zero_padding(const channel_runs& of, T* x) {
  const auto used = of.channels % of.lanes;
  if (used == 0)
    return;
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < of.images; ++n) {
    auto* rows = x + (n + 1) * of.image_step() - of.lanes * of.pixels;
    for (std::int64_t p = 0; p < of.pixels; ++p)
      std::fill_n(rows + p * of.lanes + used, of.lanes - used, T{});
  }
}

/// Thread: the stage's, with its OpenMP team. Allocates nothing after make.
class concat_kernel final : public kernel {
public:
  explicit concat_kernel(const kernel_context& context)
    : type_{context.output.type}, whole_{channel_runs::of(context.output)} {
    for (const auto& each : context.inputs)
      parts_.push_back(channel_runs::of(each));
    runs_ = runs_of(parts_, whole_);
  }

  [[nodiscard]] kernel_needs needs() const override {
    kernel_needs found;
    found.takes_two_output_grads = true;
    return found;
  }

  void forward(const forward_call& call) override {
    with_type(type_, [&]<class T>(T*) { put_together<T>(call); });
  }

  void backward_input(const backward_call& call) override {
    with_type(type_, [&]<class T>(T*) { take_apart<T>(call); });
  }

private:
  template <class T>
  void put_together(const forward_call& call) const {
    auto* whole = call.output.as<T>();
#pragma omp parallel for collapse(2) schedule(static)
    for (std::int64_t n = 0; n < whole_.images; ++n)
      for (std::size_t r = 0; r < runs_.size(); ++r) {
        const auto& own = runs_[r];
        const auto& part = parts_[own.input];
        copy_pixels<T>(
          {call.inputs[own.input].as<T>() + n * part.image_step() + own.part_at,
           part.lanes},
          {whole + n * whole_.image_step() + own.whole_at, whole_.lanes},
          own.channels, whole_.pixels);
      }
    zero_padding(whole_, whole);
  }

  template <class T>
  void take_apart(const backward_call& call) const {
#pragma omp parallel for collapse(2) schedule(static)
    for (std::int64_t n = 0; n < whole_.images; ++n)
      for (std::size_t r = 0; r < runs_.size(); ++r)
        if (call.input_grads[runs_[r].input])
          take_back<T>(call, n, runs_[r]);
    for (std::size_t i = 0; i < parts_.size(); ++i)
      if (call.input_grads[i])
        zero_padding(parts_[i], call.input_grads[i].as<T>());
  }

  template <class T>
  void take_back(const backward_call& call, std::int64_t n,
                 const run& own) const {
    const auto& part = parts_[own.input];
    const auto from = n * whole_.image_step() + own.whole_at;
    const strided<const T> dy{call.output_grad.as<T>() + from, whole_.lanes};
    const strided<T> dx{call.input_grads[own.input].as<T>()
                          + n * part.image_step() + own.part_at,
                        part.lanes};
    if (call.other_output_grad)
      add_pixels<T>(dy, call.other_output_grad.as<T>() + from, dx, own.channels,
                    whole_.pixels);
    else
      copy_pixels<T>(dy, dx, own.channels, whole_.pixels);
  }

  dtype type_;
  channel_runs whole_;
  std::vector<channel_runs> parts_;
  std::vector<run> runs_;
};

} // namespace

made_kernel make_concat(const kernel_context& context) {
  return std::unique_ptr<kernel>{std::make_unique<concat_kernel>(context)};
}

} // namespace pd::cpu
