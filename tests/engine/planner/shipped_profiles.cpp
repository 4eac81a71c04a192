#include "tests/engine/planner/shipped_profiles.hpp"

#include "engine/planner/pipedream_profile.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace pd::test {

namespace {

namespace fs = std::filesystem;

const std::string folder = PD_SOURCE_DIR "/../shared/data/pipedream";

} // namespace

std::vector<std::string> shipped_profiles() {
  std::vector<std::string> made;
  for (const auto* each : {"/profiles", "/partitioned_graphs"}) {
    std::error_code missing;
    for (const auto& file :
         fs::recursive_directory_iterator{folder + each, missing})
      if (file.path().extension() == ".txt")
        made.push_back(file.path().string());
  }
  std::ranges::sort(made);
  if (made.empty())
    WARN("SKIPPED: no PipeDream profiles under " << folder);
  return made;
}

profile shipped_profile(const std::string& part) {
  const auto paths = shipped_profiles();
  const auto has_part = [&part](const std::string& path) {
    return path.find(part) != std::string::npos;
  };
  const auto found = std::ranges::find_if(paths, has_part);
  if (found == paths.end())
    return {};
  auto read = parse_pipedream_graph(file_text(*found), *found);
  INFO((read ? "" : read.failure().message));
  REQUIRE(read);
  return *std::move(read);
}

std::string file_text(const std::string& path) {
  std::ifstream from{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{from}, {}};
}

} // namespace pd::test
