#include "engine/onnx/onnx_fold.hpp"

#include "engine/onnx/misfit.hpp"
#include "engine/onnx/onnx_attributes.hpp"

#include <algorithm>
#include <map>

namespace pd {

namespace {

using kind = onnx_number::kind;
using rows = std::vector<onnx_numbers>; // of the inputs
using folder = result<onnx_numbers> (*)(const onnx_node&, const rows&);

constexpr onnx_number unknown{kind::unknown, 0};

/// Counts from the end if it is negative. Errors: bad_value.
result<std::size_t> index_in(const onnx_number& at, std::size_t size) {
  const auto count = static_cast<std::int64_t>(size);
  const auto index = at.value < 0 ? at.value + count : at.value;
  if (!at.is_known() || index < 0 || index >= count)
    return misfit("wanted an index into " + std::to_string(size)
                  + " numbers, got "
                  + (at.is_known() ? std::to_string(at.value) : "an unknown"));
  return static_cast<std::size_t>(index);
}

// -- what only moves ---------------------------------------------------------

/// Reshape to a row.
result<onnx_numbers> reshape(const onnx_node&, const rows& in) {
  PD_CHECK(want_inputs(in.size(), 2, 2));
  if (in[1].at.size() != 1)
    return misfit("wanted a shape of rank 1 for numbers");
  return onnx_numbers{in[0].at, false};
}

/// Of a scalar; the axis (an attribute, later an input) can only be 0.
result<onnx_numbers> unsqueeze(const onnx_node&, const rows& in) {
  PD_CHECK(want_inputs(in.size(), 1, 2));
  if (!in[0].is_scalar)
    return misfit("wanted a scalar, got a row of numbers");
  return onnx_numbers{in[0].at, false};
}

result<onnx_numbers> squeeze(const onnx_node&, const rows& in) {
  PD_CHECK(want_inputs(in.size(), 1, 2));
  if (in[0].at.size() != 1)
    return misfit("wanted one number, got " + std::to_string(in[0].at.size()));
  return onnx_numbers{in[0].at, true};
}

result<onnx_numbers> cast(const onnx_node& at, const rows& in) {
  constexpr std::int64_t to_i32 = 6; // TensorProto's
  constexpr std::int64_t to_i64 = 7;
  PD_CHECK(want_inputs(in.size(), 1, 1));
  onnx_attributes read{at};
  const auto to = read.integer("to", to_i64);
  PD_CHECK(read.finish());
  if (to != to_i32 && to != to_i64)
    return misfit("to: wanted whole numbers, got type " + std::to_string(to));
  return in[0];
}

result<onnx_numbers> concat(const onnx_node&, const rows& in) {
  onnx_numbers made;
  for (const auto& each : in) {
    if (each.is_scalar)
      return misfit("wanted rows of numbers, got a scalar");
    made.at.insert(made.at.end(), each.at.begin(), each.at.end());
  }
  if (made.at.size() > onnx_numbers::most)
    return misfit("makes " + std::to_string(made.at.size()) + " numbers");
  return made;
}

result<onnx_numbers> gather(const onnx_node&, const rows& in) {
  PD_CHECK(want_inputs(in.size(), 2, 2));
  onnx_numbers made{{}, in[1].is_scalar};
  for (const auto& each : in[1].at) {
    PD_TRY(const auto index, index_in(each, in[0].at.size()));
    made.at.push_back(in[0].at[index]);
  }
  return made;
}

/// One of starts, ends, steps, held to the row.
std::int64_t clamped(const onnx_number& at, std::size_t size) {
  const auto count = static_cast<std::int64_t>(size);
  const auto index = at.value < 0 ? at.value + count : at.value;
  return std::clamp(index, std::int64_t{0}, count);
}

result<onnx_numbers> slice(const onnx_node&, const rows& in) {
  PD_CHECK(want_inputs(in.size(), 3, 5));
  for (std::size_t i = 1; i < in.size(); ++i)
    if (in[i].at.size() != 1 || !in[i].at[0].is_known())
      return misfit("wanted one known start, end, axis and step");
  if (in.size() == 5 && in[4].at[0].value != 1)
    return misfit("wanted steps of 1");
  onnx_numbers made;
  const auto end = clamped(in[2].at[0], in[0].at.size());
  for (auto i = clamped(in[1].at[0], in[0].at.size()); i < end; ++i)
    made.at.push_back(in[0].at[static_cast<std::size_t>(i)]);
  return made;
}

// -- arithmetic --------------------------------------------------------------

/// Of two numbers; unknown where it is not sure, or leaves 64 bits.
template <class Operation>
onnx_number combined(const onnx_number& a, const onnx_number& b,
                     Operation compute) {
  std::int64_t value = 0;
  if (!a.is_known() || !b.is_known() || !compute(a.value, b.value, value))
    return unknown;
  return {kind::known, value};
}

bool add(std::int64_t a, std::int64_t b, std::int64_t& to) {
  return !__builtin_add_overflow(a, b, &to);
}

bool subtract(std::int64_t a, std::int64_t b, std::int64_t& to) {
  return !__builtin_sub_overflow(a, b, &to);
}

bool multiply(std::int64_t a, std::int64_t b, std::int64_t& to) {
  return !__builtin_mul_overflow(a, b, &to);
}

/// Of numbers from 0, as extents are: then it is the same rounded down.
bool divide(std::int64_t a, std::int64_t b, std::int64_t& to) {
  if (a < 0 || b <= 0)
    return false;
  to = a / b;
  return true;
}

/// The number at `i`; a single one stands for a whole row.
const onnx_number& broadcast(const onnx_numbers& from, std::size_t i) {
  return from.at.size() == 1 ? from.at[0] : from.at[i];
}

result<std::size_t> common_size(const rows& in) {
  std::size_t size = 1;
  for (const auto& each : in) {
    if (each.at.size() != 1 && size != 1 && each.at.size() != size)
      return misfit("wanted rows of one length, got " + std::to_string(size)
                    + " and " + std::to_string(each.at.size()));
    if (each.at.size() != 1)
      size = each.at.size();
  }
  return size;
}

/// `compute` for the numbers at each place of all inputs.
template <class Operation>
result<onnx_numbers> by_element(const rows& in, std::size_t inputs,
                                Operation compute) {
  PD_CHECK(want_inputs(in.size(), inputs, inputs));
  PD_TRY(const auto size, common_size(in));
  onnx_numbers made;
  for (std::size_t i = 0; i < size; ++i)
    made.at.push_back(compute(i));
  made.is_scalar =
    std::ranges::all_of(in, [](const auto& each) { return each.is_scalar; });
  return made;
}

template <bool (*compute)(std::int64_t, std::int64_t, std::int64_t&)>
result<onnx_numbers> arithmetic(const onnx_node&, const rows& in) {
  return by_element(in, 2, [&](std::size_t i) {
    return combined(broadcast(in[0], i), broadcast(in[1], i), compute);
  });
}

/// The batch is from 1, so it is none of the numbers below.
onnx_number are_equal(const onnx_number& a, const onnx_number& b) {
  if (a.is_known() && b.is_known())
    return {kind::known, a.value == b.value ? 1 : 0};
  const auto is_below = [](const onnx_number& each) {
    return each.is_known() && each.value < 1;
  };
  if ((a.is_batch() && is_below(b)) || (b.is_batch() && is_below(a)))
    return {kind::known, 0};
  return unknown;
}

result<onnx_numbers> equal(const onnx_node&, const rows& in) {
  return by_element(in, 2, [&](std::size_t i) {
    return are_equal(broadcast(in[0], i), broadcast(in[1], i));
  });
}

result<onnx_numbers> where(const onnx_node&, const rows& in) {
  return by_element(in, 3, [&](std::size_t i) {
    const auto& chosen = broadcast(in[0], i);
    if (!chosen.is_known())
      return unknown;
    return broadcast(in[chosen.value != 0 ? 1 : 2], i);
  });
}

result<onnx_numbers> constant_of_shape(const onnx_node& at, const rows& in) {
  PD_CHECK(want_inputs(in.size(), 1, 1));
  onnx_attributes read{at};
  const auto* value = read.tensor("value");
  PD_CHECK(read.finish());
  if (in[0].is_scalar || in[0].at.size() != 1 || !in[0].at[0].is_known()
      || in[0].at[0].value < 0
      || in[0].at[0].value > static_cast<std::int64_t>(onnx_numbers::most))
    return misfit("wanted the length of a short row");
  const auto numbers = value == nullptr
                         ? std::nullopt
                         : numbers_of(onnx_constant{value, "", false});
  if (!numbers || numbers->at.size() != 1)
    return misfit("value: wanted one whole number");
  const auto size = static_cast<std::size_t>(in[0].at[0].value);
  return onnx_numbers{{size, numbers->at[0]}, false};
}

/// Shape of numbers: how many there are.
result<onnx_numbers> count(const onnx_node&, const rows& in) {
  PD_CHECK(want_inputs(in.size(), 1, 1));
  onnx_numbers made;
  if (!in[0].is_scalar)
    made.at.push_back(
      {kind::known, static_cast<std::int64_t>(in[0].at.size())});
  return made;
}

const std::map<std::string, folder>& folders() {
  static const std::map<std::string, folder> all{
    {"Add", arithmetic<add>},
    {"Cast", cast},
    {"Concat", concat},
    {"ConstantOfShape", constant_of_shape},
    {"Div", arithmetic<divide>},
    {"Equal", equal},
    {"Gather", gather},
    {"Mul", arithmetic<multiply>},
    {"Reshape", reshape},
    {"Shape", count},
    {"Slice", slice},
    {"Squeeze", squeeze},
    {"Sub", arithmetic<subtract>},
    {"Unsqueeze", unsqueeze},
    {"Where", where},
  };
  return all;
}

} // namespace

result<std::optional<onnx_numbers>>
fold(const onnx_node& at, const std::vector<onnx_value>& inputs) {
  const auto found = folders().find(at.op);
  if (found == folders().end() || inputs.empty())
    return std::optional<onnx_numbers>{};
  rows numbers;
  for (const auto& each : inputs) {
    auto read = numbers_of(each);
    if (!read)
      return std::optional<onnx_numbers>{};
    numbers.push_back(*std::move(read));
  }
  PD_TRY(auto made, found->second(at, numbers));
  return std::optional<onnx_numbers>{std::move(made)};
}

result<onnx_numbers> fold_shape(const onnx_node& at, const shape& of) {
  onnx_attributes read{at};
  const auto start = read.integer("start", 0);
  const auto end = read.integer("end", of.rank());
  PD_CHECK(read.finish());
  const auto rank = static_cast<std::size_t>(of.rank());
  onnx_numbers made;
  const auto last = clamped({kind::known, end}, rank);
  for (auto i = clamped({kind::known, start}, rank); i < last; ++i)
    made.at.push_back(i == 0
                        ? onnx_number{kind::batch, 0}
                        : onnx_number{kind::known, of[static_cast<int>(i)]});
  return made;
}

} // namespace pd
