#include "engine/train/weights.hpp"

#include "engine/job/job_file.hpp"
#include "engine/train/session.hpp"
#include "tools/pd_engine/commands.hpp"

#include <fmt/format.h>

namespace pd {

namespace {

struct weights_arguments {
  job_arguments which;
  std::string run;
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
  PD_TRY(auto from, load_job(given.run + "/job.toml"));
  from.model.weights = given.run + "/weights.safetensors";
  return write_weights(from, given.output, ops);
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
  app.add_option("CHECKPOINT", given->run, "a run directory")->required();
  add_output(app, *given);
  app.callback([given, &context] {
    if (const auto done = export_run(*given, context.ops); !done)
      fail(context, done.failure());
  });
}

} // namespace pd
