#include "engine/graph/registry.hpp"

#include "engine/base/text.hpp"

namespace pd {

void registry::add(const std::string& type, op_factory make,
                   std::map<device_kind, kernel_factory> kernels) {
  const bool is_new =
    entries_.try_emplace(type, entry{make, std::move(kernels)}).second;
  PD_ASSERT(is_new);
}

result<std::unique_ptr<op>> registry::make_op(const node& at) const {
  const auto found = entries_.find(at.op);
  if (found == entries_.end())
    return error{errc::unknown_name, "node '" + at.name + "': no op '" + at.op
                                       + "'" + did_you_mean(at.op, types())};
  auto made = found->second.make_op(at.settings);
  if (!made)
    return made.failure().within("node '" + at.name + "'");
  return made;
}

result<std::unique_ptr<kernel>>
registry::make_kernel(const kernel_context& context) const {
  const auto found = entries_.find(context.at.op);
  PD_ASSERT(found != entries_.end()); // its op was made
  const auto& kernels = found->second.kernels;
  const auto factory = kernels.find(context.on.kind());
  if (factory == kernels.end())
    return error{errc::not_supported, "node '" + context.at.name + "': op '"
                                        + context.at.op + "' has no kernel for "
                                        + to_string(context.on.kind())};
  auto made = factory->second(context);
  if (!made)
    return made.failure().within("node '" + context.at.name + "'");
  return made;
}

void registry::add_update(const std::string& name, device_kind on,
                          update_factory make) {
  const bool is_new = updates_[name].emplace(on, make).second;
  PD_ASSERT(is_new);
}

result<std::unique_ptr<update_rule>>
registry::make_update(const optimizer_settings& settings,
                      device_kind on) const {
  const auto found = updates_.find(settings.name);
  if (found == updates_.end()) {
    std::vector<std::string> names;
    for (const auto& [name, each] : updates_)
      names.push_back(name);
    return error{errc::unknown_name, "optimizer '" + settings.name
                                       + "': wanted one of " + join(names)};
  }
  const auto factory = found->second.find(on);
  if (factory == found->second.end())
    return error{errc::not_supported, "optimizer '" + settings.name
                                        + "' has no kernel for "
                                        + to_string(on)};
  return factory->second(settings);
}

std::vector<std::string> registry::types() const {
  std::vector<std::string> names;
  for (const auto& [name, each] : entries_)
    names.push_back(name);
  return names;
}

} // namespace pd
