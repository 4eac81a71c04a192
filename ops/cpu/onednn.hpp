/// oneDNN for kernels: descriptors of our tensors, and passes: what a kernel's
/// call does, prepared once.

#pragma once

#include "engine/device/tensor.hpp"
#include "engine/graph/kernel.hpp"
#include "ops/cpu/kernels.hpp"

#include <cstdint>
#include <dnnl.hpp>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

namespace pd::cpu {

/// The one engine of this process.
[[nodiscard]] const dnnl::engine& onednn_engine();

/// f32 and bf16.
[[nodiscard]] dnnl::memory::format_tag tag_of(layout order);
[[nodiscard]] dnnl::memory::data_type to_onednn(dtype type);
[[nodiscard]] dtype from_onednn(dnnl::memory::data_type type);

/// Of a tensor as it lies in memory. The channel padding counts as channels:
/// it is zero and comes out zero, and oneDNN, which runs reference code where
/// it meets odd channels in a blocked layout, sees none.
[[nodiscard]] dnnl::memory::desc to_onednn(const tensor_type& type);

[[nodiscard]] std::int64_t stored_elems(const dnnl::memory::desc& of);

/// The same layout with elements of another type.
[[nodiscard]] dnnl::memory::desc with_type(const dnnl::memory::desc& of,
                                           dtype type);

/// A scratchpad that the caller brings.
[[nodiscard]] dnnl::primitive_attr user_scratchpad();

/// True if oneDNN has only its reference code (hundreds of times slower), or
/// nothing at all: `made` is empty.
[[nodiscard]] bool is_reference(const dnnl::primitive_desc_base& made);

/// Moves elements at once; for what happens while a kernel is made. Same type.
void reorder_now(const dnnl::memory::desc& from_as, const void* from,
                 const dnnl::memory::desc& to_as, void* to);

/// While it lives, the calling thread's OpenMP team is as large as that of the
/// device's streams: oneDNN shares out a primitive's work when it is made.
class team_of {
public:
  explicit team_of(const device& on);
  ~team_of();
  team_of(const team_of&) = delete;
  team_of& operator=(const team_of&) = delete;

private:
  int before_;
};

/// The kernel that `make` makes in the context's own type, or else in f32.
///
/// make: dtype -> std::unique_ptr<kernel>, null if it cannot. dnnl.hpp throws,
/// and this is where that ends.
/// Errors: not_supported, with oneDNN's words.
[[nodiscard]] made_kernel
make_with_onednn(const kernel_context& context,
                 const std::function<std::unique_ptr<kernel>(dtype)>& make);

/// A straight program over places in memory: primitives, and what must go
/// before and after them. Allocates nothing in run() (oneDNN 2.6 itself makes
/// five to seven small nodes a primitive, for its map of arguments).
///
///     onednn_pass forward;
///     const auto x = forward.outside(), y = forward.outside();
///     forward.primitive(pd, {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
///     ...
///     forward.run({call.input, call.output}, call.scratch);
class onednn_pass {
public:
  /// Stands for a pointer that run() gets or that lies in scratch.
  using place = int;
  using pointers = std::span<void* const>;

  struct argument {
    int index; ///< DNNL_ARG_...
    place at;
    dnnl::memory::desc as;
  };

  /// The next of run()'s operands.
  [[nodiscard]] place outside();
  /// Room in scratch, aligned.
  [[nodiscard]] place temporary(std::int64_t bytes);

  /// Runs `made`. Its scratchpad is taken care of.
  void primitive(const dnnl::primitive_desc_base& made,
                 std::vector<argument> arguments);

  /// What is at `from` as `given`, as `wanted`: there, or in a temporary.
  [[nodiscard]] place fetch(place from, const dnnl::memory::desc& given,
                            const dnnl::memory::desc& wanted);
  /// Where to write what is wanted at `to` as `given`; then call store().
  [[nodiscard]] place room(place to, const dnnl::memory::desc& made,
                           const dnnl::memory::desc& given);
  /// Moves it to where it is wanted, if it is not there yet.
  void store(place from, const dnnl::memory::desc& made, place to,
             const dnnl::memory::desc& given);

  /// x[i] *= factor[i]. Keeps a reference to `factor`.
  void multiply(place x, const std::vector<float>& factor);
  /// sum[i] += x[i]
  void add(place x, place sum, std::int64_t elems);

  /// Anything else; indexed by place.
  void step(std::function<void(pointers)> work);

  [[nodiscard]] std::int64_t scratch_bytes() const { return scratch_bytes_; }

  /// operands: in the order of the outside() calls. scratch: scratch_bytes().
  void run(std::initializer_list<operand> operands, operand scratch);

private:
  void change_type(place from, dtype from_type, place to, dtype to_type,
                   std::int64_t elems);
  void reorder(place from, const dnnl::memory::desc& given, place to,
               const dnnl::memory::desc& wanted);

  std::vector<std::function<void(pointers)>> steps_;
  std::vector<void*> places_;
  std::vector<std::int64_t> offsets_; ///< in scratch, by place; -1: outside
  std::int64_t scratch_bytes_ = 0;
};

} // namespace pd::cpu
