#include "tools/bench/support/convolution_limit.hpp"

#include "engine/base/clock.hpp"
#include "engine/graph/attributes.hpp"

#include <algorithm>
#include <cstring>
#include <dnnl.hpp>
#include <map>
#include <omp.h>

namespace pd {

namespace {

using dims = dnnl::memory::dims;

/// What oneDNN needs to know of one convolution.
struct convolution {
  dims source, weights, target, stride, padding_low, padding_high, dilation;
  bool needs_input_grad = true;
  std::string what; ///< "64>256 k1 s1 56x56": one such shape is measured
};

dims list(std::array<std::int64_t, 2> pair) {
  return {pair[0], pair[1]};
}

convolution describe(const typed_graph& net, int index) {
  const auto& node = net.net.nodes[static_cast<std::size_t>(index)];
  const auto x = net.input_shapes(index)[0];
  const auto y = net.shapes[static_cast<std::size_t>(index)];
  attribute_reader read{"conv2d", node.settings};
  const auto kernel = read.pair("kernel", {1, 1}, 1);
  const auto stride = read.pair("stride", {1, 1}, 1);
  const auto padding = read.pair("padding", {0, 0}, 0);
  const auto dilation = read.pair("dilation", {1, 1}, 1);
  const auto groups = read.integer("groups", 1, 1);
  dims weights{y[1] / groups, x[1] / groups, kernel[0], kernel[1]};
  if (groups > 1)
    weights.insert(weights.begin(), groups);
  const auto& maker =
    net.net.nodes[static_cast<std::size_t>(node.inputs[0])].op;
  return {dims(x.begin(), x.end()),
          weights,
          dims(y.begin(), y.end()),
          list(stride),
          list(padding),
          list(padding),
          {dilation[0] - 1, dilation[1] - 1},
          maker != "input",
          std::to_string(x[1]) + ">" + std::to_string(y[1]) + " k"
            + std::to_string(kernel[0]) + " s" + std::to_string(stride[0])
            + (groups > 1 ? " g" + std::to_string(groups) : "") + " "
            + std::to_string(x[2]) + "x" + std::to_string(x[3])
            + (maker == "input" ? " first" : "")};
}

} // namespace

/// The three primitives of one convolution, on memory of their own.
class convolution_limit::probe {
public:
  static result<probe> make(const convolution& c, dtype precision, pool& from) {
    if (precision == dtype::bf16)
      try {
        return of_type(c, memory::data_type::bf16, from);
      } catch (const dnnl::error&) { // not on this processor
      }
    return of_type(c, memory::data_type::f32, from);
  }

  void add_another() { ++count_; }

  /// Of all calls that a step makes, from one of each primitive.
  double run_s() {
    double sum = 0;
    for (const auto& each : calls_) {
      execute(each);
      const auto begin = now_us();
      execute(each);
      sum += seconds_since(begin);
    }
    return count_ * sum;
  }

private:
  using memory = dnnl::memory;

  struct call {
    dnnl::primitive run;
    std::unordered_map<int, memory> arguments;
  };

  static result<probe> of_type(const convolution& c, memory::data_type type,
                               pool& from) {
    probe made;
    PD_CHECK(made.add_calls(c, type, from));
    return made;
  }

  result<void> add_calls(const convolution& c, memory::data_type type,
                         pool& from) {
    const auto any = [type](const dims& extents) {
      return memory::desc{extents, type, memory::format_tag::any};
    };
    const auto direct = dnnl::algorithm::convolution_direct;
    const dnnl::convolution_forward::primitive_desc forward{
      {dnnl::prop_kind::forward_training, direct, any(c.source), any(c.weights),
       any(c.target), c.stride, c.dilation, c.padding_low, c.padding_high},
      engine_};
    const dnnl::convolution_backward_data::primitive_desc input{
      {direct, any(c.source), any(c.weights), any(c.target), c.stride,
       c.dilation, c.padding_low, c.padding_high},
      engine_,
      forward};
    const dnnl::convolution_backward_weights::primitive_desc weight{
      {direct, any(c.source), any(c.weights), any(c.target), c.stride,
       c.dilation, c.padding_low, c.padding_high},
      engine_,
      forward};
    PD_CHECK(add(dnnl::convolution_forward{forward},
                 {{DNNL_ARG_SRC, forward.src_desc()},
                  {DNNL_ARG_WEIGHTS, forward.weights_desc()},
                  {DNNL_ARG_DST, forward.dst_desc()}},
                 from));
    PD_CHECK(add(dnnl::convolution_backward_weights{weight},
                 {{DNNL_ARG_SRC, weight.src_desc()},
                  {DNNL_ARG_DIFF_WEIGHTS, weight.diff_weights_desc()},
                  {DNNL_ARG_DIFF_DST, weight.diff_dst_desc()}},
                 from));
    if (!c.needs_input_grad)
      return {};
    return add(dnnl::convolution_backward_data{input},
               {{DNNL_ARG_DIFF_SRC, input.diff_src_desc()},
                {DNNL_ARG_WEIGHTS, input.weights_desc()},
                {DNNL_ARG_DIFF_DST, input.diff_dst_desc()}},
               from);
  }

  result<void> add(dnnl::primitive run,
                   const std::map<int, memory::desc>& operands, pool& from) {
    call made{std::move(run), {}};
    for (const auto& [argument, type] : operands) {
      PD_TRY(auto each, filled(type, from));
      made.arguments.emplace(argument, std::move(each));
    }
    calls_.push_back(std::move(made));
    return {};
  }

  /// Of ordinary numbers: neither zero nor denormal.
  result<memory> filled(const memory::desc& type, pool& from) {
    const auto bytes = type.get_size();
    PD_TRY(auto room, from.allocate(static_cast<std::int64_t>(bytes)));
    std::memset(room.data(), 0x3c, bytes);
    memory made{type, engine_, room.data()};
    held_.push_back(std::move(room));
    return made;
  }

  void execute(const call& which) {
    which.run.execute(stream_, which.arguments);
    stream_.wait();
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::vector<call> calls_;
  std::vector<buffer> held_;
  int count_ = 1;
};

convolution_limit::convolution_limit(int threads)
  : on_{std::make_unique<cpu_device>(device_options{.threads = threads})} {}

convolution_limit::convolution_limit(convolution_limit&&) noexcept = default;

convolution_limit::~convolution_limit() = default;

result<convolution_limit>
convolution_limit::make(const typed_graph& net, dtype precision, int threads) {
  omp_set_num_threads(threads);
  convolution_limit made{threads};
  std::map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < net.net.nodes.size(); ++i) {
    if (net.net.nodes[i].op != "conv2d")
      continue;
    const auto each = describe(net, static_cast<int>(i));
    const auto [at, is_new] = known.try_emplace(each.what, made.probes_.size());
    if (!is_new) {
      made.probes_[at->second].add_another();
      continue;
    }
    PD_TRY(auto one, probe::make(each, precision, made.on_->memory()));
    made.probes_.push_back(std::move(one));
  }
  return made;
}

double convolution_limit::run_s() {
  double sum = 0;
  for (auto& each : probes_)
    sum += each.run_s();
  return sum;
}

} // namespace pd
