#include "actors/coordinator.hpp"

#include "tests/support/deployed_pipeline.hpp"
#include "tests/support/stepped_system.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace pd;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;

/// What workers and client were told, in the order in which it came.
struct notebook {
  words said;
  void add(const std::string& word) { said.push_back(word); }
  words take() { return std::exchange(said, {}); }
};

/// Notes what it is told, and does nothing by itself.
class fake_worker {
public:
  static inline const char* name = "fake_worker";

  fake_worker(worker_actor::pointer self, notebook* notes, int number)
    : self_{self}, notes_{notes}, number_{number} {}

  worker_actor::behavior_type make_behavior() {
    return {
      [this](const deploy_worker&) { note("deploy"); },
      [this](const join_groups&) { note("join"); },
      [this](const begin_pass& x) {
        note("begin " + std::to_string(x.generation));
      },
      [this](const hold_pass&) {
        note("hold");
        return pass_held{number_ + 2}; // replicas have come apart
      },
      [this](const end_pass_at& x) { note("end at " + std::to_string(x.end)); },
      [this](const align_statistics&) { note("align"); },
      [this](const statistics_aligned&) {},
      [this](const store_shard& x) {
        note("store shard " + std::to_string(x.shard) + " of "
             + std::to_string(x.shards) + " in " + x.folder);
      },
      [this](const send_weights&) { note("weights"); },
      [this](const report_status&) { note("status"); },
      [](const report_trace&) {},
      [this](const open_log&) {},
      [this](const round_joined& x) {
        note("round " + std::to_string(x.round) + " of "
             + std::to_string(std::lround(x.sum_of_squares)));
      }};
  }

private:
  void note(const std::string& what) {
    notes_->add(std::to_string(number_) + ": " + what);
  }

  worker_actor::pointer self_;
  notebook* notes_;
  int number_;
};

class fake_client {
public:
  static inline const char* name = "fake_client";

  fake_client(client_actor::pointer, notebook* notes) : notes_{notes} {}

  client_actor::behavior_type make_behavior() {
    return {
      [this](const workers_ready& x) { notes_->add("ready " + x.device); },
      [this](const job_deployed&) { notes_->add("deployed"); },
      [this](const progress_reported& x) {
        notes_->add("loss " + std::to_string(x.losses[0].microbatch));
      },
      [this](const pass_over& x) {
        notes_->add("done, waited " + std::to_string(x.stall_us));
      },
      [this](const weights_copied&) { notes_->add("copied"); },
      [this](const checkpoint_ended& x) {
        notes_->add("checkpoint " + x.path + x.why);
      },
      [this](const weights_named& x) {
        notes_->add("weights of " + std::to_string(x.worker));
      },
      [](const trace_reported&) {},
      [this](const run_failed& x) { notes_->add("failed: " + x.what); }};
  }

private:
  notebook* notes_;
};

class fake_archivist {
public:
  static inline const char* name = "fake_archivist";

  fake_archivist(archivist_actor::pointer, notebook* notes) : notes_{notes} {}

  archivist_actor::behavior_type make_behavior() {
    return {[this](const save_checkpoint& x) {
              notes_->add("save epoch " + std::to_string(x.epoch) + ", sample "
                          + std::to_string(x.samples));
            },
            [this](const end_checkpoint& x) {
              std::string of;
              for (const auto& each : x.shards)
                of += " " + std::to_string(each.shard) + each.why;
              notes_->add("end with shards" + of);
            }};
  }

private:
  notebook* notes_;
};

/// Two replicas of stage 0, one of stage 1, and who coordinates them.
struct job_in_steps {
  stepped_system system;
  notebook workers, client, archive;
  std::vector<worker_actor> all;
  coordinator_actor coordinating;

  job_in_steps() {
    for (int w = 0; w < 3; ++w)
      all.push_back(system.spawn<fake_worker, worker_actor>(&workers, w));
    coordinating =
      system.spawn<coordinator, coordinator_actor>(coordinator_options{
        deployed_lenet("[[stage]]\nuntil = 'pool1'\nreplicas = 2\n[[stage]]\n"),
        all, system.spawn<fake_client, client_actor>(&client), "",
        rendezvous_actor{},
        [](int worker) { return "runs B" + std::to_string(worker); },
        system.spawn<fake_archivist, archivist_actor>(&archive)});
  }

