#include "engine/base/error.hpp"
#include "ops/register.hpp"
#include "tools/pd_engine/commands.hpp"

#include <cstdio>
#include <exception>
#include <memory>

namespace {

using add_command = void (*)(CLI::App&, pd::command_context&);

struct command {
  const char* name;
  const char* what;
  add_command add;
};

constexpr command commands[]{
  {"run", "train a job", pd::add_run},
  {"check", "check a job and print it resolved, with its memory",
   pd::add_check},
  {"init", "write a job's initial weights", pd::add_init},
  {"export", "write a run's weights as one file that PyTorch loads",
   pd::add_export},
  {"models", "list the built-in models", pd::add_models},
  {"datasets", "list the datasets", pd::add_datasets},
};

int run(int argc, char** argv) {
  pd::registry ops;
  pd::register_ops(ops);
  pd::command_context context{ops, {argv, argv + argc}};
  CLI::App app{"pd-engine trains deep networks as a dataflow of actors"};
  app.require_subcommand(1);
  for (const auto& each : commands)
    each.add(*app.add_subcommand(each.name, each.what), context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return app.exit(wrong) == 0 ? 0 : 2;
  }
  return context.status;
}

} // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& fault) { // a device or the memory gave out
    std::fprintf(stderr, "pd-engine: error: %s\n", fault.what());
    return 1;
  }
}
