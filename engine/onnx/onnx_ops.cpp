#include "engine/onnx/onnx_ops.hpp"

#include "engine/onnx/misfit.hpp"
#include "engine/onnx/shortest.hpp"

#include <algorithm>
#include <map>

namespace pd {

namespace {

error unsupported(const std::string& why) {
  return {errc::not_supported, why};
}

// -- inputs ------------------------------------------------------------------

std::string input_label(std::size_t index) {
  return "input " + std::to_string(index);
}

/// The activation of an input, whatever a Pad put around it.
result<onnx_activation> padded_at(const onnx_call& call, std::size_t index) {
  if (const auto* half = std::get_if<onnx_pending>(&call.input(index)))
    return unsupported(input_label(index) + ": is made by " + shown(*half->by)
                       + ", which is only imported as a step of a gelu, a "
                         "layer norm or an attention");
  const auto* made = std::get_if<onnx_activation>(&call.input(index));
  if (made == nullptr)
    return unsupported(input_label(index)
                       + ": wanted what a node of the network makes");
  return *made;
}

/// The node whose output an input is.
result<int> activation_at(const onnx_call& call, std::size_t index) {
  PD_TRY(const auto found, padded_at(call, index));
  if (found.padding != std::array<std::int64_t, 2>{0, 0})
    return unsupported(input_label(index)
                       + ": is padded by a Pad, which only a Conv or an "
                         "AveragePool takes in");
  return found.node;
}

result<onnx_constant> constant_at(const onnx_call& call, std::size_t index) {
  const auto* made = std::get_if<onnx_constant>(&call.input(index));
  if (made == nullptr)
    return unsupported(input_label(index)
                       + ": wanted an initializer or a constant");
  return *made;
}

bool is_left_out(const onnx_call& call, std::size_t index) {
  return std::holds_alternative<std::monostate>(call.input(index));
}

result<onnx_value> added(const onnx_call& call, onnx_builder::request what) {
  PD_TRY(const int made, call.to.add(call.at, std::move(what)));
  return onnx_value{onnx_activation{made}};
}

result<onnx_value> unary(const onnx_call& call, const std::string& op) {
  PD_TRY(const int x, activation_at(call, 0));
  return added(call, {.op = op, .inputs = {x}});
}

attribute as_list(const std::array<std::int64_t, 2>& from) {
  return std::vector<std::int64_t>{from.begin(), from.end()};
}

// -- windows -----------------------------------------------------------------

/// The attributes that convolutions and pools share.
struct window {
  std::array<std::int64_t, 2> kernel{1, 1};
  std::array<std::int64_t, 2> stride{1, 1};
  std::array<std::int64_t, 2> dilation{1, 1};
  std::array<std::int64_t, 2> padding{0, 0};
};

/// `pads` is [top, left, bottom, right].
result<std::array<std::int64_t, 2>>
symmetric(const std::vector<std::int64_t>& pads) {
  constexpr std::int64_t most = 65536;
  if (pads.size() != 4)
    return unsupported("pads: wanted 4 numbers, of a 2-D image, got "
                       + to_string(attribute{pads}));
  for (const auto each : pads)
    if (each < 0 || each > most)
      return misfit("pads: wanted numbers from 0 to " + std::to_string(most)
                    + ", got " + to_string(attribute{pads}));
  if (pads[0] != pads[2] || pads[1] != pads[3])
    return unsupported("pads: wanted as much at both sides, got "
                       + to_string(attribute{pads}));
  return std::array<std::int64_t, 2>{pads[0], pads[1]};
}

/// What auto_pad = SAME_UPPER or SAME_LOWER makes of an image.
result<std::array<std::int64_t, 2>> same_padding(const window& with,
                                                 const shape& image) {
  std::array<std::int64_t, 2> made{};
  for (std::size_t i = 0; i < 2; ++i) {
    const auto extent = image[static_cast<int>(i) + 2];
    const auto outputs = (extent + with.stride[i] - 1) / with.stride[i];
    const auto span = with.dilation[i] * (with.kernel[i] - 1) + 1;
    const auto all = (outputs - 1) * with.stride[i] + span - extent;
    if (all > 0 && all % 2 != 0)
      return unsupported("auto_pad: wanted as much padding at both sides, "
                         "needs "
                         + std::to_string(all) + " in all");
    made[i] = std::max<std::int64_t>(all, 0) / 2;
  }
  return made;
}

/// @pre `kernel` is set
result<void> read_window(onnx_attributes& read, const shape& image,
                         window& to) {
  to.stride = read.pair("strides", {1, 1}, 1);
  to.dilation = read.pair("dilations", {1, 1}, 1);
  const auto how = read.text("auto_pad", "NOTSET");
  const auto pads = read.integers("pads", {0, 0, 0, 0});
  PD_CHECK(read.finish());
  if (image.rank() != 4)
    return unsupported("wanted an image [N, C, H, W], got " + to_string(image));
  if (how == "VALID")
    return {};
  if (how == "SAME_UPPER" || how == "SAME_LOWER") {
    PD_TRY(to.padding, same_padding(to, image));
    return {};
  }
  if (how != "NOTSET")
    return misfit("auto_pad: wanted NOTSET, VALID, SAME_UPPER or SAME_LOWER, "
                  "got "
                  + shown(how));
  PD_TRY(to.padding, symmetric(pads));
  return {};
}

attributes settings_of(const window& from) {
  return {{"kernel", as_list(from.kernel)},
          {"stride", as_list(from.stride)},
          {"padding", as_list(from.padding)}};
}

// -- with parameters ---------------------------------------------------------

result<void> check_kernel(onnx_attributes& read,
                          const std::vector<std::int64_t>& dims) {
  if (dims.size() != 4)
    return unsupported("weight: wanted [O, I, height, width], got "
                       + to_string(attribute{dims}));
  if (dims[2] < 1 || dims[3] < 1 || dims[0] < 1)
    return misfit("weight: wanted extents from 1, got "
                  + to_string(attribute{dims}));
  const auto kernel = read.integers("kernel_shape", {dims[2], dims[3]});
  if (kernel != std::vector<std::int64_t>{dims[2], dims[3]})
    return misfit("kernel_shape: wanted the weight's, "
                  + to_string(attribute{dims}) + ", got "
                  + to_string(attribute{kernel}));
  return {};
}

result<onnx_value> import_conv(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 2, 3));
  PD_TRY(const auto x, padded_at(call, 0));
  PD_TRY(const auto weight, constant_at(call, 1));
  onnx_attributes read{call.at};
  const auto dims = weight.dims();
  PD_CHECK(check_kernel(read, dims));
  const auto groups = read.integer("group", 1);
  window with{.kernel = {dims[2], dims[3]}};
  PD_CHECK(read_window(read, call.to.shape_of(x.node), with));
  for (std::size_t i = 0; i < 2; ++i)
    with.padding[i] += x.padding[i];
  onnx_builder::request what{"conv2d", settings_of(with), {x.node}, {weight}};
  what.settings["dilation"] = as_list(with.dilation);
  what.settings["out_channels"] = dims[0];
  what.settings["groups"] = groups;
  what.settings["bias"] = !is_left_out(call, 2);
  if (!is_left_out(call, 2)) {
    PD_TRY(const auto bias, constant_at(call, 2));
    what.parameters.push_back(bias);
  }
  return added(call, std::move(what));
}

