/// Reads the attributes of one node, as engine/graph's attribute_reader does
/// those of a graph: the first thing that is wrong is kept and told by
/// finish(), and what nobody read is an error too.

#pragma once

#include "engine/onnx/onnx_model.hpp"

#include <array>
#include <set>
#include <string>
#include <vector>

namespace pd {

class onnx_attributes {
public:
  explicit onnx_attributes(const onnx_node& from) : from_{from} {}

  [[nodiscard]] bool has(const std::string& name) const;

  std::int64_t integer(const std::string& name, std::int64_t fallback);
  bool flag(const std::string& name, bool fallback);
  double real(const std::string& name, double fallback);
  std::string text(const std::string& name, const std::string& fallback);
  std::vector<std::int64_t> integers(const std::string& name,
                                     std::vector<std::int64_t> fallback);
  const onnx_tensor* tensor(const std::string& name); ///< null: not there

  /// Two whole numbers from `least` to 65536.
  std::array<std::int64_t, 2> pair(const std::string& name,
                                   std::array<std::int64_t, 2> fallback,
                                   std::int64_t least);

  /// An attribute that a network in training does not look at.
  void skip(const std::string& name) { known_.insert(name); }

  /// Keeps `wanted` as what is wrong with the attribute.
  void fail(const std::string& name, const std::string& wanted);

  /// Errors: bad_value, not_supported (an attribute that is not read here).
  [[nodiscard]] result<void> finish() const;

private:
  template <class T>
  T read(const std::string& name, T fallback, const char* wanted);
  [[nodiscard]] const onnx_attribute* find(const std::string& name) const;

  const onnx_node& from_;
  std::set<std::string> known_;
  result<void> first_;
};

} // namespace pd
