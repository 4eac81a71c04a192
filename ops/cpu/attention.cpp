/// attention on oneDNN, a head of a sample at a time on one thread: what is
/// quadratic in the tokens stays in that thread's cache, and no bit depends on
/// the threads. Backward makes the probabilities again, so that nobody stashes
/// them (arXiv 2205.14135, section 3.1).
///
/// Heads compute in f32, whatever the precision: a product of oneDNN's in bf16
/// is half as fast for so small matrices without AMX.

#include "ops/attention.hpp"

#include "engine/device/cpu_device.hpp"
#include "ops/cpu/channel_view.hpp"
#include "ops/cpu/kernels.hpp"
#include "ops/cpu/lanes.hpp"
#include "ops/cpu/onednn.hpp"

#include <algorithm>
#include <cmath>
#include <omp.h>
#include <string>
#include <vector>

namespace pd::cpu {

namespace {

using dnnl::memory;
using place = onednn_pass::place;

struct attention_problem {
  std::int64_t samples = 0;
  std::int64_t tokens = 0;
  std::int64_t heads = 0;
  std::int64_t width = 0; ///< of a head
  dtype given = dtype::f32;

  /// Elements from a token to the next one, of y and of one of Q, K, V.
  [[nodiscard]] std::int64_t features() const { return heads * width; }
};

attention_problem problem_of(const kernel_context& context) {
  const auto& y = context.output.extents;
  const auto heads = dynamic_cast<const attention&>(context.rule).heads();
  return {y[0], y[1], heads, y[2] / heads, context.output.type};
}

// -- matrices ----------------------------------------------------------------

/// f32, row-major, rows `step` elements apart.
struct matrix {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t step = 0;

  [[nodiscard]] memory::desc as() const {
    return {{rows, columns}, memory::data_type::f32, {step, 1}};
  }
  [[nodiscard]] memory::desc flipped() const {
    return {{columns, rows}, memory::data_type::f32, {1, step}};
  }
};

/// Where a matrix is, and how.
struct placed {
  place at = 0;
  memory::desc as;
};

/// c = scale a b
void multiply(onednn_pass& pass, const placed& a, const placed& b,
              const placed& c, float scale = 1) {
  auto attributes = user_scratchpad();
  if (scale != 1)
    attributes.set_output_scales(0, {scale});
  const dnnl::matmul::primitive_desc made{
    {a.as, b.as, c.as}, attributes, onednn_engine()};
  pass.primitive(made, {{DNNL_ARG_SRC, a.at, a.as},
                        {DNNL_ARG_WEIGHTS, b.at, b.as},
                        {DNNL_ARG_DST, c.at, c.as}});
}

// -- one head ----------------------------------------------------------------

/// What happens to one head of one sample, on one thread. Operands are those
/// of the node, from the head's first element on.
class head_pass {
public:
  explicit head_pass(const attention_problem& of)
    : is_{of},
      inner_{of.tokens, of.width, of.width},
      square_{of.tokens, of.tokens, of.tokens},
      scale_{static_cast<float>(1 / std::sqrt(static_cast<double>(of.width)))} {
  }

  /// run({q, k, v, y})
  [[nodiscard]] onednn_pass forward();
  /// run({q, k, v, dy, dq, dk, dv})
  [[nodiscard]] onednn_pass backward();

private:
  struct triple {
    matrix of;
    place q = 0, k = 0, v = 0;
  };

  [[nodiscard]] place square() {
    return pass_.temporary(square_.rows * square_.columns * 4);
  }
  [[nodiscard]] place inner() {
    return pass_.temporary(inner_.rows * inner_.columns * 4);
  }
  /// The next operand's rows as f32, where they are or in a temporary.
  [[nodiscard]] place take(std::int64_t step);
  /// Where to write f32 rows; then give().
  [[nodiscard]] place room(place to);
  void give(place from, place to, std::int64_t step);
  [[nodiscard]] bool is_wide() const { return is_.given == dtype::f32; }
  /// How rows lie that are `step` apart in the operand.
  [[nodiscard]] matrix rows(std::int64_t step) const {
    return is_wide() ? matrix{is_.tokens, is_.width, step} : inner_;
  }
  [[nodiscard]] triple take_inputs();
  /// softmax(scale q k^T)
  [[nodiscard]] placed probabilities(const triple& x);
  /// In place of the gradient of `p`, that of what the softmax took.
  void through_softmax(const placed& p, const placed& grad);

