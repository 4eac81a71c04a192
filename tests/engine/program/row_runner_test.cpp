#include "engine/program/row_runner.hpp"

#include "tests/support/small_pipeline.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

/// Keeps what is said of gradients, as text: "0.1" is bucket 1 of round 0.
class kept_words final : public outbox {
public:
  void activation(int, int, std::int64_t, std::vector<tensor>) override {}
  void gradient(int, int, std::int64_t, std::vector<tensor>) override {}
  void bucket_done(int, std::int64_t round, int bucket, const event&) override {
    said.push_back(std::to_string(round) + "." + std::to_string(bucket));
  }
  void loss(const loss_figures&) override {}
  void round_measured(int chunk, std::int64_t round, double) override {
    said.push_back("measured " + std::to_string(chunk) + "."
                   + std::to_string(round));
  }
  void updated(int, std::int64_t version, double) override {
    said.push_back("version " + std::to_string(version));
  }
  void batch_released(std::int64_t) override {}

  std::vector<std::string> said;
};

using words = std::vector<std::string>;

} // namespace

TEST_CASE("the last own backward of a round tells every bucket, and the update "
          "waits for the reduction",
          "[program][row_runner]") {
  for (const auto* name : {"gpipe", "zero-bubble"}) {
    INFO(name);
    small_pipeline of{
      {.name = name, .shape = {{2}, 1}, .microbatches = 8, .round = 4},
      {},
      {.bucket_bytes = 4096}};
    const auto parts = of.parts()[1];
    words first_round; // how many depends on how this processor stores weights
    for (std::size_t i = 0; i < parts[0].buckets.size(); ++i)
      first_round.push_back("0." + std::to_string(i));
    REQUIRE(first_round.size() > 2);
    kept_words to;
    row_runner row{parts, of.links(), 1, to};
    row.start(of.all(), 0);
    for (const int k : {1, 3, 5, 7}) // replica 1's
      row.batch_arrived(of.batch(k));
    const auto is_last = [&] {
      return is_last_of_backward(row.next().kind) && row.next().index == 3;
    };
    while (!is_last())
      REQUIRE(row.step());
    CHECK(to.said.empty());
    while (row.step()) {}
    CHECK(to.said == first_round);
    CHECK_THAT(row.waits_for(), Catch::StartsWith("U1 waits for"));
    row.round_reduced(0, 0);
    while (row.step()) {}
    auto both = first_round;
    both.emplace_back("version 1");
    for (const auto& each : first_round)
      both.push_back("1" + each.substr(1));
    CHECK(to.said == both);
  }
}

TEST_CASE("batches that a pass left over are not the next pass's",
          "[program][row_runner]") {
  small_pipeline of{{.name = "pipedream", .shape = {{1}, 1}, .microbatches = 4},
                    {}};
  kept_words to;
  row_runner row{of.parts()[0], of.links(), 0, to};
  row.start(of.all(), 0);
  for (const int k : {0, 1, 2, 3}) // the loader reads ahead
    row.batch_arrived(of.batch(k));
  REQUIRE(row.step());
  row.end_at(2);
  while (row.step()) {}
  REQUIRE(row.is_over());
  row.start(of.all(), 4);
  for (const int k : {0, 1})
    row.batch_arrived(of.batch(k));
  while (row.step()) {}
  CHECK(row.waits_for() == "F2 waits for microbatch 2 from the data loader");
}

TEST_CASE("a stage without replicas tells no bucket", "[program][row_runner]") {
  small_pipeline of{
    {.name = "gpipe", .shape = {{1}, 1}, .microbatches = 4, .round = 4}, {}};
  kept_words to;
  row_runner row{of.parts()[0], of.links(), 0, to};
  row.start(of.all(), 0);
  for (const int k : {0, 1, 2, 3})
    row.batch_arrived(of.batch(k));
  while (row.step()) {}
  CHECK(row.is_over());
  CHECK(to.said == words{"version 1"});
}