  template <class Message>
  void tell(Message what) {
    system.send(coordinating, std::move(what));
    system.run();
  }
  void tell_of_all(auto make) {
    for (int w = 0; w < 3; ++w)
      tell(make(w));
  }
};

words all_of(const std::string& what) {
  return {"0: " + what, "1: " + what, "2: " + what};
}

} // namespace

TEST_CASE("workers meet only when all are ready", "[actors][coordinator]") {
  job_in_steps job;
  job.tell(deploy_job{});
  CHECK(job.workers.take() == all_of("deploy"));
  job.tell(worker_ready{0, "cpu"});
  job.tell(worker_ready{1, "cpu"});
  CHECK(job.workers.said.empty());
  job.tell(worker_ready{2, "cpu"});
  CHECK(job.workers.take() == all_of("join"));
  job.tell_of_all([](int w) { return groups_joined{w}; });
  CHECK(job.client.take() == words{"ready cpu", "deployed"});
}

TEST_CASE("an evaluation begins when all replicas have the statistics",
          "[actors][coordinator]") {
  job_in_steps job;
  job.tell(run_pass{0, 0, 8, false});
  CHECK(job.workers.take() == all_of("align"));
  job.tell(statistics_aligned{1, 0});
  job.tell(statistics_aligned{0, 1}); // of no pass that runs
  job.tell(statistics_aligned{1, 1});
  CHECK(job.workers.said.empty());
  job.tell(statistics_aligned{1, 2});
  CHECK(job.workers.take() == all_of("begin 1"));
}

TEST_CASE("what is left of an older pass is dropped", "[actors][coordinator]") {
  job_in_steps job;
  job.tell(run_pass{});
  job.tell(run_pass{});
  job.tell(progress_reported{1, {{7}}, {}});
  job.tell_of_all([](int w) { return pass_done{1, w, 5, 0, {}}; });
  CHECK(job.client.said.empty());
  job.tell(progress_reported{2, {{8}}, {}});
  job.tell_of_all([](int w) { return pass_done{2, w, 5, 0, {}}; });
  CHECK(job.client.take() == words{"loss 8", "done, waited 15"});
}

TEST_CASE("a stopped pass ends for all after the round that the furthest "
          "replica of the first stage has begun",
          "[actors][coordinator]") {
  job_in_steps job;
  job.tell(run_pass{});
  job.workers.take();
  job.tell(stop_pass{});
  // They have begun 2 and 3 microbatches; a round has 2.
  CHECK(job.workers.take()
        == words{"0: hold", "1: hold", "0: end at 4", "1: end at 4",
                 "2: end at 4"});
}

TEST_CASE("a stop before an evaluation begins holds it as it begins",
          "[actors][coordinator]") {
  job_in_steps job;
  job.tell(run_pass{0, 0, 8, false});
  job.workers.take();
  job.tell(stop_pass{});
  CHECK(job.workers.said.empty());
  job.tell_of_all([](int w) { return statistics_aligned{1, w}; });
  CHECK(job.workers.take()
        == words{"0: begin 1", "0: hold", "1: begin 1", "1: hold", "2: begin 1",
                 "0: end at 4", "1: end at 4", "2: end at 4"});
}

TEST_CASE("a worker that misses its peer is not blamed if the peer's death is "
          "heard of next",
          "[actors][coordinator]") {
  job_in_steps job;
  job.tell(run_pass{});
  job.tell(
    worker_failed{0, errc::failed, "link out", "", "rank 2 is gone", true});
  CHECK(job.client.said.empty());
  job.tell(process_ended{2, "killed by signal 9 (Killed)"});
  const words wanted{
    "failed: worker 2 (stage 1, replica 0), runs B2: killed by "
    "signal 9 (Killed)"};
  CHECK(job.client.take() == wanted);
  job.system.advance(2s);
  CHECK(job.client.said.empty()); // one failure is told
}

