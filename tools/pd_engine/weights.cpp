#include "engine/train/weights.hpp"

#include "engine/checkpoint/checkpoint.hpp"
#include "engine/checkpoint/checkpoint_list.hpp"
#include "engine/job/job_file.hpp"
#include "engine/train/session.hpp"
#include "tools/pd_engine/commands.hpp"

#include <filesystem>
#include <fmt/format.h>

namespace pd {

namespace {

namespace fs = std::filesystem;

struct weights_arguments {
  job_arguments which;
  std::string from;
  std::string output;
};

result<void> write_weights(const job& from, const std::string& output,
                           const registry& ops) {
  PD_TRY(const auto weights, job_weights(from, ops));
  PD_CHECK(save_weights(weights, output));
  fmt::print("{}: {} tensors\n", output, weights.size());
  return {};
}

result<void> init(const weights_arguments& given, const registry& ops) {
  PD_TRY(const auto from, load_job(given.which.path, given.which.overrides));
  return write_weights(from, given.output, ops);
}

/// Reads the run's weights into its network and writes them out again, so
/// that what comes out is whole and is the network's.
result<void> export_run(const weights_arguments& given, const registry& ops) {
  PD_TRY(auto from, load_job(given.from + "/job.toml"));
  from.model.weights = given.from + "/weights.safetensors";
  return write_weights(from, given.output, ops);
}

result<void> export_checkpoint(const checkpoint& from,
                               const std::string& output) {
  PD_CHECK(export_weights(from, output));
  fmt::print("{}: {} tensors of {}\n", output, from.manifest().tensors.size(),
             from.path());
  return {};
}

/// The newest whole one; those that were passed over are told.
result<checkpoint> newest_in(const std::string& directory) {
  PD_TRY(auto found, find_newest_checkpoint(directory));
  for (const auto& each : found.skipped)
    fmt::print(stderr, "pd-engine: {}: {}\n", to_string(each.state), each.why);
  if (!found.whole)
    return error{errc::bad_file, directory
                                   + ": none of its checkpoints is "
                                     "whole"};
  return *std::move(found.whole);
}

/// If a path is, or was to be, one checkpoint.
bool is_checkpoint(const fs::path& path) {
  std::error_code unknown;
  const auto name = fs::weakly_canonical(path, unknown).filename().string();
  return fs::exists(path / manifest_file, unknown)
         || parse_checkpoint_name(name);
}

result<void> export_any(const weights_arguments& given, const registry& ops) {
  std::error_code unknown;
  if (!fs::is_directory(given.from, unknown))
    return error{errc::bad_value, given.from + ": is no directory"};
  if (is_checkpoint(given.from)) {
    PD_TRY(const auto from, checkpoint::open(given.from));
    return export_checkpoint(from, given.output);
  }
  PD_TRY(const auto paths, checkpoint_paths(given.from));
  if (!paths.empty()) {
    PD_TRY(const auto from, newest_in(given.from));
    return export_checkpoint(from, given.output);
  }
  if (fs::exists(fs::path{given.from} / "job.toml", unknown))
    return export_run(given, ops);
  return error{errc::bad_value, given.from
                                  + ": is no checkpoint, no directory of "
                                    "checkpoints and no run directory"};
}

void add_output(CLI::App& app, weights_arguments& given) {
  app.add_option("-o,--output", given.output, "the safetensors file to write")
    ->required();
}

} // namespace

void add_init(CLI::App& app, command_context& context) {
  const auto given = std::make_shared<weights_arguments>();
  given->which.add_to(app);
  add_output(app, *given);
  app.callback([given, &context] {
    if (const auto done = init(*given, context.ops); !done)
      fail(context, done.failure());
  });
}

void add_export(CLI::App& app, command_context& context) {
  const auto given = std::make_shared<weights_arguments>();
  app
    .add_option("CHECKPOINT", given->from,
                "a checkpoint, a directory of them (its newest whole one is "
                "taken), or a run directory")
    ->required();
  add_output(app, *given);
  app.callback([given, &context] {
    if (const auto done = export_any(*given, context.ops); !done)
      fail(context, done.failure());
  });
}

} // namespace pd
