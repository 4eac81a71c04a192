/// A transformer in pipelines: its values are [N, T, C], some skip a cut, and
/// some of its parameters have no op's suffix.

#include "engine/job/job_file.hpp"
#include "tests/support/op_harness.hpp"
#include "tests/support/outcome.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace pd;

namespace {

const std::string tiny_vit = R"(
[model]
file = ")" PD_SOURCE_DIR R"(/graphs/nets/tiny_vit.toml"
classes = 10
image = [12, 8, 1]
[data]
dataset = "synthetic"
microbatch = 4
[train]
max_microbatches = 16
evaluate = "never"
[optimizer]
name = "sgd"
lr = 0.05
momentum = 0.9
[run]
threads_per_worker = 1
)";

outcome trained(const std::string& more, const std::string& precision) {
  const auto what = parse_job(tiny_vit + more, "x.toml",
                              std::vector{"run.precision=" + precision});
  if (!what)
    FAIL(what.failure().message);
  return outcome_of(*what);
}

std::string schedule(const std::string& name) {
  return "[schedule]\nname = '" + name + "'\nmicrobatches = 4\n";
}

/// The second cut goes through a layer: its first sum is taken twice behind it.
const std::string three_stages =
  "[[stage]]\nuntil = 'class_token'\n"
  "[[stage]]\nuntil = 'encoder.layers.encoder_layer_1.ln_2'\n[[stage]]\n";

const std::string four_chunks =
  "chunks = 2\n"
  "[[stage]]\nuntil = 'encoder.layers.encoder_layer_0.self_attention.in_proj'\n"
  "[[stage]]\nuntil = 'encoder.layers.encoder_layer_1'\n"
  "[[stage]]\nuntil = 'encoder.layers.encoder_layer_3.mlp.1'\n[[stage]]\n";

} // namespace

TEST_CASE("a transformer cut in stages trains to the bits of one stage under "
          "every flushing schedule",
          "[train][transformer]") {
  for (const std::string precision : {"f32", "bf16"}) {
    const auto whole = trained(schedule("gpipe"), precision);
    REQUIRE(whole.losses.size() == 4);
    CHECK(whole.losses.front() != whole.losses.back());
    for (const auto* name :
         {"gpipe", "1f1b", "zero-bubble", "zero-bubble-2p"}) {
      INFO(precision << " " << name);
      CHECK(trained(schedule(name) + three_stages, precision) == whole);
    }
    INFO(precision);
    CHECK(trained(schedule("interleaved") + four_chunks, precision) == whole);
  }
}

TEST_CASE("every parameter of a transformer learns", "[train][transformer]") {
  const auto more = schedule("1f1b") + three_stages;
  const auto learned = trained(more, "f32").weights;
  const auto what = parse_job(tiny_vit + more, "x.toml", {});
  REQUIRE(what);
  const auto first = job_weights(*what, all_ops());
  REQUIRE(first);
  CHECK(first->size() == 4 + 4 * 12 + 2 + 2);
  for (const auto& each : *first) {
    INFO(each.name);
    CHECK(learned.at(each.name) != each.values);
  }
}
