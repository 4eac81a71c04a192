#include "engine/onnx/onnx_names.hpp"

#include "engine/base/text.hpp"

#include <map>
#include <set>

namespace pd {

namespace {

/// Letters, digits, '_', '-' and '.'; anything else becomes '_'.
std::string plain(std::string name) {
  constexpr std::size_t most = 200;
  if (name.size() > most)
    name.resize(most);
  for (auto& each : name) {
    const bool is_plain = (each >= 'a' && each <= 'z')
                          || (each >= 'A' && each <= 'Z')
                          || (each >= '0' && each <= '9') || each == '_'
                          || each == '-' || each == '.';
    each = is_plain ? each : '_';
  }
  return name;
}

/// What stands after the last slash.
std::string last_part(const std::string& node) {
  return node.substr(node.rfind('/') + 1); // npos + 1 is 0
}

class namer {
public:
  explicit namer(const std::vector<onnx_name_source>& from) : from_{from} {
    for (const auto& each : from) {
      const auto module = plain(module_of(each.node));
      ++nodes_in_[module];
      add_blocks(module);
      add_blocks(plain(each.parameters));
    }
  }

  std::vector<std::string> run() {
    std::vector<std::string> names(from_.size());
    for (std::size_t i = 0; i < from_.size(); ++i) // they are weights' names
      if (!from_[i].parameters.empty())
        names[i] = unused(plain(from_[i].parameters));
    for (std::size_t i = 0; i < from_.size(); ++i)
      if (names[i].empty())
        names[i] = unused(name_of(from_[i]));
    return names;
  }

private:
  void add_blocks(const std::string& name) {
    for (auto dot = name.find('.'); dot != std::string::npos;
         dot = name.find('.', dot + 1))
      blocks_.insert(name.substr(0, dot));
  }

  [[nodiscard]] std::string name_of(const onnx_name_source& at) const {
    auto module = plain(module_of(at.node));
    const auto op = plain(at.op);
    if (module.empty())
      return at.node.empty() ? op : plain(last_part(at.node));
    if (nodes_in_.at(module) == 1 && !blocks_.contains(module)
        && !taken_.contains(module))
      return module;
    return module + "." + op;
  }

  std::string unused(const std::string& name) {
    auto made = name;
    while (!taken_.insert(made).second)
      made = name + "_" + std::to_string(++copies_[name]);
    return made;
  }

  const std::vector<onnx_name_source>& from_;
  std::map<std::string, int> nodes_in_; ///< by module
  std::map<std::string, int> copies_;   ///< by the name they would have
  std::set<std::string> blocks_;        ///< names that others begin with
  std::set<std::string> taken_{"input", "labels", "loss", "to_activation"};
};

} // namespace

std::string module_of(const std::string& node) {
  if (node.empty() || node[0] != '/')
    return "";
  auto parts = split(node.substr(1), '/');
  parts.pop_back(); // the op
  std::vector<std::string> made;
  for (auto& each : parts) {
    // A child of a Sequential has its parent's name in its own.
    if (!made.empty() && each.starts_with(made.back() + "."))
      made.pop_back();
    made.push_back(std::move(each));
  }
  return join(made, ".");
}

std::vector<std::string> name_nodes(const std::vector<onnx_name_source>& from) {
  return namer{from}.run();
}

} // namespace pd
