#include "engine/program/learning_rate.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

learning_rate_policy policy(const std::string& name) {
  learning_rate_policy made;
  made.name = name;
  made.base = 0.8;
  made.epochs = 10;
  made.updates_per_epoch = 4;
  return made;
}

} // namespace

TEST_CASE("a constant rate stays", "[program][learning_rate]") {
  const auto p = policy("constant");
  CHECK(p.at(0) == 0.8);
  CHECK(p.at(39) == 0.8);
}

TEST_CASE("a step rate falls by gamma every step_epochs, not before",
          "[program][learning_rate]") {
  auto p = policy("step");
  p.step_epochs = 3;
  p.gamma = 0.5;
  CHECK(p.at(11) == Approx(0.8));
  CHECK(p.at(12) == Approx(0.4));
  CHECK(p.at(24) == Approx(0.2));
}

TEST_CASE("an exponential rate falls once an epoch",
          "[program][learning_rate]") {
  auto p = policy("exponential");
  p.gamma = 0.5;
  CHECK(p.at(3) == Approx(0.8));
  CHECK(p.at(4) == Approx(0.4));
  CHECK(p.at(8) == Approx(0.2));
}

TEST_CASE("a polynomial rate goes to its end by every update",
          "[program][learning_rate]") {
  auto p = policy("polynomial");
  p.power = 2;
  p.final = 0.1;
  CHECK(p.at(0) == Approx(0.8));
  CHECK(p.at(20) == Approx(0.1 + 0.7 * 0.25));
  CHECK(p.at(40) == Approx(0.1));
  CHECK(p.at(400) == Approx(0.1));
}

TEST_CASE("a cosine rate is at its mean half way", "[program][learning_rate]") {
  auto p = policy("cosine");
  CHECK(p.at(0) == Approx(0.8));
  CHECK(p.at(20) == Approx(0.4));
  CHECK(p.at(40) == Approx(0).margin(1e-12));
}

TEST_CASE("warm-up climbs in equal steps to the policy's rate",
          "[program][learning_rate]") {
  auto p = policy("constant");
  p.warmup_epochs = 2;
  CHECK(p.at(0) == Approx(0.1));
  CHECK(p.at(3) == Approx(0.4));
  CHECK(p.at(7) == Approx(0.8));
  CHECK(p.at(8) == Approx(0.8));
}
