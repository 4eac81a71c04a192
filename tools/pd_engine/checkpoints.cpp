#include "engine/base/text.hpp"
#include "engine/checkpoint/checkpoint_list.hpp"
#include "tools/pd_engine/commands.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace pd {

namespace {

using json = nlohmann::ordered_json;

std::string folder_name(const listed_checkpoint& of) {
  return std::filesystem::path{of.path}.filename();
}

json to_json(const listed_checkpoint& from) {
  return {{"name", folder_name(from)},
          {"path", from.path},
          {"epoch", from.at.epoch},
          {"samples", from.at.samples},
          {"bytes", from.bytes},
          {"shards", from.shards},
          {"state", to_string(from.state)},
          {"why", from.why}};
}

void print_json(const std::string& directory,
                const std::vector<listed_checkpoint>& all) {
  auto list = json::array();
  for (const auto& each : all)
    list.push_back(to_json(each));
  const json object{{"directory", directory}, {"checkpoints", list}};
  pd::print_json(object);
}

void print_text(const std::string& directory,
                const std::vector<listed_checkpoint>& all) {
  if (all.empty())
    fmt::print("{}: no checkpoints\n", directory);
  for (const auto& each : all)
    fmt::print("{:<26} epoch {:<4} sample {:<9} {:>10} {:>3} shard{} {}{}{}\n",
               folder_name(each), each.at.epoch, each.at.samples,
               format_bytes(each.bytes), each.shards,
               each.shards == 1 ? " " : "s", to_string(each.state),
               each.why.empty() ? "" : ": ", each.why);
}

result<void> print_checkpoints(const std::string& directory, bool is_json) {
  PD_TRY(const auto all, list_checkpoints(directory));
  (is_json ? print_json : print_text)(directory, all);
  return {};
}

struct list_arguments {
  std::string directory;
  bool is_json = false;
};

} // namespace

void add_checkpoints(CLI::App& app, command_context& context) {
  const auto given = std::make_shared<list_arguments>();
  app
    .add_option("DIR", given->directory,
                "a directory of checkpoints: a job's [checkpoint] directory")
    ->required();
  app.add_flag("--json", given->is_json, "print one JSON object");
  app.callback([given, &context] {
    if (const auto done = print_checkpoints(given->directory, given->is_json);
        !done)
      fail(context, done.failure());
  });
}

} // namespace pd