/// In training and evaluation form alike: which one runs is the job's to say.
result<onnx_value> import_batch_norm(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 5, 5));
  PD_TRY(const int x, activation_at(call, 0));
  onnx_attributes read{call.at};
  const auto eps = read.real("epsilon", 1e-5);
  const auto kept = read.real("momentum", 0.9);
  read.skip("training_mode");
  PD_CHECK(read.finish());
  onnx_builder::request what{
    "batch_norm",
    {{"eps", eps}, {"momentum", shortest(static_cast<float>(1 - kept))}},
    {x},
    {}};
  for (std::size_t i = 1; i < 5; ++i) {
    PD_TRY(const auto parameter, constant_at(call, i));
    what.parameters.push_back(parameter);
  }
  return added(call, std::move(what));
}

/// y = x weight, where weight is [I, O], and [O, I] if `is_stored_so`.
result<onnx_builder::request> linear_of(int x, onnx_constant weight,
                                        bool is_stored_so) {
  if (!is_stored_so)
    weight.is_transposed = !weight.is_transposed;
  const auto dims = weight.dims();
  if (dims.size() != 2 || dims[0] < 1)
    return unsupported("weight: wanted [I, O], got "
                       + to_string(attribute{weight.tensor->dims}));
  return onnx_builder::request{
    "linear", {{"out_features", dims[0]}, {"bias", false}}, {x}, {weight}};
}

