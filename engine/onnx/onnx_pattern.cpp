#include "engine/onnx/onnx_pattern.hpp"

#include "engine/onnx/shortest.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace pd {

namespace {

using form = onnx_pending::form;
using step = std::optional<onnx_value>;
using stepper = result<step> (*)(const onnx_call&);

// -- operands ----------------------------------------------------------------

const onnx_pending* pending_at(const onnx_call& call, std::size_t index) {
  return std::get_if<onnx_pending>(&call.input(index));
}

/// The pending value of this form; null if it is none.
const onnx_pending* pending_at(const onnx_call& call, std::size_t index,
                               form what) {
  const auto* found = pending_at(call, index);
  return found != nullptr && found->what == what ? found : nullptr;
}

/// An activation of this rank that no Pad surrounds; -1 if it is none.
int activation_at(const onnx_call& call, std::size_t index, int rank) {
  const auto* found = std::get_if<onnx_activation>(&call.input(index));
  const bool is_it = found != nullptr
                     && found->padding == std::array<std::int64_t, 2>{0, 0}
                     && call.to.shape_of(found->node).rank() == rank;
  return is_it ? found->node : -1;
}

/// An activation of any rank; -1 if it is none.
int any_activation_at(const onnx_call& call, std::size_t index) {
  for (const int rank : {2, 3, 4})
    if (const int found = activation_at(call, index, rank); found >= 0)
      return found;
  return -1;
}

bool is_near(std::optional<float> x, double wanted) {
  return x && std::abs(*x - wanted) <= 1e-6 * std::abs(wanted);
}

// -- steps -------------------------------------------------------------------

onnx_pending next(const onnx_call& call, form what, int node) {
  onnx_pending made;
  made.what = what;
  made.node = node;
  made.by = &call.at;
  return made;
}

onnx_pending next(const onnx_call& call, form what, const onnx_pending& from) {
  auto made = from;
  made.what = what;
  made.by = &call.at;
  return made;
}

step done(onnx_pending made) {
  return onnx_value{std::move(made)};
}

result<step> added(const onnx_call& call, onnx_builder::request what) {
  PD_TRY(const int made, call.to.add(call.at, std::move(what)));
  return step{onnx_value{onnx_activation{made}}};
}

std::int64_t last_extent(const onnx_call& call, int node) {
  const auto& extents = call.to.shape_of(node);
  return extents[extents.rank() - 1];
}

// -- gelu and layer norm -----------------------------------------------------

/// x - mean
result<step> subtract(const onnx_call& call) {
  const auto* mean = pending_at(call, 1, form::mean);
  const int x = any_activation_at(call, 0);
  if (mean == nullptr || x != mean->node)
    return step{};
  return done(next(call, form::centered, x));
}

/// (x - mean)^2
result<step> power(const onnx_call& call) {
  const auto* from = pending_at(call, 0, form::centered);
  if (from == nullptr || !is_near(real_of(call.input(1)), 2))
    return step{};
  return done(next(call, form::squares, *from));
}

result<step> root(const onnx_call& call) {
  const auto* from = pending_at(call, 0, form::variance_eps);
  if (from == nullptr)
    return step{};
  return done(next(call, form::deviation, *from));
}

result<step> error_function(const onnx_call& call) {
  const auto* from = pending_at(call, 0, form::over_root_2);
  if (from == nullptr)
    return step{};
  return done(next(call, form::erf, *from));
}

/// True for a mean over the last axis that keeps it.
result<bool> is_mean_of_last(const onnx_call& call, int x) {
  onnx_attributes read{call.at};
  const auto axes = read.integers("axes", {});
  const bool keeps = read.flag("keepdims", true);
  PD_CHECK(read.finish());
  return keeps && axes.size() == 1
         && (axes[0] == -1 || axes[0] == call.to.shape_of(x).rank() - 1);
}

result<step> mean(const onnx_call& call) {
  const auto* squares = pending_at(call, 0, form::squares);
  const int x = squares != nullptr ? squares->node : any_activation_at(call, 0);
  if (x < 0)
    return step{};
  PD_TRY(const bool is_last, is_mean_of_last(call, x));
  if (!is_last)
    return step{};
  return done(next(call, squares != nullptr ? form::variance : form::mean, x));
}

/// The last step of a layer norm that was written out.
result<step> add_layer_norm(const onnx_call& call, const onnx_pending& from,
                            const onnx_value& bias) {
  const auto* constant = std::get_if<onnx_constant>(&bias);
  if (constant == nullptr)
    return step{};
  return added(call, {.op = "layer_norm",
                      .settings = {{"eps", from.number}},
                      .inputs = {from.node},
                      .parameters = {from.weight, *constant}});
}

result<step> layer_normalization(const onnx_call& call) {
  const int x = any_activation_at(call, 0);
  const auto* weight = std::get_if<onnx_constant>(&call.input(1));
  const auto* bias = std::get_if<onnx_constant>(&call.input(2));
  if (x < 0 || weight == nullptr || bias == nullptr)
    return step{};
  onnx_attributes read{call.at};
  const auto axis = read.integer("axis", -1);
  const auto eps = read.real("epsilon", 1e-5);
  read.skip("stash_type");
  PD_CHECK(read.finish());
  if (axis != -1 && axis != call.to.shape_of(x).rank() - 1)
    return error{errc::not_supported,
                 "axis: wanted the last, got " + std::to_string(axis)};
  return added(call, {.op = "layer_norm",
                      .settings = {{"eps", eps}},
                      .inputs = {x},
                      .parameters = {*weight, *bias}});
}

/// By a constant: a part of gelu, or the scale of an attention. By the
/// deviation: a layer norm.
result<step> divide(const onnx_call& call) {
  const auto by = real_of(call.input(1));
  if (const int x = any_activation_at(call, 0); x >= 0) {
    if (!is_near(by, std::sqrt(2.0)))
      return step{};
    return done(next(call, form::over_root_2, x));
  }
  const auto* from = pending_at(call, 0);
  if (from == nullptr)
    return step{};
  if ((from->what == form::heads || from->what == form::flipped) && by) {
    auto made = next(call, from->what, *from);
    made.number /= *by;
    return done(std::move(made));
  }
  const auto* deviation = pending_at(call, 1, form::deviation);
  if (from->what != form::centered || deviation == nullptr
      || deviation->node != from->node)
    return step{};
  return done(next(call, form::normalized, *deviation));
}

/// By the other of a commutative node's two operands.
result<step> multiply_by(const onnx_call& call, const onnx_pending& from,
                         std::size_t other) {
  const auto& by = call.input(other);
  switch (from.what) {
  case form::heads:
  case form::flipped: {
    const auto scale = real_of(by);
    auto made = next(call, from.what, from);
    made.number *= scale.value_or(0);
    return scale ? done(std::move(made)) : step{};
  }
  case form::erf_plus_1:
    return any_activation_at(call, other) == from.node
             ? done(next(call, form::x_erf_plus_1, from))
             : step{};
  case form::x_erf_plus_1:
    if (!is_near(real_of(by), 0.5))
      return step{};
    return added(call, {.op = "gelu", .inputs = {from.node}});
  case form::normalized: {
    const auto* weight = std::get_if<onnx_constant>(&by);
    auto made = next(call, form::scaled, from);
    made.weight = weight != nullptr ? *weight : onnx_constant{};
    return weight != nullptr ? done(std::move(made)) : step{};
  }
  default:
    return step{};
  }
}

result<step> multiply(const onnx_call& call) {
  for (std::size_t i = 0; i < 2; ++i)
    if (const auto* from = pending_at(call, i))
      return multiply_by(call, *from, 1 - i);
  return step{};
}

// -- linear on rows in another order -----------------------------------------

/// The same order as of `from`, of what `made` put on its node.
step reordered(const onnx_call& call, const onnx_pending& from,
               const onnx_value& made) {
  return done(next(call, from.what, std::get<onnx_activation>(made).node));
}

/// A MatMul, Gemm or bias of a value in another order is that of the value.
result<step> import_reordered(const onnx_call& call, std::size_t index) {
  const auto from = *pending_at(call, index);
  auto straight = call;
  straight.inputs[index] = onnx_activation{from.node};
  PD_TRY(const auto made, find_importer(call.at.op)(straight));
  return reordered(call, from, made);
}

bool is_reordered(const onnx_pending* at) {
  return at != nullptr && (at->what == form::steps || at->what == form::rows);
}

result<step> gemm(const onnx_call& call) {
  if (pending_at(call, 0, form::rows) == nullptr)
    return step{};
  return import_reordered(call, 0);
}

// -- attention ---------------------------------------------------------------

/// scores = Q K^T / sqrt(d)
result<step> score(const onnx_call& call, const onnx_pending& q,
                   const onnx_pending& k) {
  const auto features = last_extent(call, q.node) / 3;
  const auto scale =
    q.number * k.number
    * std::sqrt(static_cast<double>(features) / static_cast<double>(q.heads));
  if (q.node != k.node || q.heads != k.heads || q.part != 0 || k.part != 1
      || std::abs(scale - 1) > 1e-5)
    return error{errc::not_supported,
                 "wanted an attention's Q K^T / sqrt(d) of one projection"};
  return done(next(call, form::scores, q));
}

result<step> mix(const onnx_call& call, const onnx_pending& shares,
                 const onnx_pending& v) {
  if (shares.node != v.node || shares.heads != v.heads || v.part != 2
      || v.number != 1)
    return error{errc::not_supported,
                 "wanted an attention's V of the projection of Q and K"};
  PD_TRY(const int made,
         call.to.add(call.at, {.op = "attention",
                               .settings = {{"heads", shares.heads}},
                               .inputs = {shares.node}}));
  auto mixed = next(call, form::mixed, made);
  mixed.heads = shares.heads;
  return done(std::move(mixed));
}

result<step> matrix_product(const onnx_call& call) {
  const auto* x = pending_at(call, 0);
  const auto* y = pending_at(call, 1);
  if (is_reordered(x) && y == nullptr)
    return import_reordered(call, 0);
  if (x == nullptr || y == nullptr)
    return step{};
  if (x->what == form::heads && y->what == form::flipped)
    return score(call, *x, *y);
  if (x->what == form::shares && y->what == form::heads)
    return mix(call, *x, *y);
  return step{};
}

result<step> softmax(const onnx_call& call) {
  const auto* from = pending_at(call, 0, form::scores);
  if (from == nullptr)
    return step{};
  onnx_attributes read{call.at};
  const auto axis = read.integer("axis", call.opset < 13 ? 1 : -1);
  PD_CHECK(read.finish());
  if (axis != -1 && axis != 2)
    return step{};
  return done(next(call, form::shares, *from));
}

/// Q, K or V: a third of a projection's features.
result<step> slice(const onnx_call& call) {
  const auto* from = pending_at(call, 0, form::steps);
  if (from == nullptr || call.inputs.size() < 4)
    return step{};
  const auto start = integer_of(call.input(1));
  const auto end = integer_of(call.input(2));
  const auto axis = integer_of(call.input(3));
  const auto width = last_extent(call, from->node) / 3;
  const bool is_whole =
    call.inputs.size() < 5 || integer_of(call.input(4)) == 1;
  if (!start || !end || !is_whole || (axis != 2 && axis != -1) || width < 1
      || *start % width != 0 || *start < 0 || *start > 2 * width
      || last_extent(call, from->node) % 3 != 0
      || std::min(*end, 3 * width) != *start + width)
    return step{};
  auto made = next(call, form::part, *from);
  made.part = *start / width;
  return done(std::move(made));
}

// -- orders ------------------------------------------------------------------

using order = std::vector<std::int64_t>;

result<step> transpose_pending(const onnx_call& call, const onnx_pending& from,
                               const order& to) {
  if (from.what == form::pixels && to == order{0, 2, 1})
    return added(call, {.op = "tokens", .inputs = {from.node}});
  if (from.what == form::steps && to == order{1, 0, 2})
    return step{onnx_value{onnx_activation{from.node}}};
  if (from.what == form::split && to == order{1, 0, 2})
    return done(next(call, form::heads, from));
  if ((from.what == form::split && to == order{1, 2, 0})
      || (from.what == form::heads && to == order{0, 2, 1}))
    return done(next(call, form::flipped, from));
  if (from.what == form::mixed && to == order{1, 0, 2})
    return done(next(call, form::mixed_steps, from));
  return step{};
}

result<step> transpose(const onnx_call& call) {
  onnx_attributes read{call.at};
  const auto to = read.integers("perm", {});
  PD_CHECK(read.finish());
  if (const auto* from = pending_at(call, 0))
    return transpose_pending(call, *from, to);
  const int x = activation_at(call, 0, 3);
  if (x < 0 || to != order{1, 0, 2})
    return step{};
  return done(next(call, form::steps, x));
}

/// True if a number of a Reshape is `wanted`, or is left to be computed.
bool is_extent(const onnx_number& at, std::int64_t wanted) {
  return !at.is_known() || at.value == -1 || at.value == wanted;
}

/// [T, N, C] -> [T, N heads, d]
result<step> split_heads(const onnx_call& call, const onnx_pending& from,
                         const onnx_numbers& to) {
  const auto width = last_extent(call, from.node) / 3;
  if (to.at.size() != 3 || !to.at[2].is_known() || to.at[2].value < 1
      || width % to.at[2].value != 0
      || !is_extent(to.at[0], call.to.shape_of(from.node)[1]))
    return step{};
  auto made = next(call, form::split, from);
  made.heads = width / to.at[2].value;
  if (!is_extent(to.at[1], call.batch * made.heads))
    return step{};
  return done(std::move(made));
}

/// True if the last number of a Reshape to `rank` is the node's last extent.
bool keeps_features(const onnx_call& call, const onnx_pending& from,
                    const onnx_numbers& to, std::size_t rank) {
  return to.at.size() == rank
         && is_extent(to.at[rank - 1], last_extent(call, from.node));
}

/// [N, C, H, W] -> [N, C, H W]
result<step> join_pixels(const onnx_call& call, const onnx_numbers& to) {
  const int x = activation_at(call, 0, 4);
  if (x < 0 || to.at.size() != 3)
    return step{};
  const auto& image = call.to.shape_of(x);
  if (!is_extent(to.at[0], call.batch) || !is_extent(to.at[1], image[1])
      || !is_extent(to.at[2], image[2] * image[3]))
    return step{};
  return done(next(call, form::pixels, x));
}

result<step> reshape(const onnx_call& call) {
  const auto to = numbers_of(call.input(1));
  if (!to)
    return step{};
  const auto* from = pending_at(call, 0);
  if (from == nullptr)
    return join_pixels(call, *to);
  if (from->what == form::part)
    return split_heads(call, *from, *to);
  if (from->what == form::mixed_steps && keeps_features(call, *from, *to, 2))
    return done(next(call, form::rows, *from));
  if (from->what == form::rows && keeps_features(call, *from, *to, 3)
      && is_extent(to->at[0], call.to.shape_of(from->node)[1]))
    return done(next(call, form::steps, *from));
  return step{};
}

// -- tokens ------------------------------------------------------------------

/// A constant [1, 1, C] for each sample.
result<step> expand(const onnx_call& call) {
  const auto* constant = std::get_if<onnx_constant>(&call.input(0));
  const auto to = numbers_of(call.input(1));
  if (constant == nullptr || !to || to->at.size() != 3)
    return step{};
  const auto dims = constant->dims();
  if (dims.size() != 3 || dims[0] != 1 || dims[1] != 1
      || !is_extent(to->at[0], call.batch) || to->at[1].value > 1
      || (to->at[2].value != 1 && !is_extent(to->at[2], dims[2])))
    return step{};
  auto made = next(call, form::expanded, -1);
  made.weight = *constant;
  return done(std::move(made));
}

/// The learned token before all others.
result<step> concat(const onnx_call& call) {
  const auto* token = pending_at(call, 0, form::expanded);
  const int x = activation_at(call, 1, 3);
  onnx_attributes read{call.at};
  const auto axis = read.integer("axis", 0);
  PD_CHECK(read.finish());
  if (token == nullptr || x < 0 || call.inputs.size() != 2 || axis != 1)
    return step{};
  return added(call, {.op = "class_token",
                      .inputs = {x},
                      .parameters = {token->weight},
                      .name = token->weight.name});
}

/// One token of all.
result<step> gather(const onnx_call& call) {
  const int x = activation_at(call, 0, 3);
  const auto index = numbers_of(call.input(1));
  if (x < 0 || !index || !index->is_scalar || !index->at[0].is_known())
    return step{};
  onnx_attributes read{call.at};
  const auto axis = read.integer("axis", 0);
  PD_CHECK(read.finish());
  if (axis != 1 || index->at[0].value < 0)
    return step{};
  return added(call, {.op = "take_token",
                      .settings = {{"index", index->at[0].value}},
                      .inputs = {x}});
}

/// x + a learned [1, T, C].
result<step> add_positions(const onnx_call& call, int x,
                           const onnx_constant& positions) {
  const auto& extents = call.to.shape_of(x);
  if (positions.dims() != order{1, extents[1], extents[2]})
    return step{};
  return added(call, {.op = "position_embedding",
                      .inputs = {x},
                      .parameters = {positions},
                      .name = positions.name});
}

// -- sums --------------------------------------------------------------------

result<step> add_to(const onnx_call& call, const onnx_pending& from,
                    std::size_t index) {
  const auto& other = call.input(1 - index);
  if (is_reordered(&from) && std::holds_alternative<onnx_constant>(other))
    return import_reordered(call, index);
  if (from.what == form::erf && is_near(real_of(other), 1))
    return done(next(call, form::erf_plus_1, from));
  if (from.what == form::scaled)
    return add_layer_norm(call, from, other);
  if (from.what != form::variance || !real_of(other))
    return step{};
  auto made = next(call, form::variance_eps, from);
  made.number = shortest(*real_of(other));
  return done(std::move(made));
}

result<step> add(const onnx_call& call) {
  for (std::size_t i = 0; i < 2; ++i) {
    if (const auto* from = pending_at(call, i))
      return add_to(call, *from, i);
    const int x = activation_at(call, i, 3);
    const auto* constant = std::get_if<onnx_constant>(&call.input(1 - i));
    if (x >= 0 && constant != nullptr)
      return add_positions(call, x, *constant);
  }
  return step{};
}

const std::map<std::string, stepper>& steppers() {
  static const std::map<std::string, stepper> all{
    {"Add", add},
    {"Concat", concat},
    {"Div", divide},
    {"Erf", error_function},
    {"Expand", expand},
    {"Gather", gather},
    {"Gemm", gemm},
    {"LayerNormalization", layer_normalization},
    {"MatMul", matrix_product},
    {"Mul", multiply},
    {"Pow", power},
    {"ReduceMean", mean},
    {"Reshape", reshape},
    {"Slice", slice},
    {"Softmax", softmax},
    {"Sqrt", root},
    {"Sub", subtract},
    {"Transpose", transpose},
  };
  return all;
}

} // namespace

result<std::optional<onnx_value>> import_step(const onnx_call& call) {
  const auto found = steppers().find(call.at.op);
  if (found == steppers().end())
    return step{};
  return found->second(call);
}

std::optional<onnx_numbers> extents_of(const onnx_pending& at,
                                       const onnx_builder& in) {
  using kind = onnx_number::kind;
  constexpr onnx_number batch{kind::batch, 0};
  if (at.what != form::steps && at.what != form::part && at.what != form::rows)
    return std::nullopt;
  const auto& extents = in.shape_of(at.node);
  const onnx_number tokens{kind::known, extents[1]};
  const onnx_number features{kind::known, at.what == form::part ? extents[2] / 3
                                                                : extents[2]};
  if (at.what == form::rows)
    return onnx_numbers{{{kind::unknown, 0}, features}, false};
  return onnx_numbers{{tokens, batch, features}, false};
}

} // namespace pd
