#include "engine/onnx/onnx_network.hpp"

#include "engine/onnx/onnx_fold.hpp"
#include "engine/onnx/onnx_pattern.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <unordered_map>

namespace pd {

namespace {

constexpr std::int64_t first_opset = 11;
constexpr std::int64_t last_opset = 17;

/// A matrix [rows, columns] as [columns, rows].
std::vector<float> transposed(const std::vector<float>& from, std::int64_t rows,
                              std::int64_t columns) {
  std::vector<float> made(from.size());
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t k = 0; k < columns; ++k)
      made[static_cast<std::size_t>(k * rows + i)] =
        from[static_cast<std::size_t>(i * columns + k)];
  return made;
}

/// Makes the network of one file.
class importer {
public:
  importer(const onnx_model& from, const onnx_options& options,
           const registry& ops)
    : from_{from}, options_{options}, builder_{ops} {}

  result<onnx_network> run(const std::string& name) {
    PD_CHECK(check_version());
    PD_CHECK(add_what_is_given());
    PD_CHECK(find_needed());
    PD_CHECK(add_nodes());
    PD_TRY(const int logits, find_logits());
    return builder_.finish(name, logits);
  }

private:
  // -- the file as a whole ---------------------------------------------------

  [[nodiscard]] result<void> check_version() const {
    if (from_.opset >= first_opset && from_.opset <= last_opset)
      return {};
    return error{errc::not_supported, "wanted an opset from "
                                        + std::to_string(first_opset) + " to "
                                        + std::to_string(last_opset) + ", got "
                                        + std::to_string(from_.opset)};
  }

  /// The one input that is no initializer.
  [[nodiscard]] result<const onnx_port*> find_image() const {
    std::set<std::string> weights;
    for (const auto& each : from_.initializers)
      weights.insert(each.name);
    std::vector<const onnx_port*> found;
    for (const auto& each : from_.inputs)
      if (!weights.contains(each.name))
        found.push_back(&each);
    if (found.size() != 1)
      return error{errc::not_supported,
                   "wanted one input, got " + std::to_string(found.size())};
    return found[0];
  }

  /// What the file fixes of the image must be the job's.
  [[nodiscard]] result<void> check_image(const onnx_port& image) const {
    const std::vector<std::int64_t> wanted{-1, options_.channels,
                                           options_.height, options_.width};
    const auto& dims = image.dims;
    if (dims.size() != 4 || !is_real(image.type))
      return error{errc::not_supported,
                   "input " + shown(image.name)
                     + ": wanted an image of reals [N, C, H, W], got "
                     + to_string(image.type) + " "
                     + to_string(attribute{dims})};
    for (std::size_t i = 1; i < 4; ++i)
      if (dims[i] != -1 && dims[i] != wanted[i])
        return error{errc::bad_value,
                     "input " + shown(image.name)
                       + " is [N, C, H, W] = " + to_string(attribute{dims})
                       + ", and the job's model.image is [height, width, "
                         "channels] = "
                       + to_string(attribute{std::vector<std::int64_t>{
                         options_.height, options_.width, options_.channels}})};
    return {};
  }

  result<void> add_input() {
    PD_TRY(const auto* image, find_image());
    PD_CHECK(check_image(*image));
    PD_TRY(
      const int made,
      builder_.add_input({options_.channels, options_.height, options_.width}));
    batch_ = image->dims[0];
    values_[image->name] = onnx_activation{made};
    return {};
  }

  result<void> add_what_is_given() {
    PD_CHECK(add_input());
    return add_initializers();
  }

  result<void> add_initializers() {
    for (const auto& each : from_.initializers)
      if (!values_.emplace(each.name, onnx_constant{&each, each.name, false})
             .second)
        return error{errc::bad_file,
                     "initializer " + shown(each.name) + ": is there twice"};
    return {};
  }

  /// The nodes that the output needs, in the file's order.
  result<void> find_needed() {
    if (from_.outputs.size() != 1)
      return error{errc::not_supported,
                   "wanted one output, the logits, got "
                     + std::to_string(from_.outputs.size())};
    std::set<std::string> wanted{from_.outputs[0].name};
    ++takers_[from_.outputs[0].name];
    for (auto at = from_.nodes.rbegin(); at != from_.nodes.rend(); ++at) {
      if (std::ranges::none_of(at->outputs, [&](const auto& each) {
            return wanted.contains(each);
          }))
        continue;
      needed_.push_back(&*at);
      for (const auto& each : at->inputs) {
        wanted.insert(each);
        ++takers_[each];
      }
    }
    std::ranges::reverse(needed_);
    return {};
  }

  [[nodiscard]] result<int> find_logits() const {
    const auto& port = from_.outputs[0];
    const auto found = values_.find(port.name);
    const auto* made = found == values_.end()
                         ? nullptr
                         : std::get_if<onnx_activation>(&found->second);
    const auto label = "output " + shown(port.name);
    if (made == nullptr || made->padding != std::array<std::int64_t, 2>{0, 0})
      return error{errc::bad_value, label + ": no node makes it"};
    const auto& extents = builder_.shape_of(made->node);
    if (extents.rank() != 2)
      return error{errc::not_supported,
                   label + ": wanted logits [N, classes], got "
                     + to_string(extents) + " for one sample"};
    if (extents[1] != options_.classes)
      return error{errc::bad_value,
                   label + ": has " + std::to_string(extents[1])
                     + " classes, and the job's model.classes is "
                     + std::to_string(options_.classes)};
    return made->node;
  }

