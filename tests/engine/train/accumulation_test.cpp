/// Several microbatches an update: the gradients of a round are those of one
/// batch as large.

#include "engine/job/job_file.hpp"
#include "tests/support/outcome.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

using namespace pd;

namespace {

/// LeNet, without batch norm or dropout, on the same 128 samples in the same
/// order: four updates of 32 each.
outcome train(const std::string& microbatch, const std::string& more) {
  const auto what =
    parse_job("[model]\nname = 'lenet'\nimage = [12, 12, 1]\n[data]\n"
              "dataset = 'synthetic'\nsamples = 128\nmicrobatch = "
                + microbatch
                + "\n[train]\nevaluate = 'never'\nlabel_smoothing = 0.1\n"
                  "clip_norm = 2\n[optimizer]\nlr = 0.1\nmomentum = 0.9\n"
                  "scale_lr_by_replicas = false\n"
                  "[run]\nthreads_per_worker = 1\n"
                + more,
              "x.toml");
  REQUIRE(what);
  return outcome_of(*what);
}

double largest_difference(const outcome& a, const outcome& b) {
  REQUIRE(a.weights.size() == b.weights.size());
  double most = 0;
  for (const auto& [name, values] : a.weights)
    for (std::size_t i = 0; i < values.size(); ++i)
      most =
        std::max(most, std::abs(double{values[i]} - b.weights.at(name)[i]));
  return most;
}

} // namespace

TEST_CASE("eight microbatches an update are one batch of eight times as many "
          "samples, on one worker, on replicas, and on stages",
          "[train][accumulation]") {
  const auto wanted = train("32", "");
  REQUIRE(wanted.losses.size() == 4);
  const std::string rounds = "[schedule]\nname = '1f1b'\nmicrobatches = 8\n";
  for (const auto* stages :
       {"", "[[stage]]\nreplicas = 2\n",
        "[[stage]]\nuntil = 'pool1'\nreplicas = 2\n[[stage]]\n"}) {
    INFO(stages);
    const auto got = train("4", rounds + stages);
    REQUIRE(got.losses.size() == 4);
    for (std::size_t i = 0; i < 4; ++i)
      CHECK(got.losses[i] == Approx(wanted.losses[i]).epsilon(1e-5));
    CHECK(largest_difference(got, wanted) < 1e-5);
  }
}
