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

std::vector<std::string> names_of(const safetensors_file& file) {
  std::vector<std::string> names;
  for (const auto& each : file.tensors)
    names.push_back(each.name);
  return names;
}

result<void> check_names(const std::vector<std::string>& wanted,
                         const safetensors_file& file) {
  for (const auto& each : wanted)
    if (file.find(each) == nullptr)
      return error{errc::unknown_name, "no tensor '" + each
                                         + "', which the model has"
                                         + did_you_mean(each, names_of(file))};
  for (const auto& each : file.tensors)
    if (std::ranges::find(wanted, each.name) == wanted.end())
      return error{errc::unknown_name, "tensor '" + each.name
                                         + "' is not of the model"
                                         + did_you_mean(each.name, wanted)};
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

result<void> load(stage_program& to, const safetensors_file& file,
                  const std::vector<std::string>& of_model) {
  const auto& parameters = to.plan().parameters;
  PD_CHECK(check_names(of_model, file));
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

std::vector<named_tensor> weights_of(stage_program& from) {
  std::vector<named_tensor> made;
  for (const auto& each : from.plan().parameters)
    made.push_back(
      {each.name, each.rule.extents, is_counter(each), from.read(each)});
  return made;
}

std::vector<std::string>
weight_names(const std::vector<pipeline_stage>& stages) {
  std::vector<std::string> names;
  for (const auto& stage : stages)
    for (std::size_t i = 0; i < stage.net.net.nodes.size(); ++i)
      for (const auto& each : stage.net.parameters(static_cast<int>(i)))
        names.push_back(each.suffix);
  return names;
}

std::vector<std::string> weight_names(const stage_program& of) {
  std::vector<std::string> names;
  for (const auto& each : of.plan().parameters)
    names.push_back(each.name);
  return names;
}

result<void> save_weights(const std::vector<named_tensor>& from,
                          const std::string& path) {
  std::list<std::vector<std::int64_t>> counters; // a list: tensors are views
  std::vector<safetensor> tensors;
  for (const auto& each : from)
    if (each.is_counter) {
      const auto& kept =
        counters.emplace_back(each.values.begin(), each.values.end());
      tensors.push_back(make_safetensor(each.name, each.extents, kept));
    } else {
      tensors.push_back(make_safetensor(each.name, each.extents, each.values));
    }
  return write_safetensors(path, tensors, {{"format", "pt"}});
}

result<void> load_weights(stage_program& to, const std::string& path,
                          const std::vector<std::string>& of_model) {
  PD_TRY(const auto file, read_safetensors(path));
  if (auto loaded = load(to, file, of_model); !loaded)
    return loaded.failure().within(path);
  return {};
}

} // namespace pd
