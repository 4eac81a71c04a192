#include "engine/data/dataset.hpp"
#include "engine/models/models.hpp"
#include "tools/pd_engine/commands.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace pd {

namespace {

/// Prints names with one line each, or as a JSON object.
template <class Entries>
void print_list(const char* key, const Entries& entries, bool is_json) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& each : entries)
    if (is_json)
      list.push_back({{"name", each.name}, {"description", each.description}});
    else
      fmt::print("{:<18} {}\n", each.name, each.description);
  if (is_json)
    print_json({{key, list}});
}

template <class Entries>
void add_list(CLI::App& app, const char* key, Entries entries) {
  const auto is_json = std::make_shared<bool>(false);
  app.add_flag("--json", *is_json, "print one JSON object");
  app.callback([=] { print_list(key, entries(), *is_json); });
}

} // namespace

void add_models(CLI::App& app, command_context&) {
  add_list(app, "models", model_names);
}

void add_datasets(CLI::App& app, command_context&) {
  add_list(app, "datasets", dataset_names);
}

} // namespace pd