result<onnx_value> import_gemm(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 2, 3));
  PD_TRY(const int x, activation_at(call, 0));
  PD_TRY(const auto weight, constant_at(call, 1));
  onnx_attributes read{call.at};
  const auto alpha = read.real("alpha", 1);
  const auto beta = read.real("beta", 1);
  const bool is_x_transposed = read.flag("transA", false);
  const bool is_weight_transposed = read.flag("transB", false);
  PD_CHECK(read.finish());
  if (alpha != 1 || beta != 1 || is_x_transposed)
    return unsupported("wanted alpha = 1, beta = 1 and transA = 0");
  PD_TRY(auto what, linear_of(x, weight, is_weight_transposed));
  if (!is_left_out(call, 2)) {
    PD_TRY(const auto bias, constant_at(call, 2));
    what.settings["bias"] = true;
    what.parameters.push_back(bias);
  }
  return added(call, std::move(what));
}

/// A linear; an Add of a constant after it brings its bias.
result<onnx_value> import_matmul(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 2, 2));
  PD_TRY(const int x, activation_at(call, 0));
  PD_TRY(const auto weight, constant_at(call, 1));
  PD_CHECK(onnx_attributes{call.at}.finish());
  PD_TRY(auto what, linear_of(x, weight, false));
  return added(call, std::move(what));
}

bool lacks_bias(const node& at) {
  const auto bias = at.settings.find("bias");
  return at.op == "linear" && bias != at.settings.end()
         && bias->second == attribute{false};
}

/// Add with a constant: the bias of the MatMul before it, whose output nobody
/// else takes, by no other name either.
result<onnx_value> import_bias(const onnx_call& call, std::size_t constant) {
  PD_TRY(const int x, activation_at(call, 1 - constant));
  PD_TRY(const auto bias, constant_at(call, constant));
  if (!lacks_bias(call.to.node_at(x)) || call.takers[1 - constant] != 1
      || call.to.output_of(x) != call.at.inputs[1 - constant])
    return unsupported("a constant " + shown(bias.name)
                       + " is only added as the bias of a MatMul");
  PD_CHECK(call.to.add_bias(x, bias));
  return onnx_value{onnx_activation{x}};
}

// -- pools -------------------------------------------------------------------

result<onnx_value> import_max_pool(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 1, 1));
  PD_TRY(const int x, activation_at(call, 0));
  onnx_attributes read{call.at};
  window with{.kernel = read.pair("kernel_shape", {0, 0}, 1)};
  const bool is_ceil = read.flag("ceil_mode", false);
  if (read.integer("storage_order", 0) != 0)
    return unsupported("storage_order: wanted 0");
  PD_CHECK(read_window(read, call.to.shape_of(x), with));
  onnx_builder::request what{"max_pool", settings_of(with), {x}, {}};
  what.settings["dilation"] = as_list(with.dilation);
  what.settings["ceil_mode"] = is_ceil;
  return added(call, std::move(what));
}