  attention_problem is_;
  matrix inner_;
  matrix square_;
  float scale_;
  onednn_pass pass_;
};

/// Rows of `width` numbers between bf16, `step` apart, and f32, dense.
void widen_rows(const bf16* from, std::int64_t step, float* to,
                const matrix& dense) {
  for (std::int64_t r = 0; r < dense.rows; ++r)
    for (std::int64_t c = 0; c < dense.columns; ++c)
      to[r * dense.columns + c] = static_cast<float>(from[r * step + c]);
}

void narrow_rows(const float* from, const matrix& dense, bf16* to,
                 std::int64_t step) {
  constexpr int at_once = 8;
  const auto whole = dense.columns / at_once * at_once;
  for (std::int64_t r = 0; r < dense.rows; ++r) {
    const auto* x = from + r * dense.columns;
    auto* y = to + r * step;
    for (std::int64_t c = 0; c < whole; c += at_once)
      store<at_once>(y + c, load<at_once>(x + c));
    for (auto c = whole; c < dense.columns; ++c)
      y[c] = bf16{x[c]};
  }
}

place head_pass::take(std::int64_t step) {
  const auto from = pass_.outside();
  if (is_wide())
    return from;
  const auto to = inner();
  pass_.step([from, to, step, dense = inner_](onednn_pass::pointers at) {
    widen_rows(static_cast<const bf16*>(at[static_cast<std::size_t>(from)]),
               step, static_cast<float*>(at[static_cast<std::size_t>(to)]),
               dense);
  });
  return to;
}

place head_pass::room(place to) {
  return is_wide() ? to : inner();
}

void head_pass::give(place from, place to, std::int64_t step) {
  if (from == to)
    return;
  pass_.step([from, to, step, dense = inner_](onednn_pass::pointers at) {
    narrow_rows(static_cast<const float*>(at[static_cast<std::size_t>(from)]),
                dense, static_cast<bf16*>(at[static_cast<std::size_t>(to)]),
                step);
  });
}

head_pass::triple head_pass::take_inputs() {
  const auto step = 3 * is_.features();
  triple made{rows(step)};
  made.q = take(step);
  made.k = take(step);
  made.v = take(step);
  return made;
}

placed head_pass::probabilities(const triple& x) {
  const placed p{square(), square_.as()};
  multiply(pass_, {x.q, x.of.as()}, {x.k, x.of.flipped()}, p, scale_);
  const dnnl::softmax_forward::primitive_desc made{
    {dnnl::prop_kind::forward_training, p.as, 1},
    user_scratchpad(),
    onednn_engine()};
  pass_.primitive(made,
                  {{DNNL_ARG_SRC, p.at, p.as}, {DNNL_ARG_DST, p.at, p.as}});
  return p;
}

onednn_pass head_pass::forward() {
  const auto x = take_inputs();
  const auto p = probabilities(x);
  const auto y = pass_.outside();
  const auto to = room(y);
  const auto step = is_.features();
  multiply(pass_, p, {x.v, x.of.as()}, {to, rows(step).as()});
  give(to, y, step);
  return std::move(pass_);
}

void head_pass::through_softmax(const placed& p, const placed& grad) {
  const dnnl::softmax_forward::primitive_desc hint{
    {dnnl::prop_kind::forward_training, p.as, 1},
    user_scratchpad(),
    onednn_engine()};
  const dnnl::softmax_backward::primitive_desc made{
    {grad.as, p.as, 1}, user_scratchpad(), onednn_engine(), hint};
  pass_.primitive(made, {{DNNL_ARG_DST, p.at, p.as},
                         {DNNL_ARG_DIFF_DST, grad.at, grad.as},
                         {DNNL_ARG_DIFF_SRC, grad.at, grad.as}});
}

onednn_pass head_pass::backward() {
  const auto x = take_inputs();
  const auto p = probabilities(x);
  const auto grad_rows = rows(is_.features());
  const auto dy = take(is_.features());
  const place given[]{pass_.outside(), pass_.outside(), pass_.outside()};
  const place made[]{room(given[0]), room(given[1]), room(given[2])};
  const auto turned = [](const placed& square, const matrix& of) {
    return placed{square.at, of.flipped()};
  };
  const placed s{square(), square_.as()}; // dp, then ds
  multiply(pass_, {dy, grad_rows.as()}, {x.v, x.of.flipped()}, s);
  multiply(pass_, turned(p, square_), {dy, grad_rows.as()},
           {made[2], x.of.as()});
  through_softmax(p, s);
  multiply(pass_, s, {x.k, x.of.as()}, {made[0], x.of.as()}, scale_);
  multiply(pass_, turned(s, square_), {x.q, x.of.as()}, {made[1], x.of.as()},
           scale_);
  for (std::size_t i = 0; i < 3; ++i)
    give(made[i], given[i], 3 * is_.features());
  return std::move(pass_);
}

// -- the kernel --------------------------------------------------------------

/// While it lives, the calling thread's OpenMP team is of one.
class alone {
public:
  alone() : before_{omp_get_max_threads()} { omp_set_num_threads(1); }
  ~alone() { omp_set_num_threads(before_); }
  alone(const alone&) = delete;
  alone& operator=(const alone&) = delete;

private:
  int before_;
};

/// Thread: the stage's, with its OpenMP team. Allocates nothing after make.
class attention_kernel final : public kernel {
public:
  attention_kernel(const attention_problem& of, int threads) : is_{of} {
    const alone one_thread;
    for (int i = 0; i < threads; ++i) {
      forward_.push_back(head_pass{of}.forward());
      backward_.push_back(head_pass{of}.backward());
    }
    head_bytes_ = std::max(forward_.front().scratch_bytes(),
                           backward_.front().scratch_bytes());
  }

