/// Jobs on ONNX files, as a person runs them.

#include "engine/checkpoint/safetensors.hpp"
#include "tests/end_to_end/running_program.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace pd::test;

namespace {

const std::string network = PD_SOURCE_DIR "/tests/golden/onnx/resnet_17.onnx";

/// model.file first; workers in a pipeline of three, of which one runs twice.
std::string job(const std::string& file, const std::string& workers) {
  return "[model]\nfile = '" + file
         + "'\nimage = [16, 16, 3]\n"
           "[data]\ndataset = 'synthetic'\nsamples = 64\nmicrobatch = 4\n"
           "[train]\nevaluate = 'never'\n[run]\nworkers = '"
         + workers
         + "'\n[[stage]]\nuntil = 'maxpool'\n"
           "[[stage]]\nuntil = 'layer1'\nreplicas = 2\n[[stage]]\n";
}

std::string weights_in(const std::string& runs) {
  for (const auto& each : std::filesystem::directory_iterator{runs})
    return read(each.path() / "weights.safetensors");
  return "";
}

} // namespace

TEST_CASE("every process of a pipeline starts from the ONNX file's weights",
          "[end_to_end][onnx]") {
  const scratch_folder here;
  for (const auto* workers : {"threads", "processes"}) {
    const auto done =
      run(here, {"run", here.write("job.toml", job(network, workers)), "--runs",
                 here / workers});
    INFO(done.err);
    REQUIRE(done.status == 0);
  }
  const auto weights = weights_in(here / "processes");
  CHECK(!weights.empty());
  CHECK(weights == weights_in(here / "threads"));
}

TEST_CASE("the initial weights of an ONNX job are the file's, by its names",
          "[end_to_end][onnx]") {
  const scratch_folder here;
  const auto done =
    run(here, {"init", here.write("job.toml", job(network, "threads")), "-o",
               here / "w.safetensors"});
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto file = pd::read_safetensors(here / "w.safetensors");
  REQUIRE(file);
  CHECK(file->find("layer2.0.downsample.1.running_var") != nullptr);
  const auto* weight = file->find("fc.weight");
  REQUIRE(weight != nullptr);
  // The file holds the bytes as they are.
  const std::string bytes{reinterpret_cast<const char*>(weight->bytes.data()),
                          weight->bytes.size()};
  CHECK(read(network).find(bytes) != std::string::npos);
}

TEST_CASE("an ONNX file that is cut off ends a command with one line",
          "[end_to_end][onnx]") {
  const scratch_folder here;
  const auto whole = read(network);
  const auto path = here.write("cut.onnx", whole.substr(0, whole.size() / 2));
  const auto done =
    run(here, {"check", here.write("job.toml", job(path, "threads"))});
  CHECK(done.status == 2);
  const auto lines = lines_of(done.err);
  REQUIRE(lines.size() == 1);
  CHECK_THAT(lines[0], Catch::EndsWith("cut.onnx: wanted a whole ONNX file of "
                                       "at most 2 GiB"));
}