/// A Pad's zeros count as the pool's own do if it counts its own.
result<void> take_in(const onnx_activation& x, bool is_ceil, window& to,
                     bool& counts_padding) {
  if (x.padding == std::array<std::int64_t, 2>{0, 0})
    return {};
  const bool has_own = to.padding != std::array<std::int64_t, 2>{0, 0};
  if (is_ceil || (has_own && !counts_padding))
    return unsupported("the Pad before it cannot be taken in with "
                       "ceil_mode = 1 or padding of its own");
  counts_padding = true;
  for (std::size_t i = 0; i < 2; ++i)
    to.padding[i] += x.padding[i];
  return {};
}

result<onnx_value> import_average_pool(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 1, 1));
  PD_TRY(const auto x, padded_at(call, 0));
  onnx_attributes read{call.at};
  window with{.kernel = read.pair("kernel_shape", {0, 0}, 1)};
  const bool is_ceil = read.flag("ceil_mode", false);
  bool counts_padding = read.flag("count_include_pad", false);
  PD_CHECK(read_window(read, call.to.shape_of(x.node), with));
  if (with.dilation != std::array<std::int64_t, 2>{1, 1})
    return unsupported("dilations: wanted [1, 1]");
  PD_CHECK(take_in(x, is_ceil, with, counts_padding));
  onnx_builder::request what{"avg_pool", settings_of(with), {x.node}, {}};
  what.settings["ceil_mode"] = is_ceil;
  what.settings["count_include_pad"] = counts_padding;
  return added(call, std::move(what));
}

result<onnx_value> import_global_average_pool(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 1, 1));
  PD_CHECK(onnx_attributes{call.at}.finish());
  return unary(call, "global_avg_pool");
}

/// Counted from the end if negative, sorted.
std::vector<std::int64_t> axes_of(std::vector<std::int64_t> axes, int rank) {
  for (auto& each : axes)
    each += each < 0 ? rank : 0;
  std::ranges::sort(axes);
  return axes;
}

result<onnx_value> flattened(const onnx_call& call, int x) {
  if (call.to.shape_of(x).rank() == 2)
    return onnx_value{onnx_activation{x}};
  return added(call, {.op = "flatten", .inputs = {x}});
}

/// The mean over the pixels of each channel.
result<onnx_value> import_mean(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 1, 1));
  PD_TRY(const int x, activation_at(call, 0));
  onnx_attributes read{call.at};
  const auto axes = read.integers("axes", {});
  const bool keeps = read.flag("keepdims", true);
  PD_CHECK(read.finish());
  const auto& image = call.to.shape_of(x);
  if (image.rank() != 4 || axes_of(axes, 4) != std::vector<std::int64_t>{2, 3})
    return unsupported("axes: wanted [2, 3] of an image, got "
                       + to_string(attribute{axes}) + " of "
                       + to_string(image));
  PD_TRY(const int mean,
         call.to.add(call.at, {.op = "global_avg_pool", .inputs = {x}}));
  if (keeps)
    return onnx_value{onnx_activation{mean}};
  return flattened(call, mean);
}

// -- element by element ------------------------------------------------------

result<onnx_value> import_relu(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 1, 1));
  PD_CHECK(onnx_attributes{call.at}.finish());
  return unary(call, "relu");
}

/// Clip to [0, 6], of which mobile networks are made.
result<onnx_value> import_clip(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 3, 3));
  PD_CHECK(onnx_attributes{call.at}.finish());
  if (real_of(call.input(1)) != 0.0F || real_of(call.input(2)) != 6.0F)
    return unsupported("wanted the constants 0 and 6 as bounds");
  return unary(call, "relu6");
}

