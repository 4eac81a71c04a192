#include "tests/support/golden.hpp"

#include "engine/checkpoint/safetensors.hpp"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>
namespace pd {

namespace {

std::string golden_path(const std::string& op) {
  return PD_SOURCE_DIR "/tests/golden/ops/" + op + ".safetensors";
}

attribute to_attribute(const nlohmann::json& value) {
  if (value.is_boolean())
    return value.get<bool>();
  if (value.is_number_integer())
    return value.get<std::int64_t>();
  if (value.is_number())
    return value.get<double>();
  if (value.is_array())
    return value.get<std::vector<std::int64_t>>();
  return value.get<std::string>();
}

std::vector<float> whole_numbers(const safetensor& from) {
  const auto values = to_i64(from);
  REQUIRE(values.has_value());
  return {values->begin(), values->end()};
}

std::vector<float> numbers(const safetensor& from) {
  auto values = to_f32(from);
  REQUIRE(values.has_value());
  return *std::move(values);
}

host_tensor to_host(const safetensor& from) {
  const shape extents{from.shape};
  if (from.dtype == "F32")
    return {extents, numbers(from), dtype::f32};
  const auto type = from.dtype == "I64" ? dtype::i64 : dtype::i32;
  return {extents, whole_numbers(from), type};
}

bool starts_with(const std::string& text, const std::string& start) {
  return text.rfind(start, 0) == 0;
}

/// `key` is what stands after "<case>/".
void put(op_case& into, const std::string& key, host_tensor value) {
  const auto rest = key.substr(key.find('.') + 1);
  if (starts_with(key, "input")) // in order, since files are in order of name
    into.inputs.push_back(std::move(value));
  else if (starts_with(key, "param."))
    into.parameters[rest] = std::move(value);
  else if (starts_with(key, "after."))
    into.statistics[rest] = std::move(value);
  else if (starts_with(key, "grad."))
    into.grads[rest] = std::move(value);
  else
    (key == "output" ? into.output : into.output_grad) = std::move(value);
}

op_case read_case(const safetensors_file& file, const std::string& op,
                  const std::string& name, const std::string& metadata) {
  op_case made;
  made.name = name;
  made.op = op;
  const auto about = nlohmann::json::parse(metadata);
  made.is_training = about.at("training").get<bool>();
  for (const auto& [key, value] : about.at("attributes").items())
    made.settings[key] = to_attribute(value);
  for (const auto& each : file.tensors)
    if (starts_with(each.name, name + "/"))
      put(made, each.name.substr(name.size() + 1), to_host(each));
  return made;
}

} // namespace

std::vector<op_case> golden_cases(const std::string& op) {
  const auto file = read_safetensors(golden_path(op));
  INFO(golden_path(op));
  REQUIRE(file.has_value());
  std::vector<op_case> cases;
  for (const auto& [name, metadata] : file->metadata)
    cases.push_back(read_case(*file, op, name, metadata));
  return cases;
}

op_case golden_case(const std::string& op, const std::string& name) {
  for (auto& each : golden_cases(op))
    if (each.name == name)
      return each;
  FAIL("no case " << name << " of " << op);
  return {};
}

} // namespace pd
