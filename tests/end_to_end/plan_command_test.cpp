/// pd-engine plan as a person runs it.

#include "tests/end_to_end/running_program.hpp"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

using namespace pd;
using namespace pd::test;

namespace {

/// Six nodes; the last three have all the parameters.
std::string small_graph() {
  std::string text = "node1 -- Input -- forward_compute_time=9.0, "
                     "backward_compute_time=0.0, activation_size=8.0, "
                     "parameter_size=0.0\n";
  for (int i = 2; i <= 7; ++i) {
    const auto id = "node" + std::to_string(i);
    const bool is_wide = i >= 5;
    text += id;
    text += " -- Linear -- forward_compute_time=10.0, "
            "backward_compute_time=20.0, activation_size=1000000.0, "
            "parameter_size=";
    text += is_wide ? "100000000.0" : "1000.0";
    text += "\n\tnode" + std::to_string(i - 1) + " -- " + id + "\n";
  }
  return text;
}

std::string lenet_job() {
  return "name = \"lenet\"\n[model]\nname = \"lenet\"\n"
         "image = [28, 28, 1]\n[data]\ndataset = \"synthetic\"\n"
         "samples = 640\nmicrobatch = 8\n";
}

ended plan(const scratch_folder& in, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(),
                   {"plan", in.write("graph.txt", small_graph())});
  return run(in, std::move(arguments));
}

} // namespace

TEST_CASE("a plan as JSON has its objective and its stages",
          "[end_to_end][plan]") {
  const scratch_folder in;
  for (const auto* model : {"engine", "pipedream"}) {
    const auto done = plan(in, {"--machines", "4", "--bandwidth", "1e9",
                                "--cost-model", model, "--json"});
    INFO(done.err);
    REQUIRE(done.status == 0);
    const auto made = nlohmann::json::parse(done.out);
    CHECK(made["objective_s"] <= made["dp_objective_s"]);
    int replicas = 0;
    double slowest = 0;
    for (const auto& each : made["stages"]) {
      replicas += each["replicas"].get<int>();
      const double compute = each["compute_s"];
      const double sync = each["sync_s"];
      const double send = each["send_s"];
      slowest =
        std::max({slowest, send,
                  model == std::string{"engine"} ? std::max(compute, sync)
                                                 : compute + sync});
      CHECK(each["memory_bytes"] > 0);
      CHECK(each["nodes"].front() == each["first"]);
      CHECK(each["nodes"].back() == each["last"]);
    }
    CHECK(replicas == 4);
    CHECK(slowest == Approx(made["objective_s"].get<double>()));
    CHECK(made["stages"].front()["first"] == "node2");
    CHECK(made["stages"].back()["last"] == "node7");
  }
}

TEST_CASE("a straight plan has one worker a stage", "[end_to_end][plan]") {
  const scratch_folder in;
  const auto done =
    plan(in, {"--machines", "3", "--bandwidth", "1e9", "--straight", "--json"});
  REQUIRE(done.status == 0);
  const auto made = nlohmann::json::parse(done.out);
  CHECK(made["stages"].size() == 3);
  for (const auto& each : made["stages"])
    CHECK(each["replicas"] == 1);
}

TEST_CASE("a plan is made for a cluster file, and printed for people",
          "[end_to_end][plan]") {
  const scratch_folder in;
  const auto done =
    plan(in, {"--cluster", PD_SOURCE_DIR "/configs/v100_4x4.toml"});
  INFO(done.err);
  REQUIRE(done.status == 0);
  CHECK(done.out.find("ms for each minibatch; data parallel ")
        != std::string::npos);
}

