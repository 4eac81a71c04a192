/// The subcommands of pd-engine, one file each.
///
/// Every add_* puts its options on `app` and a callback that does the work and
/// sets `context.status`.

#pragma once

#include "engine/base/error.hpp"
#include "engine/graph/registry.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace pd {

/// Exit status of who ends since a person asked for it.
inline constexpr int interrupted_status = 130;

/// What all commands share.
struct command_context {
  const registry& ops;
  std::vector<std::string> command_line;
  int status = 0; ///< the process's exit status
};

/// A job file and `--set`s, as several commands take them.
struct job_arguments {
  std::string path;
  std::vector<std::string> overrides;

  void add_to(CLI::App& app);
};

void add_run(CLI::App& app, command_context& context);
void add_worker(CLI::App& app, command_context& context);
void add_check(CLI::App& app, command_context& context);
void add_schedule(CLI::App& app, command_context& context);
void add_plan(CLI::App& app, command_context& context);
void add_profile(CLI::App& app, command_context& context);
void add_simulate(CLI::App& app, command_context& context);
void add_init(CLI::App& app, command_context& context);
void add_export(CLI::App& app, command_context& context);
void add_checkpoints(CLI::App& app, command_context& context);
void add_rehearse(CLI::App& app, command_context& context);
void add_models(CLI::App& app, command_context& context);
void add_datasets(CLI::App& app, command_context& context);

/// Prints "pd-engine: error: ..." as the last line on stderr and sets the
/// status: 1 if the job itself failed, 2 if what was given is invalid. What was
/// interrupted before it began is no error: "pd-engine: interrupted ...", 130.
void fail(command_context& context, const error& why, bool has_begun = false);

/// Errors: io with the path.
[[nodiscard]] result<void> write_file(const std::string& path,
                                      const std::string& text);

/// One line of JSON on stdout. A path that is no UTF-8 gets U+FFFD for what is
/// none: JSON has no other bytes.
void print_json(const nlohmann::ordered_json& object);

} // namespace pd
