/// Which ops there are, and which kernels on which device.

#pragma once

#include "engine/graph/kernel.hpp"
#include "engine/graph/op.hpp"
#include "engine/graph/update.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace pd {

/// Makes a rule from a node's settings. Errors: bad_value, unknown_name.
using op_factory = result<std::unique_ptr<op>> (*)(const attributes&);

/// Filled once by a program's main (ops/register.hpp), then read-only.
class registry {
public:
  void add(const std::string& type, op_factory make,
           std::map<device_kind, kernel_factory> kernels);

  /// Errors: unknown_name with the nearest op; what the op's factory says;
  /// both with the node's name in front.
  [[nodiscard]] result<std::unique_ptr<op>> make_op(const node& at) const;

  /// Errors: not_supported, with node, op and device, if there is none.
  [[nodiscard]] result<std::unique_ptr<kernel>>
  make_kernel(const kernel_context& context) const;

  void add_update(const std::string& name, device_kind on, update_factory make);

  /// Errors: unknown_name, not_supported.
  [[nodiscard]] result<std::unique_ptr<update_rule>>
  make_update(const optimizer_settings& settings, device_kind on) const;

  [[nodiscard]] std::vector<std::string> types() const;

private:
  struct entry {
    op_factory make_op = nullptr;
    std::map<device_kind, kernel_factory> kernels;
  };
  std::map<std::string, entry> entries_;
  std::map<std::string, std::map<device_kind, update_factory>> updates_;
};

} // namespace pd
