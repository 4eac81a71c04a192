/// pd-engine rehearse and tools/netlab as a person runs them.

#include "tests/end_to_end/running_program.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

using namespace pd::test;

namespace {

std::string graph() {
  return "node1 -- Linear -- forward_compute_time=2.0, "
         "backward_compute_time=4.0, activation_size=4000.0, "
         "parameter_size=4000.0\n"
         "node2 -- Linear -- forward_compute_time=2.0, "
         "backward_compute_time=4.0, activation_size=40.0, "
         "parameter_size=400.0\n\tnode1 -- node2\n";
}

std::string job() {
  return "name = 'two'\n[model]\nname = 'lenet'\n[[stage]]\nuntil = 'node1'\n"
         "[[stage]]\n";
}

std::vector<std::string> words(const scratch_folder& in) {
  return {"rehearse",      in.write("job.toml", job()),
          "--profile",     in.write("graph.txt", graph()),
          "--minibatches", "10",
          "--json"};
}

/// What a shell says to a command.
int status_of(const std::string& command) {
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const std::string netlab = PD_SOURCE_DIR "/tools/netlab ";
constexpr int skipped = 77;

} // namespace

TEST_CASE("a rehearsal says what a minibatch takes and what was simulated",
          "[end_to_end][rehearse]") {
  const scratch_folder here;
  for (const auto* workers : {"threads", "processes"}) {
    auto with = words(here);
    with.insert(with.end(), {"--set", std::string{"run.workers="} + workers});
    const auto done = run(here, with);
    INFO(done.err);
    REQUIRE(done.status == 0);
    const auto made = nlohmann::json::parse(done.out);
    CHECK(made["minibatches"] == 10);
    CHECK(made["minibatch_s"] > 0);
    CHECK(made["seconds"] >= 0.055); // 6 ms each at the slower stage
    CHECK(made["predicted_s"].get<double>() == Approx(0.006).epsilon(0.02));
    CHECK(made["busy_shares"].size() == 2);
  }
}

TEST_CASE("a plan of a network that is not built in can be rehearsed as it is",
          "[end_to_end][rehearse]") {
  const scratch_folder here;
  const auto planned = run(here, {"plan", here.write("graph.txt", graph()),
                                  "--machines", "2", "--bandwidth", "1e6",
                                  "--straight", "-o", here / "planned.toml"});
  INFO(planned.err);
  REQUIRE(planned.status == 0);
  CHECK_THAT(read(here / "planned.toml"), Catch::Contains("until = \"node1\""));
  CHECK(run(here, {"check", here / "planned.toml"}).status == 0);
  const auto done = run(
    here, {"rehearse", here / "planned.toml", "--minibatches", "10", "--json"});
  INFO(done.err);
  REQUIRE(done.status == 0);
  CHECK(nlohmann::json::parse(done.out)["predicted_s"].get<double>()
        == Approx(0.006).epsilon(0.02));
}

TEST_CASE(
  "a time scale shrinks a rehearsal and not what it says of the cluster",
  "[end_to_end][rehearse]") {
  const scratch_folder here;
  auto with = words(here);
  with.insert(with.end(), {"--time-scale", "2"});
  const auto done = run(here, with);
  REQUIRE(done.status == 0);
  const auto made = nlohmann::json::parse(done.out);
  CHECK(made["seconds"] >= 0.100);
  CHECK(made["predicted_s"].get<double>() == Approx(0.006).epsilon(0.02));
}

TEST_CASE("a job is rehearsed on the profile that was made of it",
          "[end_to_end][rehearse]") {
  const scratch_folder here;
  const auto path = here.write(
    "job.toml", "name = 'two'\n[model]\nname = 'mlp'\nimage = [8, 8, 1]\n"
                "[data]\ndataset = 'synthetic'\nmicrobatch = 4\n"
                "[[stage]]\nreplicas = 2\n");
  const auto profiled =
    run(here, {"profile", path, "-o", here / "p.json", "--repeats", "1"});
  INFO(profiled.err);
  REQUIRE(profiled.status == 0);
  const auto done =
    run(here, {"rehearse", path, "--profile", here / "p.json", "--json"});
  INFO(done.err);
  REQUIRE(done.status == 0);
  CHECK(nlohmann::json::parse(done.out)["predicted_s"] > 0);
}

TEST_CASE("a rehearsal keeps the scales of its job unless told otherwise",
          "[end_to_end][rehearse]") {
  const scratch_folder here;
  const auto path = here.write(
    "job.toml", "name = 'two'\n[model]\nfile = '"
                  + here.write("graph.txt", graph())
                  + "'\nclasses = 2\nimage = [1, 1, 1]\n[data]\n"
                    "dataset = 'synthetic'\nmicrobatch = 1\n[run]\n"
                    "device = 'replay'\ntime_scale = 0.5\nbyte_scale = 3.0\n");
  const auto done = run(here, {"rehearse", path, "--minibatches", "10",
                               "--byte-scale", "2", "--json"});
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto made = nlohmann::json::parse(done.out);
  CHECK(made["time_scale"] == 0.5);
  CHECK(made["byte_scale"] == 2);
  CHECK(made["seconds"] < 0.5);       // ten times 3 ms
  CHECK(made["minibatch_s"] > 0.005); // of the cluster
}

TEST_CASE("a rehearsal of few minibatches is not faster than its work",
          "[end_to_end][rehearse]") {
  const scratch_folder here;
  for (const auto* count : {"1", "2", "3", "4", "7"}) {
    const auto done = run(here, {"rehearse", here.write("job.toml", job()),
                                 "--profile", here.write("graph.txt", graph()),
                                 "--minibatches", count, "--json"});
    REQUIRE(done.status == 0);
    CAPTURE(count);
    CHECK(nlohmann::json::parse(done.out)["minibatch_s"] > 0.0055);
  }
}

TEST_CASE("a rehearsal on machines of namespaces leaves nothing behind",
          "[end_to_end][rehearse]") {
  const scratch_folder here;
  const auto lab = netlab + "run --name pdtest --machines 2 --bandwidth 1e8 -o "
                   + here / "cluster.toml" + " -- ";
  std::string words_of_it = PD_BINARY_DIR "/bin/pd-engine";
  for (const auto& each : words(here))
    words_of_it += " " + each;
  const auto ended = status_of(lab + words_of_it + " --cluster "
                               + here / "cluster.toml" + " >" + here / "out");
  if (ended == skipped) {
    WARN("skipped: no right to make network namespaces");
    return;
  }
  REQUIRE(ended == 0);
  const auto made = nlohmann::json::parse(read(here / "out"));
  CHECK(made["minibatches"] == 10);
  CHECK(status_of("ip netns list | grep -q pdtest") == 1);
  CHECK(status_of("ip link | grep -q pdtest") == 1);
}

TEST_CASE("the links of a lab are measured to be what it was asked for",
          "[end_to_end][rehearse]") {
  const scratch_folder here;
  const auto ended = status_of(
    netlab + "run --name pdlink --machines 2 --workers 2 --bandwidth 5e6 -o "
    + here / "cluster.toml" + " -- " + PD_BINARY_DIR
    + "/bin/pd-engine profile --link --json --cluster " + here / "cluster.toml"
    + " >" + here / "out");
  if (ended == skipped) {
    WARN("skipped: no right to make network namespaces");
    return;
  }
  REQUIRE(ended == 0);
  const auto levels = nlohmann::json::parse(read(here / "out"))["levels"];
  REQUIRE(levels.size() == 2);
  CHECK(levels[1]["level"] == 1);
  CHECK(levels[0]["to_worker"] == 1);
  CHECK(levels[1]["to_worker"] == 2);
  CHECK(levels[0]["bandwidth_bytes_per_s"] > 5e6); // their loopback
  CHECK(levels[1]["bandwidth_bytes_per_s"].get<double>()
        == Approx(5e6).epsilon(0.1));
}

TEST_CASE("what netlab and rehearse cannot take is refused with status 2",
          "[end_to_end][rehearse]") {
  const scratch_folder here;
  const auto quiet = " 2>" + here / "err";
  for (const auto* wrong :
       {"", "up", "up --machines x --bandwidth 1", "up --machines 2",
        "run --machines 2 --bandwidth 1e6", "up --machine 2"}) {
    INFO(wrong);
    CHECK(status_of(std::string{netlab}.append(wrong).append(quiet)) == 2);
    CHECK_THAT(read(here / "err"), Catch::StartsWith("tools/netlab: "));
  }
  for (const auto* scale : {"nan", "0", "-1", "x"})
    CHECK(run(here,
              {"rehearse", here.write("j.toml", job()), "--byte-scale", scale})
            .status
          == 2);
  const auto no_profile = run(here, {"rehearse", here.write("j.toml", job())});
  CHECK(no_profile.status == 2);
  CHECK_THAT(no_profile.err, Catch::Contains("wanted --profile"));
  auto with = words(here);
  with.insert(with.end(), {"--cluster", PD_SOURCE_DIR "/configs/local.toml"});
  const auto done = run(here, with);
  CHECK(done.status == 2);
  CHECK_THAT(done.err, Catch::Contains("worker 0: wanted one in a network "
                                       "namespace"));
}