/// ONNX's divides alpha by the size, as ours does.
result<onnx_value> import_lrn(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 1, 1));
  PD_TRY(const int x, activation_at(call, 0));
  onnx_attributes read{call.at};
  const attributes settings{{"size", read.integer("size", 0)},
                            {"alpha", read.real("alpha", 1e-4)},
                            {"beta", read.real("beta", 0.75)},
                            {"k", read.real("bias", 1)}};
  PD_CHECK(read.finish());
  if (std::get<std::int64_t>(settings.at("size")) % 2 == 0)
    return unsupported("size: wanted an odd number"); // even: ours is shifted
  return added(
    call, {.op = "local_response_norm", .settings = settings, .inputs = {x}});
}

result<onnx_value> import_add(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 2, 2));
  PD_CHECK(onnx_attributes{call.at}.finish());
  for (std::size_t i = 0; i < 2; ++i)
    if (std::holds_alternative<onnx_constant>(call.input(i)))
      return import_bias(call, i);
  PD_TRY(const int x, activation_at(call, 0));
  PD_TRY(const int y, activation_at(call, 1));
  return added(call, {.op = "add", .inputs = {x, y}});
}

/// The share that a Dropout drops: an attribute, later an input.
result<double> dropped_share(const onnx_call& call) {
  onnx_attributes read{call.at};
  read.skip("seed");
  const auto written = read.real("ratio", 0.5);
  PD_CHECK(read.finish());
  if (is_left_out(call, 1))
    return written;
  const auto ratio = real_of(call.input(1));
  if (!ratio)
    return unsupported("ratio: wanted one constant");
  return shortest(*ratio);
}

/// What training drops; 0: nothing, and no node.
result<onnx_value> import_dropout(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 1, 3));
  PD_TRY(const double p, dropped_share(call));
  if (p == 0)
    return call.input(0);
  PD_TRY(const int x, activation_at(call, 0));
  return added(call, {.op = "dropout", .settings = {{"p", p}}, .inputs = {x}});
}

result<onnx_value> import_identity(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 1, 1));
  PD_CHECK(onnx_attributes{call.at}.finish());
  auto made = call.input(0);
  if (auto* constant = std::get_if<onnx_constant>(&made))
    constant->name = call.at.outputs.at(0);
  return made;
}

// -- constants ---------------------------------------------------------------

/// The tensor stays the node's, which outlives all that is made here.
result<onnx_value> import_constant(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 0, 0));
  onnx_attributes read{call.at};
  const auto* tensor = read.tensor("value");
  const auto whole = read.integer("value_int", 0);
  const auto wholes = read.integers("value_ints", {});
  PD_CHECK(read.finish());
  using kind = onnx_number::kind;
  if (read.has("value_int"))
    return onnx_value{onnx_numbers{{{kind::known, whole}}, true}};
  if (read.has("value_ints") && wholes.size() <= onnx_numbers::most) {
    onnx_numbers made;
    for (const auto each : wholes)
      made.at.push_back({kind::known, each});
    return onnx_value{std::move(made)};
  }
  if (tensor == nullptr)
    return unsupported("wanted a value, a value_int or value_ints");
  return onnx_value{onnx_constant{tensor, call.at.outputs.at(0), false}};
}

/// Of a matrix that is a constant: PyTorch's exporter writes a linear's weight
/// so.
result<onnx_value> import_transpose(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 1, 1));
  const auto* constant = std::get_if<onnx_constant>(&call.input(0));
  onnx_attributes read{call.at};
  const auto order = read.integers("perm", {1, 0});
  PD_CHECK(read.finish());
  if (constant == nullptr || constant->tensor->dims.size() != 2
      || order != std::vector<std::int64_t>{1, 0})
    return unsupported("wanted a constant matrix and perm = [1, 0]");
  auto made = *constant;
  made.is_transposed = !made.is_transposed;
  return onnx_value{made};
}

// -- moves -------------------------------------------------------------------

