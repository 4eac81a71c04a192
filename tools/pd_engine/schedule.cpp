#include "engine/job/job_file.hpp"
#include "engine/job/toml_file.hpp"
#include "engine/schedule/draw.hpp"
#include "engine/schedule/validate.hpp"
#include "engine/train/session.hpp"
#include "engine/train/worker_plan.hpp"
#include "tools/pd_engine/commands.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace pd {

namespace {

struct schedule_arguments {
  job_arguments which;
  std::string svg;
  std::string check;
  std::int64_t microbatches = 0;
  bool is_text = false;
  bool is_json = false;
};

/// What a person can take in at a glance.
constexpr std::int64_t drawn_microbatches = 8;

/// The job's timetable; of `microbatches`, or of few that fill whole rounds.
result<deployment> plan(const schedule_arguments& given, const registry& ops) {
  PD_TRY(auto what, load_job(given.which.path, given.which.overrides));
  if (given.microbatches > 0 && !what.schedule.file.empty())
    return error{errc::bad_value, "--microbatches: the job's timetable is "
                                    + what.schedule.file};
  const bool is_whole = given.is_text && given.microbatches == 0;
  if (!is_whole && what.schedule.file.empty())
    what.train.max_microbatches = given.microbatches;
  PD_TRY(const auto data, open_data(what));
  PD_TRY(auto all, deploy(what, data.sizes(), ops));
  if (!all.training)
    return error{errc::bad_value, "train.epochs is 0: there is no schedule"};
  if (is_whole || given.microbatches > 0 || !what.schedule.file.empty())
    return all;
  const auto round = common_round(*all.training);
  what.train.max_microbatches =
    (drawn_microbatches + round - 1) / round * round;
  return deploy(what, data.sizes(), ops);
}

nlohmann::ordered_json to_json(const deployment& of, const simulation& run) {
  return {{"schedule", of.training->schedule},
          {"replicas", of.how.shape.replicas},
          {"chunks", of.how.shape.chunks},
          {"microbatches", of.training->microbatches},
          {"rounds", of.training->rounds},
          {"depth", of.training->depth},
          {"bubble_share", bubble_share(run)},
          {"peak_in_flight", run.peak_in_flight},
          {"timetable", to_string(*of.training)}};
}

result<void> show(const schedule_arguments& given, const registry& ops) {
  PD_TRY(const auto all, plan(given, ops));
  const auto run =
    simulate(*all.training, balanced_costs(all.how.shape), all.links);
  if (!given.svg.empty())
    PD_CHECK(write_file(given.svg, draw_svg(*all.training, run)));
  if (given.is_json)
    print_json(to_json(all, run));
  else if (given.is_text)
    fmt::print("{}", to_string(*all.training));
  else
    fmt::print("{} on stages of {} replicas, {} microbatches, simulated with "
               "stages that keep pace\n\n{}",
               all.training->schedule, to_string(all.how.shape),
               all.training->microbatches, draw_text(*all.training, run));
  return {};
}

void print_valid(const std::string& path, const timetable& all) {
  fmt::print("{}: valid: {} on stages of {} replicas, {} microbatches\n", path,
             all.schedule, to_string(all.shape), all.microbatches);
}

/// A timetable that somebody wrote, by itself: every stage sends to the next.
result<void> check_file(const std::string& path) {
  PD_TRY(const auto text, read_text_file(path));
  const auto read = parse_timetable(text);
  if (!read)
    return read.failure().within(path);
  if (const auto valid = validate(*read); !valid)
    return valid.failure().within(path);
  print_valid(path, *read);
  return {};
}

/// The same for a job: for its stages, its edges between them and its data.
result<void> check_for_job(const schedule_arguments& given,
                           const registry& ops) {
  PD_TRY(auto what, load_job(given.which.path, given.which.overrides));
  what.schedule.file = given.check;
  PD_TRY(const auto data, open_data(what));
  PD_TRY(const auto all, deploy(what, data.sizes(), ops));
  if (!all.training)
    return error{errc::bad_value, "train.epochs is 0: there is no schedule"};
  print_valid(given.check, *all.training);
  return {};
}

result<void> run_schedule(const schedule_arguments& given,
                          const registry& ops) {
  if (given.check.empty())
    return show(given, ops);
  return given.which.path.empty() ? check_file(given.check)
                                  : check_for_job(given, ops);
}

} // namespace

void add_schedule(CLI::App& app, command_context& context) {
  const auto given = std::make_shared<schedule_arguments>();
  app.add_option("JOB", given->which.path, "the job file");
  app.add_option("--set", given->which.overrides, "section.key=value");
  auto* check =
    app.add_option("--check", given->check,
                   "validate a timetable file, for JOB if there is one");
  app.add_option("--svg", given->svg, "draw it into this file")
    ->excludes(check);
  app
    .add_option("--microbatches", given->microbatches,
                "of the epoch shown; 0: a few whole rounds")
    ->check(CLI::NonNegativeNumber)
    ->excludes(check);
  auto* text = app.add_flag("--text", given->is_text,
                            "print the file form, of the whole epoch");
  text->excludes(check);
  app.add_flag("--json", given->is_json, "print one JSON object")
    ->excludes(check)
    ->excludes(text);
  app.callback([given, &context] {
    if (given->check.empty() && given->which.path.empty())
      return fail(context,
                  {errc::bad_value, "schedule: wanted JOB or --check FILE"});
    if (const auto done = run_schedule(*given, context.ops); !done)
      fail(context, done.failure());
  });
}

} // namespace pd
