/// PipeDream's published profiles, which lie beside the repository.

#pragma once

#include "engine/planner/profile.hpp"

#include <string>
#include <vector>

namespace pd::test {

/// Every graph.txt of them, by path; none, with a warning, if they are not
/// there.
[[nodiscard]] std::vector<std::string> shipped_profiles();

/// One by a part of its path, "/vgg16/"; empty, with a warning, if they are not
/// there.
[[nodiscard]] profile shipped_profile(const std::string& part);

[[nodiscard]] std::string file_text(const std::string& path);

} // namespace pd::test
