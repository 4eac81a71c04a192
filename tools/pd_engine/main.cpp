#include "engine/base/error.hpp"
#include "engine/base/text.hpp"
#include "ops/register.hpp"
#include "tools/pd_engine/commands.hpp"

#include <algorithm>
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
  {"worker", "wait for a coordinator and work for it", pd::add_worker},
  {"check", "check a job and print it resolved, with its memory",
   pd::add_check},
  {"schedule", "print, draw or validate a timetable", pd::add_schedule},
  {"plan", "choose the cut and the replication from a profile", pd::add_plan},
  {"profile", "measure each node of a job's network, or a link",
   pd::add_profile},
  {"simulate", "predict a job's time, bubble, bytes and memory by a profile",
   pd::add_simulate},
  {"init", "write a job's initial weights", pd::add_init},
  {"checkpoints", "list a directory's checkpoints, each verified",
   pd::add_checkpoints},
  {"export", "write a checkpoint's weights as one file that PyTorch loads",
   pd::add_export},
  {"rehearse", "run a job on a profile's times instead of computing",
   pd::add_rehearse},
  {"models", "list the built-in models", pd::add_models},
  {"datasets", "list the datasets", pd::add_datasets},
};

bool is_known(const std::string& word) {
  const auto is_it = [&](const command& each) { return word == each.name; };
  return word.starts_with("-") || std::ranges::any_of(commands, is_it);
}

std::string unknown_command(const std::string& word) {
  std::vector<std::string> names;
  for (const auto& each : commands)
    names.emplace_back(each.name);
  return "no command '" + word + "'" + pd::did_you_mean(word, names)
         + "; there are " + pd::join(names);
}

int run(int argc, char** argv) {
  pd::registry ops;
  pd::register_ops(ops);
  pd::command_context context{ops, {argv, argv + argc}};
  CLI::App app{"pd-engine trains deep networks as a dataflow of actors"};
  app.require_subcommand(1);
  for (const auto& each : commands)
    each.add(*app.add_subcommand(each.name, each.what), context);
  if (argc > 1 && !is_known(argv[1])) {
    pd::fail(context, {pd::errc::unknown_name, unknown_command(argv[1])});
    return context.status;
  }
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
