#include "engine/train/replay_job.hpp"

#include "engine/planner/profile_file.hpp"
#include "engine/planner/replay_graph.hpp"

namespace pd {

namespace {

error not_of_a_rehearsal(const std::string& key, const std::string& wanted,
                         const std::string& got) {
  return {errc::bad_value, key + ": wanted " + wanted
                             + " with run.device = \"replay\", got " + got};
}

result<void> check_replay(const job& from) {
  if (from.model.file.empty())
    return not_of_a_rehearsal("model.file", "a profile", "none");
  if (from.data.microbatch != 1)
    return not_of_a_rehearsal("data.microbatch",
                              "1, which stands for the profile's minibatch,",
                              std::to_string(from.data.microbatch));
  const auto& image = from.model.image;
  if (image.height != 1 || image.width != 1 || image.channels != 1)
    return not_of_a_rehearsal("model.image", "[1, 1, 1]", "another");
  if (from.model.classes != 2)
    return not_of_a_rehearsal("model.classes", "2",
                              std::to_string(from.model.classes));
  return {};
}

void scale(profile& all, double time, double bytes) {
  all.minibatch = 1; // what stands for it
  for (auto& each : all.nodes) {
    for (auto* span :
         {&each.forward, &each.backward_input, &each.backward_weight})
      *span = {span->us * time, span->spread_us * time};
    for (auto& output : each.activation_bytes)
      output *= bytes;
    each.update = {}; // a rehearsal's are real, of as many bytes as it has
    each.parameter_bytes *= bytes;
    each.stash_bytes *= bytes;
  }
}

} // namespace

bool is_replay_job(const job& from) {
  return from.run.device == "replay";
}

result<profile> replayed_profile(const job& from) {
  PD_CHECK(check_replay(from));
  PD_TRY(auto made, read_profile(from.model.file));
  scale(made.nodes, from.run.time_scale, from.run.byte_scale);
  return std::move(made.nodes);
}

result<graph> build_replay_graph(const job& from) {
  PD_TRY(const auto costs, replayed_profile(from));
  return replay_graph(costs);
}

job rehearsal_of(const job& from, const std::string& profile_path,
                 std::int64_t minibatches) {
  auto made = from;
  made.run.device = "replay";
  made.run.precision = "f32";
  made.model = {};
  made.model.file = profile_path;
  made.model.classes = 2;
  made.model.image = {1, 1, 1};
  made.data = {};
  made.data.dataset = "synthetic";
  made.data.microbatch = 1;
  made.data.shuffle = false;
  made.data.samples = minibatches;
  made.train = {};
  made.train.evaluate = "never";
  return made;
}

} // namespace pd
