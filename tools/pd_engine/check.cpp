#include "engine/base/text.hpp"
#include "engine/job/job_file.hpp"
#include "engine/train/session.hpp"
#include "tools/pd_engine/commands.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <numeric>

namespace pd {

namespace {

struct check_arguments {
  job_arguments which;
  bool is_json = false;
};

/// What check finds out.
struct findings {
  job what;
  std::vector<memory_item> memory;
  std::int64_t parameters = 0;
  std::size_t nodes = 0;

  [[nodiscard]] std::int64_t total_bytes() const {
    const auto add = [](std::int64_t sum, const memory_item& each) {
      return sum + each.bytes;
    };
    return std::accumulate(memory.begin(), memory.end(), std::int64_t{0}, add);
  }
};

std::int64_t count_parameters(const stage_plan& plan) {
  std::int64_t sum = 0;
  for (const auto& each : plan.parameters)
    if (each.rule.is_trainable)
      sum += each.rule.extents.elems();
  return sum;
}

result<findings> find_out(const check_arguments& given, const registry& ops) {
  findings made;
  PD_TRY(made.what, load_job(given.which.path, given.which.overrides));
  PD_TRY(const auto on, open_job_device(made.what));
  PD_TRY(const auto plan, plan_job(made.what, ops, *on));
  PD_TRY(made.memory, memory_of(made.what, plan, ops, *on));
  made.parameters = count_parameters(plan);
  made.nodes = plan.nodes.size();
  return made;
}

void print_json(const findings& from) {
  nlohmann::ordered_json stage{
    {"stage", 0}, {"nodes", from.nodes}, {"parameters", from.parameters}};
  for (const auto& each : from.memory)
    stage["memory_bytes"][each.name] = each.bytes;
  stage["total_bytes"] = from.total_bytes();
  fmt::print("{}\n", nlohmann::ordered_json{{"valid", true},
                                            {"name", from.what.name},
                                            {"stages", {stage}}}
                       .dump());
}

void print_text(const findings& from) {
  fmt::print("{}\n", print_job(from.what));
  fmt::print("# stage 0: {} nodes, {} parameters\n", from.nodes,
             from.parameters);
  for (const auto& each : from.memory)
    fmt::print("# {:<12} {:>14} B  {:>10}  {}\n", each.name, each.bytes,
               format_bytes(each.bytes), each.what);
  fmt::print("# {:<12} {:>14} B  {:>10}\n", "total", from.total_bytes(),
             format_bytes(from.total_bytes()));
}

} // namespace

void add_check(CLI::App& app, command_context& context) {
  const auto given = std::make_shared<check_arguments>();
  given->which.add_to(app);
  app.add_flag("--json", given->is_json, "print one JSON object");
  app.callback([given, &context] {
    const auto found = find_out(*given, context.ops);
    if (!found)
      return fail(context, found.failure());
    given->is_json ? print_json(*found) : print_text(*found);
  });
}

} // namespace pd
