/// Training on a folder of images, by the command.

#include "engine/train/worker_plan.hpp"
#include "tests/end_to_end/running_program.hpp"
#include "tools/image_folder/picture_writer.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <nlohmann/json.hpp>

using namespace pd;
using namespace pd::test;

namespace fs = std::filesystem;

namespace {

/// train/{a,b} of 24 pictures together, val/{a,b} of 6; one of train and one of
/// val are broken.
void fill(const scratch_folder& in) {
  for (const std::string split : {"train", "val"})
    for (int i = 0; i < (split == "train" ? 24 : 6); ++i) {
      const auto folder = in / (split + "/" + (i % 2 == 0 ? "a" : "b"));
      fs::create_directories(folder);
      REQUIRE(write_jpeg(folder + "/" + std::to_string(100 + i) + ".jpg",
                         draw_photo(30, 36, static_cast<std::uint64_t>(i))));
    }
  for (const auto* each : {"train/a/104.jpg", "val/b/101.jpg"})
    fs::resize_file(in / each, 900);
}

/// Two epochs of a pipeline whose first stage has two replicas; the last one
/// reads labels alone.
std::string job_of(const std::string& data) {
  return "name = \"images\"\n[model]\nname = \"lenet\"\nclasses = 2\n"
         "image = [28, 28, 3]\n[data]\ndataset = \"image-folder\"\n"
         "path = \".\"\nmicrobatch = 3\njitter = [0.4, 0.4, 0.4, 0.1]\n"
         + data
         + "[train]\nepochs = 2\n[optimizer]\nlr = 0.01\n"
           "[schedule]\nname = \"1f1b\"\nmicrobatches = 4\n"
           "[[stage]]\nuntil = \"conv2\"\nreplicas = 2\n[[stage]]\n"
           "[run]\nthreads_per_worker = 1\n";
}

struct outcome {
  nlohmann::json summary;
  std::string weights;
  std::string log;
};

outcome train(const scratch_folder& in, const std::string& data,
              const std::string& workers) {
  const auto job = in.write("images.toml", job_of(data));
  const auto done = run(in, {"run", job, "--runs", in / "runs", "--json",
                             "--set", "run.workers=" + workers});
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto summary = nlohmann::json::parse(done.out);
  const std::string directory = summary["run_directory"];
  return {summary, read(directory + "/weights.safetensors"),
          read(directory + "/run.log")};
}

} // namespace

TEST_CASE("decode threads, replicas' processes and broken files change no bit "
          "of what is trained; broken files are named and counted",
          "[end_to_end][image_folder]") {
  const scratch_folder in;
  fill(in);
  const auto one = train(in, "decode_threads = 1\n", "threads");
  CHECK(one.summary["broken_images"] == 2);
  CHECK(one.summary["samples"] == 48);
  CHECK(one.summary["eval_samples"] == 6);
  for (const auto* each : {"train/a/104.jpg", "val/b/101.jpg"})
    CHECK_THAT(one.log, Catch::Contains(std::string{each} + ": JPEG: cut off"));
  const auto many = train(in, "decode_threads = 3\n", "threads");
  CHECK(many.weights == one.weights);
  CHECK(many.summary["broken_images"] == 2);
  const auto apart = train(in, "decode_threads = 2\n", "processes");
  CHECK(apart.weights == one.weights);
  CHECK(apart.summary["broken_images"] == 2);
  CHECK(apart.summary["eval_loss"] == one.summary["eval_loss"]);
}

TEST_CASE("too many broken files end a job with one line",
          "[end_to_end][image_folder]") {
  const scratch_folder in;
  fill(in);
  for (const auto* workers : {"threads", "processes"}) {
    // One of each set: only both together are too many.
    const auto job = in.write("images.toml", job_of("max_broken = 1\n"));
    const auto done = run(in, {"run", job, "--runs", in / "runs", "--json",
                               "--set", std::string{"run.workers="} + workers});
    CHECK(done.status == 1);
    const auto lines = lines_of(done.err);
    REQUIRE(!lines.empty());
    CHECK_THAT(lines.back(),
               Catch::Contains("2 images cannot be read, and data.max_broken "
                               "is 1; the last is ")
                 && Catch::EndsWith("val/b/101.jpg"));
  }
}
