#include "engine/onnx/onnx_value.hpp"

#include <algorithm>

namespace pd {

namespace {

std::optional<onnx_numbers> numbers_of_tensor(const onnx_tensor& from) {
  const bool is_whole = from.type == onnx_element::i64
                        || from.type == onnx_element::i32
                        || from.type == onnx_element::flag;
  if (!is_whole || from.dims.size() > 1
      || from.elems() > static_cast<std::int64_t>(onnx_numbers::most))
    return std::nullopt;
  onnx_numbers made;
  made.is_scalar = from.dims.empty();
  for (const auto each : to_integers(from))
    made.at.push_back({onnx_number::kind::known, each});
  return made;
}

} // namespace

std::vector<std::int64_t> onnx_constant::dims() const {
  auto made = tensor->dims;
  if (is_transposed)
    std::ranges::reverse(made);
  return made;
}

std::optional<onnx_numbers> numbers_of(const onnx_value& from) {
  if (const auto* numbers = std::get_if<onnx_numbers>(&from))
    return *numbers;
  if (const auto* constant = std::get_if<onnx_constant>(&from))
    return numbers_of_tensor(*constant->tensor);
  return std::nullopt;
}

std::optional<std::int64_t> integer_of(const onnx_value& from) {
  const auto numbers = numbers_of(from);
  if (!numbers || numbers->at.size() != 1 || !numbers->at[0].is_known())
    return std::nullopt;
  return numbers->at[0].value;
}

std::optional<float> real_of(const onnx_value& from) {
  const auto* constant = std::get_if<onnx_constant>(&from);
  if (constant == nullptr || !is_real(constant->tensor->type)
      || constant->tensor->elems() != 1)
    return std::nullopt;
  return to_reals(*constant->tensor)[0];
}

} // namespace pd