TEST_CASE("a worker that misses its peer is believed after a second",
          "[actors][coordinator]") {
  job_in_steps job;
  job.tell(run_pass{});
  job.tell(worker_failed{1, errc::failed, "link in", "waits for worker 2",
                         "rank 2 is gone", true});
  job.system.advance(2s);
  CHECK(job.client.take()
        == words{"failed: worker 1 (stage 0, replica 1), link in, waits for "
                 "worker 2: rank 2 is gone"});
}

TEST_CASE("a worker that ends unasked ends the run", "[actors][coordinator]") {
  job_in_steps job;
  job.tell(run_pass{});
  caf::anon_send_exit(job.all[1], caf::exit_reason::kill);
  job.system.run();
  job.system.advance(2s);
  REQUIRE(job.client.said.size() == 1);
  CHECK_THAT(
    job.client.said[0],
    Catch::StartsWith("failed: worker 1 (stage 0, replica 1), runs B1: "
                      "lost"));
}

TEST_CASE("weights come from replica 0 of every stage",
          "[actors][coordinator]") {
  job_in_steps job;
  job.tell(collect_weights{});
  CHECK(job.workers.take() == words{"0: weights", "2: weights"});
}

TEST_CASE("a checkpoint is of the statistics of replica 0, and of the first "
          "replica of every stage",
          "[actors][coordinator]") {
  job_in_steps job;
  job.tell(save_checkpoint{1, 32});
  CHECK(job.workers.take() == all_of("align"));
  CHECK(job.archive.said.empty());
  job.tell_of_all([](int w) { return statistics_aligned{1, w}; });
  CHECK(job.archive.take() == words{"save epoch 1, sample 32"});
  job.tell(checkpoint_begun{"there"});
  CHECK(job.workers.take()
        == words{"0: store shard 0 of 2 in there",
                 "2: store shard 1 of 2 in there"});
}

TEST_CASE("training goes on when all have copied their weights, while shards "
          "are written",
          "[actors][coordinator]") {
  job_in_steps job;
  job.tell(save_checkpoint{1, 32});
  job.tell(checkpoint_begun{"there"});
  job.tell(shard_copied{});
  CHECK(job.client.said.empty());
  job.tell(shard_copied{});
  CHECK(job.client.take() == words{"copied"});
  job.workers.take();
  job.tell(run_pass{});
  CHECK(job.workers.take() == all_of("begin 2"));
  shard_stored second;
  second.shard = 1;
  second.why = ": the disk is full";
  job.tell(second);
  CHECK(job.archive.said.empty());
  job.tell(shard_stored{});
  CHECK(job.archive.take() == words{"end with shards 0 1: the disk is full"});
  job.tell(checkpoint_ended{1, 32, "", "the disk is full"});
  CHECK(job.client.take() == words{"checkpoint the disk is full"});
}

TEST_CASE("a worker that fails as it writes a shard ends the run",
          "[actors][coordinator]") {
  job_in_steps job;
  job.tell(save_checkpoint{});
  job.tell(worker_failed{2, errc::failed, "checkpointer",
                         "writes shard 1 of a checkpoint", "no memory", false});
  CHECK(job.client.take()
        == words{"failed: worker 2 (stage 1, replica 0), checkpointer, writes "
                 "shard 1 of a checkpoint: no memory"});
}

TEST_CASE("a round is joined for all workers when every stage has measured it",
          "[actors][coordinator]") {
  job_in_steps job;
  job.tell(run_pass{});
  job.workers.take();
  job.tell(round_measured{1, 1, 0, 40});
  job.tell(round_measured{0, 0, 0, 9}); // of no pass that runs
  job.tell(round_measured{1, 1, 1, 50});
  CHECK(job.workers.said.empty());
  job.tell(round_measured{1, 0, 0, 2});
  CHECK(job.workers.take() == all_of("round 0 of 42"));
  job.tell(round_measured{1, 0, 1, 3});
  CHECK(job.workers.take() == all_of("round 1 of 53"));
}
