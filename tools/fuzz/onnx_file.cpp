/// libFuzzer: no bytes make the reader of ONNX files crash, and what is read
/// is a whole network with values for its parameters.
///
///     bin/fuzz_onnx_file -max_total_time=60 tools/fuzz/corpus/onnx_file

#include "engine/base/assert.hpp"
#include "engine/graph/infer.hpp"
#include "engine/onnx/onnx_network.hpp"
#include "ops/rules.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {

/// The rules without their kernels, which nothing here runs.
pd::registry make_rules() {
  pd::registry made;
  made.add("input", pd::make_input, {});
  made.add("labels", pd::make_labels, {});
  made.add("conv2d", pd::make_conv2d, {});
  made.add("linear", pd::make_linear, {});
  made.add("batch_norm", pd::make_batch_norm, {});
  made.add("max_pool", pd::make_max_pool, {});
  made.add("avg_pool", pd::make_avg_pool, {});
  made.add("global_avg_pool", pd::make_global_avg_pool, {});
  made.add("relu", pd::make_relu, {});
  made.add("add", pd::make_add, {});
  made.add("dropout", pd::make_dropout, {});
  made.add("flatten", pd::make_flatten, {});
  made.add("concat", pd::make_concat, {});
  made.add("layer_norm", pd::make_layer_norm, {});
  made.add("gelu", pd::make_gelu, {});
  made.add("tokens", pd::make_tokens, {});
  made.add("class_token", pd::make_class_token, {});
  made.add("position_embedding", pd::make_position_embedding, {});
  made.add("take_token", pd::make_take_token, {});
  made.add("attention", pd::make_attention, {});
  made.add("softmax_loss", pd::make_softmax_loss, {});
  return made;
}

void check(const pd::onnx_network& read, const pd::registry& rules) {
  PD_ASSERT(read.net.validate().has_value());
  const auto typed = pd::infer(read.net, rules, 3);
  PD_ASSERT(typed.has_value());
  std::size_t found = 0;
  for (std::size_t i = 0; i < read.net.nodes.size(); ++i)
    for (const auto& each : typed->parameters(static_cast<int>(i))) {
      if (!read.parameters.contains(each.suffix))
        continue;
      const auto values = read.values_of(each.suffix);
      PD_ASSERT(static_cast<std::int64_t>(values.size())
                == each.extents.elems());
      ++found;
    }
  PD_ASSERT(found == read.parameters.size());
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  static const auto rules = make_rules();
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  const auto model = pd::parse_onnx_model(bytes, "fuzz.onnx");
  if (!model)
    return 0;
  for (const int channels : {1, 3})
    if (const auto read = pd::import_onnx(
          *model, "fuzz.onnx",
          {.classes = 2, .height = 6, .width = 6, .channels = channels}, rules))
      check(*read, rules);
  return 0;
}
