#include "actors/gradient_sync.hpp"

#include "actors/supervise.hpp"
#include "engine/comm/local_communicator.hpp"
#include "tests/support/deployed_pipeline.hpp"
#include "tests/support/op_harness.hpp"
#include "tests/support/stepped_system.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace pd;

namespace {

using words = std::vector<std::string>;
using numbers = std::vector<float>;

class fake_stage {
public:
  static inline const char* name = "fake_stage";

  fake_stage(stage_actor::pointer, words* said) : said_{said} {}

  stage_actor::behavior_type make_behavior() {
    return {[](const begin_pass&) {},
            [](const hold_pass&) { return pass_held{}; },
            [](const end_pass_at&) {},
            [](const batch&) {},
            [](const activation&) {},
            [](const gradient&) {},
            [this](const round_reduced& x) {
              said_->push_back("chunk " + std::to_string(x.chunk) + ", round "
                               + std::to_string(x.round) + " of "
                               + std::to_string(x.generation));
            },
            [](const round_joined&) {}};
  }

private:
  words* said_;
};

class fake_worker {
public:
  static inline const char* name = "fake_worker";

  fake_worker(worker_actor::pointer, words* said) : said_{said} {}

  worker_actor::behavior_type make_behavior() {
    return {[](const deploy_worker&) {},
            [](const join_groups&) {},
            [](const begin_pass&) {},
            [](const hold_pass&) { return pass_held{}; },
            [](const end_pass_at&) {},
            [](const align_statistics&) {},
            [this](const statistics_aligned& x) {
              said_->push_back("worker " + std::to_string(x.worker)
                               + " aligned for "
                               + std::to_string(x.generation));
            },
            [](const store_shard&) {},
            [](const send_weights&) {},
            [](const report_status&) {},
            [](const report_trace&) {},
            [](const open_log&) {},
            [](const round_joined&) {}};
  }

private:
  words* said_;
};

/// The sync of replica 1 of a stage, whose handlers run on the test's thread;
/// replica 0 is the other rank of the group, and does what `beside` says.
struct sync_in_steps {
  deployed_pipeline job{
    small_job(small_stages({2}), {"run.bucket_bytes=4096"})};
  std::vector<std::unique_ptr<communicator>> ranks = make_local_group(2);
  std::shared_ptr<communicator> group = std::move(ranks[1]);
  stepped_system system;
  status_board board{2};
  words said;
  std::vector<row_runner::chunk_parts> chunks =
    job.workers[1].chunks(job.all, 1);
  std::span<const gradient_bucket> buckets = chunks[0].buckets;
  gradient_sync_actor at;

  sync_in_steps() {
    at = system.spawn<gradient_sync, gradient_sync_actor>(gradient_sync_options{
      1, chunks, group, system.spawn<fake_stage, stage_actor>(&said),
      system.spawn<fake_worker, worker_actor>(&said),
      &board.add(1, role::gradient_sync)});
  }

  [[nodiscard]] weight_store& weights(std::size_t replica) const {
    return job.workers[replica].programs[0]->weights();
  }
  [[nodiscard]] numbers grads(std::size_t replica) const {
    const auto* begin = weights(replica).gradients();
    return {begin, begin + weights(replica).trainable_elems()};
  }
  [[nodiscard]] std::span<std::byte> statistics(std::size_t replica) const {
    return {weights(replica).statistics(),
            static_cast<std::size_t>(
              job.workers[replica].programs[0]->plan().statistics_bytes)};
  }

  /// Numbers whose sum is rounded.
  void fill() const {
    for (const std::size_t replica : {0U, 1U}) {
      auto* begin = weights(replica).gradients();
      for (std::int64_t i = 0; i < weights(replica).trainable_elems(); ++i)
        begin[i] = replica == 0 ? 1.0F / static_cast<float>(i + 3)
                                : 1e5F / static_cast<float>(i + 7);
    }
  }

  void ready(int bucket) { system.send(at, bucket_ready{7, 0, 4, bucket, {}}); }

  /// Replica 0 adds its part of a bucket on a thread of its own.
  void sum_with_replica_0(std::size_t bucket) {
    result<void> done;
    std::thread other{[&] {
      const auto& range = buckets[bucket];
      done = ranks[0]->sum({weights(0).gradients() + range.first,
                            static_cast<std::size_t>(range.end - range.first)});
    }};
    system.run();
    other.join();
    CHECK(done);
  }
};

} // namespace

TEST_CASE("a bucket becomes the sum of the replicas', replica 0 added first, "
          "and no other changes",
          "[actors][gradient_sync]") {
  sync_in_steps of;
  REQUIRE(of.buckets.size() > 2);
  of.fill();
  const auto first = of.grads(0);
  const auto own = of.grads(1);
  auto wanted = own;
  for (auto i = of.buckets[0].first; i < of.buckets[0].end; ++i) {
    const auto at = static_cast<std::size_t>(i);
    wanted[at] = first[at] + own[at];
  }
  of.ready(0);
  of.sum_with_replica_0(0);
  CHECK(of.grads(1) == wanted);
  CHECK(wanted != own);
}

TEST_CASE("a round is reduced with its last bucket, and not before",
          "[actors][gradient_sync]") {
  sync_in_steps of;
  of.fill();
  const auto first = of.grads(0);
  auto wanted = of.grads(1);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    wanted[i] = first[i] + wanted[i];
  for (std::size_t bucket = 0; bucket < of.buckets.size(); ++bucket) {
    CHECK(of.said.empty());
    of.ready(static_cast<int>(bucket));
    of.sum_with_replica_0(bucket);
  }
  CHECK(of.said == words{"chunk 0, round 4 of 7"});
  CHECK(of.grads(1) == wanted);
  CHECK(of.grads(0) == wanted);
}

TEST_CASE("statistics become replica 0's, and the worker hears of it",
          "[actors][gradient_sync]") {
  sync_in_steps of;
  const auto from = of.statistics(0);
  REQUIRE(!from.empty());
  std::ranges::fill(from, std::byte{0x3c});
  std::ranges::fill(of.statistics(1), std::byte{0x11});
  auto sent = of.ranks[0]->send(1, 0, from);
  of.system.send(of.at, align_statistics{9});
  of.system.run();
  CHECK(sent.wait());
  CHECK(std::ranges::equal(of.statistics(1), from));
  CHECK(of.said == words{"worker 1 aligned for 9"});
}

TEST_CASE("a group that is closed ends the sync with the error of its sum",
          "[actors][gradient_sync]") {
  sync_in_steps of;
  const caf::scoped_actor watcher{of.system.system};
  watcher->monitor(of.at);
  of.group->close();
  of.ready(0);
  of.system.run();
  watcher->receive([&](const caf::down_msg& down) {
    CHECK_THAT(text_of(down.reason), Catch::Contains("closed"));
  });
  CHECK(of.said.empty());
}

TEST_CASE("a replica that is gone ends the sync with its rank",
          "[actors][gradient_sync]") {
  sync_in_steps of;
  const caf::scoped_actor watcher{of.system.system};
  watcher->monitor(of.at);
  of.ranks[0]->close();
  of.ready(0);
  of.system.run();
  watcher->receive([&](const caf::down_msg& down) {
    CHECK_THAT(text_of(down.reason), Catch::Contains("rank 0"));
  });
}
