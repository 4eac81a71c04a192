/// pd-engine as a person runs it: what it prints, writes, and exits with.

#include "engine/checkpoint/safetensors.hpp"
#include "tests/end_to_end/running_program.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace pd;
using namespace pd::test;

namespace fs = std::filesystem;

namespace {

/// A job that ends in a second or two.
std::string small_job(const std::string& more = "") {
  return "name = \"small\"\n[model]\nname = \"lenet\"\n"
         "image = [28, 28, 1]\n[data]\ndataset = \"synthetic\"\n"
         "samples = 640\nmicrobatch = 32\n[optimizer]\nlr = 0.05\n"
         "momentum = 0.9\n"
         + more;
}

} // namespace

TEST_CASE("a run leaves its job, command, host, metrics, log and weights",
          "[end_to_end][command]") {
  const scratch_folder in;
  const auto job = in.write("small.toml", small_job());
  const auto done = run(in, {"run", job, "--runs", in / "runs", "--json"});
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto summary = nlohmann::json::parse(done.out);
  for (const auto* key : {"loss", "accuracy", "samples", "seconds",
                          "samples_per_s", "run_directory", "eval_accuracy"})
    CHECK(summary.contains(key));
  CHECK(summary["samples"] == 640);
  const std::string directory = summary["run_directory"];
  for (const auto* file : {"job.toml", "command.txt", "host.json",
                           "metrics.jsonl", "run.log", "weights.safetensors"})
    CHECK(fs::file_size(fs::path{directory} / file) > 0);
  const auto lines = lines_of(read(directory + "/metrics.jsonl"));
  REQUIRE(lines.size() == 21); // 20 updates and an evaluation
  const auto first = nlohmann::json::parse(lines.front());
  for (const auto* key : {"epoch", "microbatch", "loss", "lr", "samples_per_s"})
    CHECK(first.contains(key));
  const auto last = nlohmann::json::parse(lines.back());
  CHECK(last.contains("eval_loss"));
  CHECK(last["samples"] == 640);
  CHECK(summary["loss"] < first["loss"]);
}

TEST_CASE("a run directory's job runs again to the same losses",
          "[end_to_end][command]") {
  const scratch_folder in;
  const auto job = in.write("small.toml", small_job());
  const auto first = run(in, {"run", job, "--runs", in / "a", "--json"});
  REQUIRE(first.status == 0);
  const auto summary = nlohmann::json::parse(first.out);
  const std::string directory = summary["run_directory"];
  const auto again =
    run(in, {"run", directory + "/job.toml", "--runs", in / "b", "--json"});
  REQUIRE(again.status == 0);
  CHECK(nlohmann::json::parse(again.out)["loss"] == summary["loss"]);
}

TEST_CASE("exported weights start a run where the other ended",
          "[end_to_end][command]") {
  const scratch_folder in;
  const auto job = in.write("small.toml", small_job());
  const auto trained = run(in, {"run", job, "--runs", in / "runs", "--json"});
  REQUIRE(trained.status == 0);
  const auto summary = nlohmann::json::parse(trained.out);
  const std::string weights = in / "w.safetensors";
  const std::string directory = summary["run_directory"];
  REQUIRE(run(in, {"export", directory, "-o", weights}).status == 0);
  const auto evaluated =
    run(in, {"run", job, "--set", "train.epochs=0", "--set",
             "model.weights=" + weights, "--runs", in / "runs", "--json"});
  INFO(evaluated.err);
  REQUIRE(evaluated.status == 0);
  const auto evaluation = nlohmann::json::parse(evaluated.out);
  CHECK(evaluation["eval_loss"] == summary["eval_loss"]);
  CHECK(evaluation["eval_accuracy"] == summary["eval_accuracy"]);
}

TEST_CASE("init writes the same weights for the same seed only",
          "[end_to_end][command]") {
  const scratch_folder in;
  const auto job = in.write("small.toml", small_job());
  for (const auto* name : {"a", "b"})
    REQUIRE(run(in, {"init", job, "-o", in / name}).status == 0);
  REQUIRE(run(in, {"init", job, "--set", "seed=2", "-o", in / "c"}).status
          == 0);
  CHECK(read(in / "a") == read(in / "b"));
  CHECK(read(in / "a") != read(in / "c"));
  const auto file = read_safetensors(in / "a");
  REQUIRE(file);
  CHECK(file->find("fc3.bias") != nullptr);
}

TEST_CASE("check prints the job resolved and its memory by item",
          "[end_to_end][command]") {
  const scratch_folder in;
  const auto job = in.write("small.toml", small_job());
  const auto text = run(in, {"check", job});
  CHECK(text.status == 0);
  CHECK_THAT(text.out, Catch::Contains("microbatch = 32"));
  CHECK_THAT(text.out, Catch::Contains("activations"));
  const auto json = run(in, {"check", job, "--json"});
  const auto found = nlohmann::json::parse(json.out);
  CHECK(found["valid"] == true);
  const auto& stage = found["stages"][0];
  std::int64_t sum = 0;
  for (const auto& [name, bytes] : stage["memory_bytes"].items())
    sum += bytes.get<std::int64_t>();
  CHECK(sum == stage["total_bytes"].get<std::int64_t>());
}