result<onnx_value> import_concat(const onnx_call& call) {
  onnx_attributes read{call.at};
  const auto axis = read.integer("axis", 0);
  PD_CHECK(read.finish());
  onnx_builder::request what{.op = "concat", .inputs = {}};
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    PD_TRY(const int x, activation_at(call, i));
    what.inputs.push_back(x);
  }
  const int rank =
    what.inputs.empty() ? 0 : call.to.shape_of(what.inputs[0]).rank();
  if (axis != 1 && axis != 1 - rank)
    return unsupported("axis: wanted 1, the channels, got "
                       + std::to_string(axis));
  return added(call, std::move(what));
}

result<onnx_value> import_flatten(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 1, 1));
  PD_TRY(const int x, activation_at(call, 0));
  onnx_attributes read{call.at};
  const auto axis = read.integer("axis", 1);
  PD_CHECK(read.finish());
  if (axis != 1 && axis != 1 - call.to.shape_of(x).rank())
    return unsupported("axis: wanted 1, got " + std::to_string(axis));
  return flattened(call, x);
}

error bad_reshape(const shape& from) {
  return unsupported("wanted a shape of as many numbers as its input, "
                     + to_string(from) + " for each sample");
}

/// The first number of a Reshape's shape: the batch, however it is written.
bool is_batch(const onnx_number& at, const onnx_call& call) {
  return at.is_batch()
         || (at.is_known()
             && (at.value == 0 || at.value == -1 || at.value == call.batch));
}

/// The numbers after the first, a 0 replaced by the input's extent.
result<std::vector<std::int64_t>> written_extents(const onnx_numbers& to,
                                                  const shape& from) {
  std::vector<std::int64_t> made;
  for (std::size_t i = 1; i < to.at.size(); ++i) {
    const bool is_copied = to.at[i].value == 0 && to.at[i].is_known();
    if (!to.at[i].is_known() || to.at[i].value < -1
        || (is_copied && static_cast<int>(i) >= from.rank()))
      return bad_reshape(from);
    made.push_back(is_copied ? from[static_cast<int>(i)] : to.at[i].value);
  }
  return made;
}

/// Computes the extent that is -1, if one is. Errors: not_supported if there
/// are two, or the product is not the input's.
result<void> fill_open(std::vector<std::int64_t>& extents, bool is_batch_open,
                       const shape& from) {
  const auto open = std::ranges::find(extents, -1);
  const auto count = std::ranges::count(extents, -1) + (is_batch_open ? 1 : 0);
  std::int64_t left = from.elems();
  for (const auto each : extents) {
    if (each != -1 && (each == 0 || left % each != 0))
      return bad_reshape(from);
    left /= each != -1 ? each : 1;
  }
  if (count > 1 || (open == extents.end() && left != 1))
    return bad_reshape(from);
  if (open != extents.end())
    *open = left;
  return {};
}

/// What a Reshape makes of [N, ...], without N. Errors: not_supported.
result<std::vector<std::int64_t>>
reshaped(const onnx_call& call, const onnx_numbers& to, const shape& from) {
  if (to.at.empty() || !is_batch(to.at[0], call))
    return unsupported("wanted a shape that begins with the batch");
  PD_TRY(auto made, written_extents(to, from));
  const onnx_number open{onnx_number::kind::known, -1};
  PD_CHECK(fill_open(made, to.at[0] == open, from));
  return made;
}

/// A Reshape that flattens, or does nothing.
result<onnx_value> import_reshape(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 2, 2));
  PD_TRY(const int x, activation_at(call, 0));
  onnx_attributes read{call.at};
  const bool allows_zero = read.flag("allowzero", false);
  PD_CHECK(read.finish());
  const auto to = numbers_of(call.input(1));
  if (!to || allows_zero)
    return unsupported("shape: wanted numbers that the file fixes or computes "
                       "from its input's shape, and allowzero = 0");
  const auto& from = call.to.shape_of(x);
  PD_TRY(const auto made, reshaped(call, *to, from));
  if (std::ranges::equal(
        made, std::vector<std::int64_t>{from.begin() + 1, from.end()}))
    return onnx_value{onnx_activation{x}};
  if (made.size() == 1)
    return flattened(call, x);
  return unsupported("wanted a shape [N, the rest], got [N, "
                     + to_string(attribute{made}).substr(1));
}