TEST_CASE("plan says in one line what was given badly", "[end_to_end][plan]") {
  struct bad_input {
    std::vector<std::string> arguments;
    std::string wanted;
  };
  const std::vector<bad_input> all{
    {{}, "plan: wanted --cluster, or --machines and --bandwidth"},
    {{"--machines", "4"},
     "plan: wanted --cluster, or --machines and --bandwidth"},
    {{"--machines", "4,x", "--bandwidth", "1"},
     "--machines: wanted counts N[,M...], got '4,x'"},
    {{"--machines", "4", "--bandwidth", "fast"},
     "--bandwidth: wanted bytes a second B[,B2...], got 'fast'"},
    {{"--machines", "4,2", "--bandwidth", "1"},
     "--machines, --bandwidth: wanted a bandwidth for each level of machines, "
     "got 1 for 2"},
    {{"--machines", "0", "--bandwidth", "1"},
     "--machines, --bandwidth: machines: wanted 1 to 4096, got 0"},
    {{"--machines", "2", "--bandwidth", "1", "--memory", "-1"},
     "--memory: wanted bytes from 0 on, 0 for no bound, got '-1'"},
    {{"--machines", "2", "--bandwidth", "1", "--memory", "16G"},
     "--memory: wanted bytes from 0 on, 0 for no bound, got '16G'"},
    {{"--machines", "2", "--bandwidth", "1", "--cost-model", "pipdream"},
     "--cost-model: no model 'pipdream' (did you mean 'pipedream'?); there are "
     "engine, pipedream"},
    {{"--machines", "2", "--bandwidth", "1", "--schedule", "gpip"},
     "schedule: no schedule 'gpip' (did you mean 'gpipe'?); there are "},
    {{"--machines", "2", "--bandwidth", "1e9", "--memory", "1"},
     "memory: no plan fits into 1 bytes (1 B) of a worker; the least that is "
     "enough is "},
  };
  const scratch_folder in;
  for (const auto& each : all) {
    const auto done = plan(in, each.arguments);
    INFO(done.err);
    CHECK(done.status == 2);
    const auto lines = lines_of(done.err);
    REQUIRE(!lines.empty());
    CHECK(lines.back().starts_with("pd-engine: error: " + each.wanted));
    CHECK(lines.size() == 1);
    CHECK(done.out.empty());
  }
}

TEST_CASE("a profile that is not one is refused with its line",
          "[end_to_end][plan]") {
  const scratch_folder in;
  const auto bad = in.write("bad.txt", "node1 -- x\n");
  const auto done =
    run(in, {"plan", bad, "--machines", "2", "--bandwidth", "1"});
  CHECK(done.status == 2);
  CHECK(done.err.find("bad.txt:1: wanted 'id -- description")
        != std::string::npos);
}

TEST_CASE("a planned job is one that check accepts, with the plan's stages",
          "[end_to_end][plan]") {
  const scratch_folder in;
  const auto job = in.write("lenet.toml", lenet_job());
  const auto profiled = run(in, {"profile", job, "-o", in / "lenet.json",
                                 "--repeats", "2", "--warmups", "1"});
  INFO(profiled.err);
  REQUIRE(profiled.status == 0);
  for (const bool has_base : {false, true}) {
    std::vector<std::string> arguments{"plan",
                                       in / "lenet.json",
                                       "--machines",
                                       "3",
                                       "--bandwidth",
                                       "1e9",
                                       "--json",
                                       "-o",
                                       in / "planned.toml"};
    if (has_base)
      arguments.insert(arguments.end(), {"--job", job});
    const auto planned = run(in, arguments);
    INFO(planned.err);
    REQUIRE(planned.status == 0);
    const auto made = nlohmann::json::parse(planned.out);
    const auto checked = run(in, {"check", in / "planned.toml", "--json"});
    INFO(checked.err);
    REQUIRE(checked.status == 0);
    const auto stages = nlohmann::json::parse(checked.out)["stages"];
    REQUIRE(stages.size() == made["stages"].size());
    for (std::size_t i = 0; i < stages.size(); ++i)
      CHECK(stages[i]["replicas"] == made["stages"][i]["replicas"]);
  }
}