TEST_CASE("models and datasets are listed", "[end_to_end][command]") {
  const scratch_folder in;
  CHECK_THAT(run(in, {"models"}).out, Catch::Contains("resnet50"));
  const auto json = run(in, {"datasets", "--json"});
  CHECK(nlohmann::json::parse(json.out)["datasets"].size() >= 3);
}

TEST_CASE("an interrupted run ends after its update with 130 and keeps its "
          "weights",
          "[end_to_end][command]") {
  const scratch_folder in;
  const auto job = in.write(
    "long.toml", small_job("[train]\nepochs = 100000\nprint_every = 1\n"));
  running engine{in, {"run", job, "--runs", in / "runs"}};
  REQUIRE(engine.prints("loss"));
  engine.signal(SIGINT);
  const auto done = engine.wait();
  CHECK(done.status == 130);
  CHECK_THAT(done.err, Catch::Contains("interrupted"));
  const auto runs = fs::directory_iterator{in / "runs"};
  CHECK(read_safetensors(runs->path() / "weights.safetensors"));
}

TEST_CASE("a loss that is no number ends the run with 1 and says where",
          "[end_to_end][command]") {
  const scratch_folder in;
  const auto job = in.write("wild.toml", small_job());
  const auto done =
    run(in, {"run", job, "--set", "optimizer.lr=1e6", "--runs", in / "r"});
  CHECK(done.status == 1);
  CHECK_THAT(lines_of(done.err).back(),
             Catch::Contains("the loss is not a number")
               && Catch::Contains("optimizer.lr"));
}

TEST_CASE("bad input ends with 2 and one line that names it",
          "[end_to_end][command]") {
  struct bad {
    std::vector<std::string> arguments;
    std::string says;
  };
  const scratch_folder in;
  const auto job = in.write("small.toml", small_job());
  const auto torn = in.write("torn.safetensors", "not a weight file");
  const std::vector<bad> cases{
    {{"run", in / "none.toml"}, "none.toml"},
    {{"run", job, "--set", "model.nam=lenet"}, "did you mean"},
    {{"run", job, "--set", "model.name=resnet51"}, "resnet5"},
    {{"run", job, "--set", "model.image=[4,4,1]"}, "node 'conv"},
    {{"run", job, "--set", "data.microbatch=0"}, "data.microbatch"},
    {{"run", job, "--set", "data.microbatch=641"}, "641"},
    {{"run", job, "--set", "data.dataset=minst"}, "minst"},
    {{"run", job, "--set", "model.weights=" + torn}, "torn.safetensors"},
    {{"run", job, "--set", "run.device=tpu"}, "tpu"},
    {{"check", job, "--set", "optimizer.lr=fast"}, "optimizer.lr"},
    {{"export", in / "nowhere", "-o", in / "x"}, "nowhere"},
    {{"init", job}, "--output"},
    {{"rnu"}, "did you mean 'run'?"},
    {{}, "subcommand"}};
  for (const auto& [arguments, says] : cases) {
    const auto done = run(in, arguments);
    INFO(says << ": " << done.err);
    CHECK((done.status == 2 || done.status == 1));
    CHECK_THAT(done.err + done.out, Catch::Contains(says));
  }
  CHECK_FALSE(fs::exists(in / "runs"));
}

// -- pipelines ---------------------------------------------------------------

namespace {

const std::string hybrid_stages = "[[stage]]\nuntil = 'pool1'\nreplicas = 2\n"
                                  "[[stage]]\n";

} // namespace

TEST_CASE("a hybrid job trains, and its exported weights evaluate the same",
          "[end_to_end][command]") {
  const scratch_folder in;
  const auto job = in.write("hybrid.toml", small_job(hybrid_stages));
  const auto trained = run(in, {"run", job, "--runs", in / "runs", "--json"});
  INFO(trained.err);
  REQUIRE(trained.status == 0);
  const auto summary = nlohmann::json::parse(trained.out);
  CHECK(summary["samples"] == 640);
  const std::string directory = summary["run_directory"];
  const auto weights = in / "w.safetensors";
  REQUIRE(run(in, {"export", directory, "-o", weights}).status == 0);
  const auto evaluated = run(
    in, {"run", in.write("small.toml", small_job()), "--set", "train.epochs=0",
         "--set", "model.weights=" + weights, "--runs", in / "runs", "--json"});
  INFO(evaluated.err);
  REQUIRE(evaluated.status == 0);
  CHECK(nlohmann::json::parse(evaluated.out)["eval_accuracy"]
        == summary["eval_accuracy"]);
}

