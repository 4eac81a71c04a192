/// The cases of tests/golden/ops: an op's operands, and what PyTorch makes of
/// them (tests/golden/make_goldens.py).

#pragma once

#include "engine/base/dtype.hpp"
#include "engine/base/shape.hpp"
#include "engine/graph/attributes.hpp"

#include <map>
#include <string>
#include <vector>

namespace pd {

/// A tensor on the host in plain order. Whole numbers are held as floats.
struct host_tensor {
  shape extents;
  std::vector<float> values;
  dtype type = dtype::f32;
};

/// One node with its operands, and what is wanted of it.
struct op_case {
  std::string name;
  std::string op;
  attributes settings;
  bool is_training = true; ///< false: forward in evaluation, no gradients
  std::vector<host_tensor> inputs;
  std::map<std::string, host_tensor> parameters; ///< by suffix

  host_tensor output;
  host_tensor output_grad;                       ///< empty at the loss
  std::map<std::string, host_tensor> statistics; ///< after forward, by suffix
  std::map<std::string, host_tensor> grads;      ///< "input0", "weight" ...
};

/// All cases of tests/golden/ops/<op>.safetensors, by name. Ends the test if
/// there is no such file.
[[nodiscard]] std::vector<op_case> golden_cases(const std::string& op);

/// The case of that name. Ends the test if there is none.
[[nodiscard]] op_case golden_case(const std::string& op,
                                  const std::string& name);

} // namespace pd