  [[nodiscard]] kernel_needs needs() const override {
    return {.stashes_input = true,
            .scratch_bytes =
              head_bytes_ * static_cast<std::int64_t>(forward_.size())};
  }

  void forward(const forward_call& call) override {
    with_type(is_.given, [&]<class T>(T*) {
      const auto* x = call.inputs[0].as<T>();
      for_heads(forward_, call.scratch, [&](onednn_pass& pass, const head& at) {
        pass.run({part(x, at, 0), part(x, at, 1), part(x, at, 2),
                  operand{call.output.as<T>() + at.output}},
                 at.scratch);
      });
    });
  }

  void backward_input(const backward_call& call) override {
    if (!call.input_grads[0])
      return;
    with_type(is_.given, [&]<class T>(T*) {
      const auto* x = call.inputs[0].as<T>();
      auto* dx = call.input_grads[0].as<T>();
      for_heads(backward_, call.scratch,
                [&](onednn_pass& pass, const head& at) {
                  pass.run({part(x, at, 0), part(x, at, 1), part(x, at, 2),
                            operand{call.output_grad.as<T>() + at.output},
                            part(dx, at, 0), part(dx, at, 1), part(dx, at, 2)},
                           at.scratch);
                });
    });
  }

private:
  /// Where a head of a sample begins, in elements.
  struct head {
    std::int64_t input = 0; ///< of Q; K and V follow
    std::int64_t output = 0;
    operand scratch;
  };

  /// index: 0 Q, 1 K, 2 V
  template <class T>
  [[nodiscard]] operand part(T* x, const head& at, std::int64_t index) const {
    return operand{const_cast<std::remove_const_t<T>*>(x) + at.input
                   + index * is_.features()};
  }

  /// Calls f(pass of the thread, head) for all heads of all samples.
  template <class F>
  void for_heads(std::vector<onednn_pass>& passes, operand scratch, F&& f) {
    const auto features = is_.features();
#pragma omp parallel for collapse(2) schedule(static)                          \
  num_threads(static_cast <int>(passes.size()))
    for (std::int64_t n = 0; n < is_.samples; ++n)
      for (std::int64_t h = 0; h < is_.heads; ++h) {
        const auto thread = omp_get_thread_num();
        f(passes[static_cast<std::size_t>(thread)],
          head{n * is_.tokens * 3 * features + h * is_.width,
               n * is_.tokens * features + h * is_.width,
               operand{scratch.as<std::byte>() + thread * head_bytes_}});
      }
  }

  attention_problem is_;
  std::vector<onednn_pass> forward_, backward_; ///< by thread
  std::int64_t head_bytes_ = 0;
};

} // namespace

made_kernel make_attention(const kernel_context& context) {
  const auto* cpu = dynamic_cast<const cpu_device*>(&context.on);
  const int threads = cpu != nullptr ? cpu->threads() : 1;
  try {
    return std::unique_ptr<kernel>{
      std::make_unique<attention_kernel>(problem_of(context), threads)};
  } catch (const dnnl::error& failure) {
    return error{errc::not_supported,
                 context.at.op + ": oneDNN: " + failure.message};
  }
}

} // namespace pd::cpu
