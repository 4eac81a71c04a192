/// A graph with its rules made and every shape known.

#pragma once

#include "engine/graph/graph.hpp"
#include "engine/graph/registry.hpp"

#include <memory>
#include <vector>

namespace pd {

/// Index i of each vector belongs to nodes[i].
struct typed_graph {
  graph net;
  std::vector<std::unique_ptr<op>> ops;
  std::vector<shape> shapes; ///< of the outputs, batch first

  [[nodiscard]] std::vector<shape> input_shapes(int index) const;
  /// The parameters of node `index`, names completed: "conv1.weight".
  [[nodiscard]] std::vector<parameter> parameters(int index) const;
};

/// Makes the rules and infers the shapes for microbatches of `samples`.
///
/// Errors: bad_shape and others, with the node's name, wanted and got;
/// bad_value if two parameters come to one name.
[[nodiscard]] result<typed_graph> infer(graph net, const registry& ops,
                                        std::int64_t samples);

} // namespace pd