  // -- one node --------------------------------------------------------------

  [[nodiscard]] result<std::vector<onnx_value>>
  inputs_of(const onnx_node& at) const {
    std::vector<onnx_value> made;
    for (const auto& each : at.inputs) {
      if (each.empty()) {
        made.emplace_back();
        continue;
      }
      const auto found = values_.find(each);
      if (found == values_.end())
        return error{errc::bad_file,
                     "input " + shown(each)
                       + ": is no initializer, and no node before it makes it"};
      made.push_back(found->second);
    }
    return made;
  }

  /// What the node Shape makes; empty if it is no such node, or of no such
  /// input.
  [[nodiscard]] result<std::optional<onnx_numbers>>
  shape_of(const onnx_node& at, const std::vector<onnx_value>& inputs) const {
    if (at.op != "Shape" || inputs.size() != 1)
      return std::optional<onnx_numbers>{};
    if (const auto* half = std::get_if<onnx_pending>(&inputs[0]))
      return extents_of(*half, builder_);
    const auto* of = std::get_if<onnx_activation>(&inputs[0]);
    if (of == nullptr || of->padding != std::array<std::int64_t, 2>{0, 0})
      return std::optional<onnx_numbers>{};
    PD_TRY(auto extents, fold_shape(at, builder_.shape_of(of->node)));
    return std::optional<onnx_numbers>{std::move(extents)};
  }

  [[nodiscard]] std::vector<int> takers_of_inputs(const onnx_node& at) const {
    std::vector<int> made;
    for (const auto& each : at.inputs)
      made.push_back(takers_.at(each));
    return made;
  }

  /// What stands behind its first output: numbers, a step of a pattern, or what
  /// its importer says.
  result<onnx_value> value_of(const onnx_node& at) {
    PD_TRY(auto inputs, inputs_of(at));
    PD_TRY(auto extents, shape_of(at, inputs));
    if (extents)
      return onnx_value{*std::move(extents)};
    PD_TRY(auto numbers, fold(at, inputs));
    if (numbers)
      return onnx_value{*std::move(numbers)};
    const onnx_call call{.at = at,
                         .inputs = std::move(inputs),
                         .to = builder_,
                         .opset = from_.opset,
                         .batch = batch_,
                         .takers = takers_of_inputs(at)};
    PD_TRY(auto step, import_step(call));
    if (step)
      return *std::move(step);
    if (const auto import = find_importer(at.op))
      return import(call);
    return error{errc::not_supported,
                 "this op is not imported" + advice_on(at.op)};
  }

  result<void> add_node(const onnx_node& at) {
    if (!at.domain.empty() && at.domain != "ai.onnx")
      return error{errc::not_supported,
                   "its domain " + shown(at.domain) + " is not imported"};
    if (at.outputs.empty())
      return error{errc::bad_file, "has no output"};
    for (const auto& each : at.outputs)
      if (!each.empty() && values_.contains(each))
        return error{errc::bad_file,
                     "output " + shown(each) + ": is there twice"};
    PD_TRY(auto made, value_of(at));
    values_[at.outputs[0]] = std::move(made);
    return {};
  }

  result<void> add_nodes() {
    for (const auto* each : needed_)
      if (auto done = add_node(*each); !done)
        return done.failure().within(shown(*each));
    return {};
  }

  const onnx_model& from_;
  const onnx_options& options_;
  onnx_builder builder_;
  std::int64_t batch_ = -1;
  std::vector<const onnx_node*> needed_;
  std::unordered_map<std::string, onnx_value> values_;
  std::unordered_map<std::string, int> takers_; ///< of each value
};

} // namespace

result<onnx_network> import_onnx(onnx_model from, const std::string& path,
                                 const onnx_options& options,
                                 const registry& ops) {
  const auto kept = std::make_shared<const onnx_model>(std::move(from));
  const auto name = std::filesystem::path{path}.stem().string();
  auto made = importer{*kept, options, ops}.run(name);
  if (!made)
    return made.failure().within(path);
  made->model = kept;
  return made;
}

std::vector<float> onnx_network::values_of(const std::string& name) const {
  const auto& from = parameters.at(name);
  auto made = to_reals(*from.tensor);
  if (from.is_transposed)
    made = transposed(made, from.tensor->dims[0], from.tensor->dims[1]);
  return made;
}

result<onnx_network> load_onnx(const std::string& path,
                               const onnx_options& options,
                               const registry& ops) {
  PD_TRY(auto model, read_onnx_model(path));
  return import_onnx(std::move(model), path, options, ops);
}

result<onnx_network> parse_onnx(std::string_view bytes, const std::string& path,
                                const onnx_options& options,
                                const registry& ops) {
  PD_TRY(auto model, parse_onnx_model(bytes, path));
  return import_onnx(std::move(model), path, options, ops);
}

bool is_onnx_path(const std::string& path) {
  return path.ends_with(".onnx");
}

} // namespace pd