TEST_CASE("replicas with batch norm evaluate as their saved weights do",
          "[end_to_end][command][slow]") {
  const scratch_folder in;
  const std::string net = "name = \"net\"\n[model]\nname = \"resnet18\"\n"
                          "image = [28, 28, 1]\n[data]\n"
                          "dataset = \"synthetic\"\nsamples = 128\n"
                          "microbatch = 8\n[run]\nthreads_per_worker = 1\n";
  const auto trained =
    run(in, {"run", in.write("many.toml", net + "[[stage]]\nreplicas = 3\n"),
             "--runs", in / "runs", "--json"});
  INFO(trained.err);
  REQUIRE(trained.status == 0);
  const auto summary = nlohmann::json::parse(trained.out);
  const std::string directory = summary["run_directory"];
  const auto evaluated =
    run(in, {"run", in.write("one.toml", net), "--forward-only", "--set",
             "model.weights=" + directory + "/weights.safetensors", "--runs",
             in / "runs", "--json"});
  INFO(evaluated.err);
  REQUIRE(evaluated.status == 0);
  CHECK(nlohmann::json::parse(evaluated.out)["eval_loss"].get<double>()
        == Approx(summary["eval_loss"].get<double>()).epsilon(1e-12));
}

TEST_CASE("a forward-only run of a pipeline evaluates and trains nothing",
          "[end_to_end][command]") {
  const scratch_folder in;
  const auto job = in.write("hybrid.toml", small_job(hybrid_stages));
  const auto done =
    run(in, {"run", job, "--forward-only", "--runs", in / "runs", "--json"});
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto summary = nlohmann::json::parse(done.out);
  CHECK(summary["samples"] == 0);
  CHECK(summary["eval_samples"] == 640);
}

TEST_CASE("an interrupted pipeline drains and ends with 130",
          "[end_to_end][command]") {
  const scratch_folder in;
  const auto job = in.write(
    "hybrid.toml", small_job("[train]\nepochs = 100000\n" + hybrid_stages));
  running one{in, {"run", job, "--runs", in / "runs"}};
  REQUIRE(one.prints("epoch 1 "));
  one.signal(SIGINT);
  const auto done = one.wait();
  CHECK(done.status == 130);
  CHECK_THAT(done.out, Catch::Contains("trained on "));
}

TEST_CASE("check of a pipeline prints the memory of each stage",
          "[end_to_end][command]") {
  const scratch_folder in;
  const auto job = in.write("hybrid.toml", small_job(hybrid_stages));
  const auto done = run(in, {"check", job, "--json"});
  REQUIRE(done.status == 0);
  const auto found = nlohmann::json::parse(done.out);
  REQUIRE(found["stages"].size() == 2);
  CHECK(found["stages"][0]["replicas"] == 2);
  CHECK(found["stages"][0]["versions"] == 2);
  CHECK(found["stages"][1]["versions"] == 1);
  CHECK(found["stages"][0]["memory_bytes"].contains("handoffs"));
  CHECK(found["stages"][0]["memory_bytes"].contains("batches"));
}

TEST_CASE("schedule draws a timetable, and its file form is valid",
          "[end_to_end][command]") {
  const scratch_folder in;
  const auto job = in.write("hybrid.toml", small_job(hybrid_stages));
  const auto drawn = run(in, {"schedule", job, "--svg", in / "a.svg"});
  CHECK(drawn.status == 0);
  CHECK_THAT(drawn.out, Catch::Contains("worker 2"));
  CHECK_THAT(read(in / "a.svg"), Catch::StartsWith("<svg"));
  const auto text = run(in, {"schedule", job, "--text"});
  REQUIRE(text.status == 0);
  const auto file = in.write("a.timetable", text.out);
  CHECK(run(in, {"schedule", "--check", file}).status == 0);
  CHECK(run(in, {"schedule", job, "--check", file}).status == 0);
  const auto other = in.write("other.toml", small_job(""));
  const auto unfit = run(in, {"schedule", other, "--check", file});
  CHECK(unfit.status == 2);
  CHECK_THAT(unfit.err,
             Catch::Contains("it is for stages of 2-1 replicas, the job has "));
  const auto broken = in.write("b.timetable", text.out + "worker 9: F0\n");
  const auto refused = run(in, {"schedule", "--check", broken});
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, Catch::Contains("b.timetable"));
  const auto used = run(in, {"run", job, "--set", "schedule.file=" + file,
                             "--runs", in / "runs", "--json"});
  INFO(used.err);
  CHECK(used.status == 0);
}

TEST_CASE("a stage that ends nowhere is one clear line and status 2",
          "[end_to_end][command]") {
  const scratch_folder in;
  const auto job =
    in.write("bad.toml", small_job("[[stage]]\nuntil = 'pol1'\n[[stage]]\n"));
  for (const auto* command : {"run", "check", "schedule"}) {
    const auto done = run(in, {command, job});
    CHECK(done.status == 2);
    CHECK_THAT(done.err, Catch::Contains("stage 0: until = 'pol1'")
                           && Catch::Contains("did you mean 'pool1'?"));
  }
}
