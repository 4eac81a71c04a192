/// Puts nodes of our ops one after another, with their shapes and with what
/// their parameters start from.
///
/// Invariant (1): every shape has been inferred for one sample, and is small
/// enough that no product of its extents leaves 64 bits.

#pragma once

#include "engine/graph/registry.hpp"
#include "engine/onnx/onnx_names.hpp"
#include "engine/onnx/onnx_network.hpp"

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace pd {

class onnx_builder {
public:
  explicit onnx_builder(const registry& ops) : ops_{ops} {}

  /// One node to add.
  struct request {
    std::string op; ///< ours
    attributes settings = {};
    std::vector<int> inputs;
    /// Of the op's parameters, in its order; the rest start as the op says.
    std::vector<onnx_constant> parameters = {};
    std::string name = {}; ///< empty: what the parameters' names begin with
  };

  /// Adds the node "input". Errors: bad_shape.
  result<int> add_input(const std::vector<std::int64_t>& extents);

  /// Adds a node that `from` became, or a part of it.
  /// Errors: of the op; bad_shape; a parameter that another node has too.
  result<int> add(const onnx_node& from, request what);

  /// Gives a node of `linear` that has none its bias. Errors: bad_shape.
  result<void> add_bias(int node, const onnx_constant& bias);

  /// The name in the file of what a node makes.
  [[nodiscard]] const std::string& output_of(int node) const {
    return outputs_[static_cast<std::size_t>(node)];
  }

  [[nodiscard]] const shape& shape_of(int node) const {
    return shapes_[static_cast<std::size_t>(node)];
  }
  [[nodiscard]] const node& node_at(int index) const {
    return net_.nodes[static_cast<std::size_t>(index)];
  }

  /// The whole network, named, with labels and loss over `logits`.
  /// Errors: a node whose output nobody takes. @post this is empty
  result<onnx_network> finish(const std::string& name, int logits);

private:
  [[nodiscard]] result<std::unique_ptr<op>>
  make_rule(const request& what) const;
  [[nodiscard]] result<void> check_parameters(const op& rule,
                                              const request& what) const;
  result<void> take_names(const std::vector<onnx_constant>& what);
  void rename();
  [[nodiscard]] result<void> check_consumers() const;

  const registry& ops_;
  graph net_;
  std::vector<shape> shapes_;
  std::vector<std::vector<onnx_constant>> parameters_; ///< by node
  std::vector<onnx_name_source> sources_;              ///< likewise
  std::vector<std::string> outputs_;                   ///< likewise
  std::set<std::string> taken_; ///< names of constants that are parameters
};

} // namespace pd