/// Away with the pixel that a global pool leaves.
result<onnx_value> import_squeeze(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 1, 2));
  PD_TRY(const int x, activation_at(call, 0));
  onnx_attributes read{call.at};
  auto axes = read.integers("axes", {});
  PD_CHECK(read.finish());
  if (const auto given = numbers_of(call.input(1)))
    for (const auto& each : given->at)
      axes.push_back(each.is_known() ? each.value : -1000);
  const auto& image = call.to.shape_of(x);
  if (image.rank() != 4 || image[2] != 1 || image[3] != 1
      || axes_of(axes, 4) != std::vector<std::int64_t>{2, 3})
    return unsupported("wanted the axes 2 and 3 of [N, C, 1, 1], got "
                       + to_string(attribute{axes}) + " of "
                       + to_string(image));
  return flattened(call, x);
}

/// [0, 0, top, left, 0, 0, bottom, right] of a Pad, as a list of its own.
result<std::vector<std::int64_t>> pads_of(const onnx_call& call) {
  const auto pads = numbers_of(call.input(1));
  if (!pads || pads->at.size() != 8)
    return unsupported("pads: wanted 8 numbers, of an image [N, C, H, W]");
  std::vector<std::int64_t> made;
  for (std::size_t i = 0; i < 8; ++i) {
    if (!pads->at[i].is_known() || (i % 4 < 2 && pads->at[i].value != 0))
      return unsupported("pads: wanted known numbers, 0 for N and C");
    if (i % 4 >= 2)
      made.push_back(pads->at[i].value);
  }
  return made;
}

/// Zeros around an image, which the next node takes in.
result<onnx_value> import_pad(const onnx_call& call) {
  PD_CHECK(want_inputs(call.inputs.size(), 2, 3));
  PD_TRY(auto made, padded_at(call, 0));
  onnx_attributes read{call.at};
  const auto mode = read.text("mode", "constant");
  PD_CHECK(read.finish());
  if (mode != "constant"
      || (!is_left_out(call, 2) && real_of(call.input(2)) != 0.0F))
    return unsupported("wanted the mode 'constant' and the value 0");
  PD_TRY(const auto pads, pads_of(call));
  PD_TRY(const auto around, symmetric(pads));
  for (std::size_t i = 0; i < 2; ++i)
    made.padding[i] += around[i];
  return onnx_value{made};
}

const std::map<std::string, onnx_importer>& importers() {
  static const std::map<std::string, onnx_importer> all{
    {"Add", import_add},
    {"AveragePool", import_average_pool},
    {"BatchNormalization", import_batch_norm},
    {"Clip", import_clip},
    {"Concat", import_concat},
    {"Constant", import_constant},
    {"Conv", import_conv},
    {"Dropout", import_dropout},
    {"Flatten", import_flatten},
    {"Gemm", import_gemm},
    {"GlobalAveragePool", import_global_average_pool},
    {"Identity", import_identity},
    {"LRN", import_lrn},
    {"MatMul", import_matmul},
    {"MaxPool", import_max_pool},
    {"Pad", import_pad},
    {"ReduceMean", import_mean},
    {"Relu", import_relu},
    {"Reshape", import_reshape},
    {"Squeeze", import_squeeze},
    {"Transpose", import_transpose},
  };
  return all;
}

} // namespace

const onnx_value& onnx_call::input(std::size_t index) const {
  static const onnx_value none;
  return index < inputs.size() ? inputs[index] : none;
}

onnx_importer find_importer(const std::string& op) {
  const auto found = importers().find(op);
  return found == importers().end() ? nullptr : found->second;
}

std::string advice_on(const std::string& op) {
  if (op == "Softmax" || op == "LogSoftmax")
    return "; the loss takes the softmax itself, so export the network "
           "without it";
  return "";
}

} // namespace pd
