/// From a job to its profile to a prediction, as a person does it.

#include "tests/end_to_end/running_program.hpp"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

using namespace pd;
using namespace pd::test;

namespace {

std::string two_stages() {
  return "name = \"small\"\n[model]\nname = \"lenet\"\n"
         "image = [28, 28, 1]\n[data]\ndataset = \"synthetic\"\n"
         "samples = 640\nmicrobatch = 32\n[train]\nepochs = 1\n"
         "[[stage]]\nuntil = \"pool2\"\nreplicas = 2\n[[stage]]\n";
}

/// A chain of equal nodes of a second a pass, as a profile file.
std::string even_chain(int nodes) {
  auto text = nlohmann::json::array();
  for (int i = 0; i < nodes; ++i) {
    nlohmann::json node{{"name", "n" + std::to_string(i)},
                        {"inputs", nlohmann::json::array()},
                        {"forward_us", 1e6},
                        {"backward_input_us", 1e6},
                        {"backward_weight_us", 1e6},
                        {"activation_bytes", 8}};
    if (i > 0)
      node["inputs"].push_back("n" + std::to_string(i - 1));
    text.push_back(node);
  }
  return nlohmann::json{{"format", "pd-engine profile"},
                        {"version", 1},
                        {"network", "chain"},
                        {"minibatch", 1},
                        {"nodes", text}}
    .dump();
}

} // namespace

TEST_CASE("a profiled job is simulated with its bytes and its memory",
          "[end_to_end][simulate]") {
  const scratch_folder in;
  const auto job = in.write("small.toml", two_stages());
  const auto path = in / "profile.json";
  const auto made =
    run(in, {"profile", job, "-o", path, "--repeats", "2", "--json"});
  INFO(made.err);
  REQUIRE(made.status == 0);
  const auto summary = nlohmann::json::parse(made.out);
  CHECK(summary["nodes_us"] > 0);
  CHECK(summary["step_us"] > 0);
  const auto done =
    run(in, {"simulate", job, "--profile", path, "--machines", "2,2",
             "--bandwidth", "1e9,1e8", "--latency", "1e-5", "--json", "--trace",
             in / "trace.json", "--svg", in / "timeline.svg"});
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto found = nlohmann::json::parse(done.out);
  CHECK(found["seconds_per_minibatch"] > 0);
  CHECK(found["epoch_microbatches"] == 20);
  REQUIRE(found["workers"].size() == 3);
  const auto checked = run(in, {"check", job, "--json"});
  REQUIRE(checked.status == 0);
  const auto stages = nlohmann::json::parse(checked.out)["stages"];
  for (const auto& each : found["workers"])
    CHECK(each["memory_bytes"]
          == stages[each["stage"].get<std::size_t>()]["total_bytes"]);
  const auto trace = nlohmann::json::parse(read(in / "trace.json"));
  CHECK(trace["traceEvents"].size() > 60);
  CHECK(read(in / "timeline.svg").starts_with("<svg"));
}

TEST_CASE("a profile is simulated without the network behind it",
          "[end_to_end][simulate]") {
  const scratch_folder in;
  const auto path = in.write("chain.json", even_chain(8));
  const auto done = run(in, {"simulate", path, "--stages", "n1,n3,n5,",
                             "--schedule", "1f1b", "--round", "8", "--json"});
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto found = nlohmann::json::parse(done.out);
  CHECK(found["seconds_per_minibatch"].get<double>()
        == Approx(6 * 11.0 / 8)); // (m + p - 1) / m
  const auto again = run(in, {"simulate", path, "--stages", "4", "--schedule",
                              "1f1b", "--round", "8", "--json"});
  CHECK(again.out == done.out);
}

TEST_CASE("what cannot be profiled or simulated is one line and status 2",
          "[end_to_end][simulate]") {
  const scratch_folder in;
  const auto job = in.write("small.toml", two_stages());
  const auto chain = in.write("chain.json", even_chain(4));
  const auto bad = in.write("bad.json", "{\"format\": 1}");
  const auto fails = [&](const std::vector<std::string>& words,
                         const std::string& what) {
    const auto done = run(in, words);
    INFO(done.err);
    CHECK(done.status == 2);
    CHECK(lines_of(done.err).size() == 1);
    CHECK(done.err.find(what) != std::string::npos);
  };
  fails({"profile", job}, "wanted JOB and -o PROFILE, or --link");
  fails({"profile", "--link", "--cluster", bad}, "bad.json:1");
  const auto alone =
    in.write("alone.toml", "[[worker]]\naddress = \"a:1\"\n[network]\n"
                           "bandwidth_bytes_per_s = 1e9\n");
  fails({"profile", "--link", "--cluster", alone}, "wanted two workers");
  fails(
    {"profile", "--link", "--cluster", PD_SOURCE_DIR "/configs/v100_4x4.toml"},
    "worker 0: wanted one in a network namespace");
  fails({"simulate", job}, "wanted JOB --profile PROFILE, or PROFILE --stages");
  fails({"simulate", job, "--profile", bad},
        "bad.json: wanted \"format\": \"pd-engine profile\", got 1");
  fails({"simulate", job, "--profile", chain}, "profile: ");
  fails({"simulate", chain, "--stages", "n9,"}, "no node 'n9'");
  fails({"simulate", chain, "--stages", "2x2", "--machines", "2"},
        "wanted --machines and --bandwidth together");
  fails({"simulate", chain, "--stages", "2x2", "--cluster", bad}, "bad.json:1");
  fails({"simulate", chain, "--stages", "2x2", "--machines", "3", "--bandwidth",
         "1e9"},
        "4 workers want as many machines, got 3");
  fails({"simulate", chain, "--stages", "2", "--machines", "2", "--bandwidth",
         "fast"},
        "--bandwidth: wanted numbers from 0 on with commas between, got "
        "'fast'");
  fails({"simulate", chain, "--stages", "2", "--schedule", "lifo"}, "lifo");
}

TEST_CASE("links of this machine have a latency and a bandwidth",
          "[end_to_end][simulate]") {
  const scratch_folder in;
  const auto done = run(in, {"profile", "--link", "--json"});
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto found = nlohmann::json::parse(done.out);
  for (const auto* transport : {"gloo", "local"}) {
    CHECK(found[transport]["latency_s"] > 0);
    CHECK(found[transport]["bandwidth_bytes_per_s"] > 0);
  }
}
