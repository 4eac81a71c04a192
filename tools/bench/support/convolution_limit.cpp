#include "tools/bench/support/convolution_limit.hpp"

#include "engine/base/clock.hpp"
#include "engine/graph/attributes.hpp"

#include <algorithm>
#include <dnnl.hpp>
#include <functional>
#include <map>
#include <omp.h>
#include <optional>

namespace pd {

namespace {

using dims = dnnl::memory::dims;

/// What oneDNN needs to know of one convolution.
struct convolution {
  dims source, weights, target, stride, padding_low, padding_high, dilation;
  bool needs_input_grad = true;
  std::string what;
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
            + std::to_string(x[2]) + "x" + std::to_string(x[3])};
}

double median_s(int repeats, const std::function<void()>& work) {
  work();
  std::vector<double> seconds;
  for (int i = 0; i < repeats; ++i) {
    const auto begin = now_us();
    work();
    seconds.push_back(seconds_since(begin));
  }
  std::ranges::sort(seconds);
  return seconds[seconds.size() / 2];
}

/// The three primitives of one convolution, on memory of their own.
class probe {
public:
  probe(const convolution& c, dnnl::memory::data_type type) {
    using memory = dnnl::memory;
    const auto any = [type](const dims& extents) {
      return memory::desc{extents, type, memory::format_tag::any};
    };
    const auto direct = dnnl::algorithm::convolution_direct;
    const dnnl::convolution_forward::primitive_desc forward{
      {dnnl::prop_kind::forward_training, direct, any(c.source), any(c.weights),
       any(c.target), c.stride, c.dilation, c.padding_low, c.padding_high},
      engine_};
    const dnnl::convolution_backward_data::primitive_desc input{
      {direct, forward.src_desc(), any(c.weights), forward.dst_desc(), c.stride,
       c.dilation, c.padding_low, c.padding_high},
      engine_,
      forward};
    const dnnl::convolution_backward_weights::primitive_desc weight{
      {direct, forward.src_desc(), any(c.weights), forward.dst_desc(), c.stride,
       c.dilation, c.padding_low, c.padding_high},
      engine_,
      forward};
    const auto x = filled(forward.src_desc());
    const auto y = filled(forward.dst_desc());
    add(dnnl::convolution_forward{forward},
        {{DNNL_ARG_SRC, x},
         {DNNL_ARG_WEIGHTS, filled(forward.weights_desc())},
         {DNNL_ARG_DST, y}});
    add(dnnl::convolution_backward_data{input},
        {{DNNL_ARG_DIFF_SRC, x},
         {DNNL_ARG_WEIGHTS, filled(input.weights_desc())},
         {DNNL_ARG_DIFF_DST, y}});
    add(dnnl::convolution_backward_weights{weight},
        {{DNNL_ARG_SRC, x},
         {DNNL_ARG_DIFF_WEIGHTS, filled(weight.diff_weights_desc())},
         {DNNL_ARG_DIFF_DST, y}});
  }

  [[nodiscard]] double seconds(std::size_t which, int repeats) {
    return median_s(repeats, [&] {
      primitives_[which].execute(stream_, arguments_[which]);
      stream_.wait();
    });
  }

private:
  using argument_map = std::unordered_map<int, dnnl::memory>;

  void add(dnnl::primitive made, argument_map arguments) {
    primitives_.push_back(std::move(made));
    arguments_.push_back(std::move(arguments));
  }

  dnnl::memory filled(const dnnl::memory::desc& type) {
    dnnl::memory made{type, engine_};
    auto* bytes = static_cast<unsigned char*>(made.get_data_handle());
    std::fill_n(bytes, type.get_size(), static_cast<unsigned char>(0x3c));
    return made;
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::vector<dnnl::primitive> primitives_;
  std::vector<argument_map> arguments_;
};

probe make_probe(const convolution& c, dtype precision) {
  if (precision == dtype::bf16)
    try {
      return probe{c, dnnl::memory::data_type::bf16};
    } catch (const dnnl::error&) { // not on this processor
    }
  return probe{c, dnnl::memory::data_type::f32};
}

convolution_time measure(const convolution& c, dtype precision, int repeats) {
  auto one = make_probe(c, precision);
  return {c.what, 1, one.seconds(0, repeats),
          c.needs_input_grad ? one.seconds(1, repeats) : 0,
          one.seconds(2, repeats)};
}

} // namespace

std::vector<convolution_time> measure_convolutions(const typed_graph& net,
                                                   dtype precision, int threads,
                                                   int repeats) {
  omp_set_num_threads(threads);
  std::map<std::string, std::size_t> known;
  std::vector<convolution_time> all;
  for (std::size_t i = 0; i < net.net.nodes.size(); ++i) {
    if (net.net.nodes[i].op != "conv2d")
      continue;
    const auto each = describe(net, static_cast<int>(i));
    const auto key = each.what + (each.needs_input_grad ? "" : " first");
    if (const auto found = known.find(key); found != known.end()) {
      ++all[found->second].count;
      continue;
    }
    known[key] = all.size();
    all.push_back(measure(each, precision, repeats));
  }
  return all;
}

double total_s(const std::vector<convolution_time>& all) {
  double sum = 0;
  for (const auto& each : all)
    sum += each.count
           * (each.forward_s + each.backward_input_s + each.backward_weight_s);
  return sum;
}

} // namespace pd
