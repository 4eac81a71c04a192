#include "engine/train/weights.hpp"

#include "engine/base/text.hpp"
#include "engine/checkpoint/safetensors.hpp"

#include <algorithm>
#include <list>

namespace pd {

namespace {

bool is_counter(const stored_parameter& which) {
  return which.rule.type == dtype::i64;
}

std::vector<std::string> names_of(const std::vector<stored_parameter>& all) {
  std::vector<std::string> names;
  for (const auto& each : all)
    names.push_back(each.name);
  return names;
}

std::vector<std::string> names_of(const safetensors_file& file) {
  std::vector<std::string> names;
  for (const auto& each : file.tensors)
    names.push_back(each.name);
  return names;
}

result<void> check_names(const std::vector<stored_parameter>& wanted,
                         const safetensors_file& file) {
  for (const auto& each : wanted)
    if (file.find(each.name) == nullptr)
      return error{errc::unknown_name,
                   "no tensor '" + each.name + "', which the model has"
                     + did_you_mean(each.name, names_of(file))};
  const auto known = names_of(wanted);
  for (const auto& each : file.tensors)
    if (std::ranges::find(known, each.name) == known.end())
      return error{errc::unknown_name, "tensor '" + each.name
                                         + "' is not of the model"
                                         + did_you_mean(each.name, known)};
  return {};
}

/// The values of one tensor, checked against what the model wants.
result<std::vector<float>> values_of(const stored_parameter& which,
                                     const safetensor& from) {
  if (shape{from.shape} != which.rule.extents)
    return error{errc::bad_shape, "tensor '" + which.name + "': wanted shape "
                                    + to_string(which.rule.extents) + ", got "
                                    + to_string(shape{from.shape})};
  if (is_counter(which)) {
    PD_TRY(const auto counts, to_i64(from));
    return std::vector<float>(counts.begin(), counts.end());
  }
  return to_f32(from);
}

result<void> load(stage_program& to, const safetensors_file& file) {
  const auto& parameters = to.plan().parameters;
  PD_CHECK(check_names(parameters, file));
  std::vector<std::vector<float>> values;
  for (const auto& each : parameters) {
    const auto& from = *file.find(each.name);
    if (from.shape.size() > shape::max_rank)
      return error{errc::bad_shape, "tensor '" + each.name + "': rank "
                                      + std::to_string(from.shape.size())};
    PD_TRY(auto read, values_of(each, from));
    values.push_back(std::move(read));
  }
  for (std::size_t i = 0; i < parameters.size(); ++i)
    to.write(parameters[i], values[i]);
  return {};
}

} // namespace

result<void> save_weights(stage_program& from, const std::string& path) {
  std::list<std::vector<float>> floats; // lists: the tensors are views
  std::list<std::vector<std::int64_t>> counters;
  std::vector<safetensor> tensors;
  for (const auto& each : from.plan().parameters) {
    auto values = from.read(each);
    if (is_counter(each)) {
      const auto& kept = counters.emplace_back(values.begin(), values.end());
      tensors.push_back(make_safetensor(each.name, each.rule.extents, kept));
    } else {
      const auto& kept = floats.emplace_back(std::move(values));
      tensors.push_back(make_safetensor(each.name, each.rule.extents, kept));
    }
  }
  return write_safetensors(path, tensors, {{"format", "pt"}});
}

result<void> load_weights(stage_program& to, const std::string& path) {
  PD_TRY(const auto file, read_safetensors(path));
  if (auto loaded = load(to, file); !loaded)
    return loaded.failure().within(path);
  return {};
}

} // namespace pd
