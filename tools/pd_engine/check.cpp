#include "engine/base/text.hpp"
#include "engine/job/job_file.hpp"
#include "engine/train/session.hpp"
#include "engine/train/worker_plan.hpp"
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

/// What check finds out of one stage: of each of its workers.
struct stage_findings {
  int replicas = 1;
  std::vector<memory_item> memory;
  std::int64_t parameters = 0;
  std::size_t nodes = 0;
  std::int64_t in_flight = 0;
  int versions = 1;

  [[nodiscard]] std::int64_t total_bytes() const {
    const auto add = [](std::int64_t sum, const memory_item& each) {
      return sum + each.bytes;
    };
    return std::accumulate(memory.begin(), memory.end(), std::int64_t{0}, add);
  }
};

struct findings {
  job what;
  std::vector<stage_findings> stages;
};

std::int64_t count_parameters(const stage_plan& plan) {
  std::int64_t sum = 0;
  for (const auto& each : plan.parameters)
    if (each.rule.is_trainable)
      sum += each.rule.extents.elems();
  return sum;
}

result<stage_findings> find_out(const deployment& all, int stage,
                                const registry& ops) {
  stage_findings made;
  const auto where = all.where();
  const int worker = where.worker_at(stage, 0);
  PD_TRY(const auto on,
         open_device(all.what.run.device, {.threads = threads_of_worker(all)}));
  PD_TRY(const auto plans, plan_worker(all, worker, ops, *on));
  PD_TRY(made.memory, memory_of_worker(all, worker, plans, ops, *on));
  made.replicas = where.replicas(stage);
  made.versions = versions_of_worker(all, worker);
  for (const auto& each : plans) {
    made.parameters += count_parameters(each);
    made.nodes += each.nodes.size();
    made.in_flight += each.options.in_flight;
  }
  return made;
}

result<findings> find_out(const check_arguments& given, const registry& ops) {
  findings made;
  PD_TRY(made.what, load_job(given.which.path, given.which.overrides));
  PD_TRY(const auto data, open_data(made.what));
  PD_TRY(const auto all, deploy(made.what, data.sizes(), ops));
  for (int stage = 0; stage < all.where().stages(); ++stage) {
    PD_TRY(auto each, find_out(all, stage, ops));
    made.stages.push_back(std::move(each));
  }
  return made;
}

void print_json(const findings& from) {
  auto stages = nlohmann::ordered_json::array();
  for (const auto& each : from.stages) {
    nlohmann::ordered_json stage{
      {"stage", stages.size()},      {"replicas", each.replicas},
      {"nodes", each.nodes},         {"parameters", each.parameters},
      {"in_flight", each.in_flight}, {"versions", each.versions}};
    for (const auto& item : each.memory)
      stage["memory_bytes"][item.name] = item.bytes;
    stage["total_bytes"] = each.total_bytes();
    stages.push_back(std::move(stage));
  }
  pd::print_json(nlohmann::ordered_json{
    {"valid", true}, {"name", from.what.name}, {"stages", stages}});
}

void print_text(const findings& from) {
  fmt::print("{}\n", print_job(from.what));
  for (std::size_t s = 0; s < from.stages.size(); ++s) {
    const auto& stage = from.stages[s];
    fmt::print("# stage {}: {} nodes, {} parameters, {} {}\n", s, stage.nodes,
               stage.parameters, stage.replicas,
               stage.replicas == 1 ? "worker" : "workers");
    for (const auto& each : stage.memory)
      fmt::print("# {:<12} {:>14} B  {:>10}  {}\n", each.name, each.bytes,
                 format_bytes(each.bytes), each.what);
    fmt::print("# {:<12} {:>14} B  {:>10}\n", "total", stage.total_bytes(),
               format_bytes(stage.total_bytes()));
  }
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
