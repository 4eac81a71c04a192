#include "engine/train/job_timetables.hpp"

#include "engine/job/toml_file.hpp"
#include "engine/schedule/validate.hpp"

#include <algorithm>
#include <utility>

namespace pd {

namespace {

/// The norm that clips is of all gradients together, so the stages' updates are
/// joint. In pipedream they are of other microbatches at every moment: to wait
/// for each other would empty the pipeline.
result<void> join_updates(timetable& of, const job& from) {
  of.joint_updates = from.train.clip_norm > 0 && from.stages.size() > 1;
  if (of.joint_updates && (of.schedule == "pipedream" || !has_equal_rounds(of)))
    return error{errc::bad_value,
                 "train.clip_norm: the stages of schedule '" + of.schedule
                   + "' have no round in common; wanted a schedule of rounds "
                     "(gpipe, 1f1b, pipedream-2bw, interleaved, zero-bubble), "
                     "one [[stage]], or 0"};
  return {};
}

std::int64_t available(const job& from, std::int64_t samples) {
  const auto whole = samples / from.data.microbatch;
  return from.train.max_microbatches > 0
           ? std::min(whole, from.train.max_microbatches)
           : whole;
}

bool has_any(const timetable& all, act kind) {
  const auto is_it = [&](const action& each) { return each.kind == kind; };
  return std::ranges::any_of(all.rows, [&](const row& each) {
    return std::ranges::any_of(each, is_it);
  });
}

bool has_halves(const timetable& all) {
  return has_any(all, act::input) || has_any(all, act::weight);
}

bool has_whole_backwards(const timetable& all) {
  return has_any(all, act::backward);
}

/// The microbatches that fill whole rounds, of those that there are.
result<std::int64_t> whole_rounds(const deployment& of, std::int64_t has) {
  PD_TRY(const auto made, round_microbatches(of.how, has));
  if (made == 0)
    return error{errc::bad_value,
                 of.what.data.dataset + ": " + std::to_string(has)
                   + " microbatches of "
                   + std::to_string(of.what.data.microbatch)
                   + " samples do not fill one round of every stage"};
  return made;
}

/// The timetable of the schedule that the job names, for an epoch, or for what
/// lies between two checkpoints.
result<timetable> generated(const deployment& of, std::int64_t microbatches) {
  auto how = of.how;
  how.microbatches = microbatches;
  PD_TRY(auto made, generate(how));
  const auto rounds = of.what.checkpoint.every.rounds;
  if (rounds > 0 && rounds < made.microbatches / common_round(made)) {
    how.microbatches = rounds * common_round(made);
    PD_TRY(made, generate(how));
  }
  PD_CHECK(join_updates(made, of.what));
  PD_CHECK(validate(made, of.links));
  return made;
}

/// The timetable that somebody wrote, if it is one for this job.
result<timetable> read_timetable(const deployment& of, std::int64_t has) {
  const auto& path = of.what.schedule.file;
  if (of.what.checkpoint.every.rounds > 0)
    return error{errc::not_supported,
                 "checkpoint.every: wanted \"epoch\" with schedule.file, whose "
                 "timetable is of an epoch, got "
                   + std::to_string(of.what.checkpoint.every.rounds)};
  PD_TRY(const auto text, read_text_file(path));
  auto made = parse_timetable(text);
  if (!made)
    return made.failure().within(path);
  if (is_evaluation(*made) || made->microbatches == 0)
    return error{errc::bad_value, path + ": it trains nothing"};
  if (has_halves(*made) && has_whole_backwards(*made))
    return error{errc::not_supported,
                 path
                   + ": B, and I and W, in one timetable are not supported by "
                     "this version; wanted one or the other"};
  if (made->shape.chunks != of.how.shape.chunks)
    return error{errc::bad_value, path + ": its workers have "
                                    + std::to_string(made->shape.chunks)
                                    + " chunks; wanted schedule.chunks = "
                                    + std::to_string(made->shape.chunks)
                                    + ", got "
                                    + std::to_string(of.how.shape.chunks)};
  if (made->shape != of.how.shape)
    return error{errc::bad_value,
                 path + ": it is for stages of " + to_string(made->shape)
                   + " replicas, the job has " + to_string(of.how.shape)};
  if (made->microbatches > has)
    return error{errc::bad_value,
                 path + ": its epoch has " + std::to_string(made->microbatches)
                   + " microbatches, the data " + std::to_string(has)};
  PD_CHECK(join_updates(*made, of.what));
  if (auto valid = validate(*made, of.links); !valid)
    return valid.failure().within(path);
  return made;
}

} // namespace

result<void> make_training_timetable(deployment& to) {
  const auto has = available(to.what, to.sizes.training);
  if (to.what.schedule.file.empty()) {
    PD_TRY(to.epoch_microbatches, whole_rounds(to, has));
    PD_TRY(auto made, generated(to, to.epoch_microbatches));
    to.training = std::make_shared<const timetable>(std::move(made));
  } else {
    PD_TRY(auto made, read_timetable(to, has));
    to.epoch_microbatches = made.microbatches;
    to.training = std::make_shared<const timetable>(std::move(made));
  }
  to.how.microbatches = to.training->microbatches;
  to.splits_backward = has_halves(*to.training);
  return {};
}

result<void> make_evaluation_timetable(deployment& to) {
  auto options = to.how;
  options.depth.clear();
  const auto size = to.what.data.microbatch;
  options.microbatches = (to.sizes.evaluation + size - 1) / size;
  PD_TRY(auto made, generate_evaluation(options));
  to.evaluation = std::make_shared<const timetable>(std::move(made));
  return {};
}

} // namespace pd
