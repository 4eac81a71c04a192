#include "actors/worker_processes.hpp"
#include "tools/pd_engine/commands.hpp"

#include <csignal>
#include <memory>

namespace pd {

namespace {

struct worker_arguments {
  std::string listen = "127.0.0.1:0";
  bool is_child = false;
};

/// Ctrl-C at a terminal is for the coordinator, which ends its workers.
void run(const worker_arguments& given, command_context& context) {
  if (given.is_child)
    std::signal(SIGINT, SIG_IGN);
  const auto at = parse_address(given.listen);
  if (!at)
    return fail(context, at.failure().within("--listen"));
  if (const auto done = run_worker_process({*at, given.is_child}, context.ops);
      !done)
    fail(context, done.failure());
}

} // namespace

void add_worker(CLI::App& app, command_context& context) {
  const auto given = std::make_shared<worker_arguments>();
  app
    .add_option("--listen", given->listen,
                "address of this machine alone, and a port; 0: any")
    ->capture_default_str();
  app
    .add_flag(child_option, given->is_child,
              "started by a coordinator: ends with its standard input, and "
              "shows what it does in the memory of descriptor 3")
    ->group(""); // not for people
  app.callback([given, &context] { run(*given, context); });
}

} // namespace pd
