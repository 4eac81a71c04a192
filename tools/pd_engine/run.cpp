#include "actors/actor_runner.hpp"
#include "engine/base/log.hpp"
#include "engine/base/text.hpp"
#include "engine/checkpoint/checkpoint_list.hpp"
#include "engine/job/job_file.hpp"
#include "engine/train/session.hpp"
#include "engine/train/weights.hpp"
#include "tools/pd_engine/commands.hpp"
#include "tools/pd_engine/host_facts.hpp"
#include "tools/pd_engine/interrupt.hpp"
#include "tools/pd_engine/progress.hpp"
#include "tools/pd_engine/trace.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>

namespace pd {

namespace {

struct run_arguments {
  job_arguments which;
  std::string runs = "runs";
  bool is_json = false;
  bool is_forward_only = false;
  bool has_trace = false;
  bool is_resumed = false;
};

std::string figures(const update_metrics& at) {
  return fmt::format("epoch {}  loss {:.4f}  accuracy {:.3f}  {:.1f} samples/s",
                     at.epoch, at.loss, at.accuracy, at.samples_per_s);
}

std::string figures(const evaluation_metrics& at) {
  return fmt::format("epoch {}  test loss {:.4f}  test accuracy {:.4f}  "
                     "in the first five {:.4f}  ({} samples)",
                     at.epoch, at.loss, at.accuracy, at.top5_accuracy,
                     at.samples);
}

/// Shows and records what a training run says.
class run_reporter {
public:
  run_reporter(run_directory& to, progress& shown) : to_{to}, shown_{shown} {}

  [[nodiscard]] train_observer observer() {
    return {[this](const auto& at, const auto& far) { return add(at, far); },
            [this](const auto& far) { evaluating(far); },
            [this](const auto& at) { return add(at); },
            [](const auto& at) { add(at); }};
  }

private:
  result<void> add(const update_metrics& at, const train_progress& far) {
    if (is_evaluating_)
      shown_.restart();
    is_evaluating_ = false;
    shown_.update(figures(at), far.samples_done, far.samples_total);
    return to_.append(at);
  }

  void evaluating(const train_progress& far) {
    if (!is_evaluating_)
      shown_.restart();
    is_evaluating_ = true;
    if (tenths_of(far) != tenths_)
      shown_.update("test", far.samples_done, far.samples_total);
    tenths_ = tenths_of(far);
  }

  static std::int64_t tenths_of(const train_progress& far) {
    return 10 * far.samples_done / std::max<std::int64_t>(far.samples_total, 1);
  }

  result<void> add(const evaluation_metrics& at) {
    shown_.line(figures(at));
    log_info(figures(at));
    return to_.append(at);
  }

  static void add(const saved_checkpoint& at) {
    if (at.path)
      log_info("checkpoint " + *at.path);
    else
      log_warning("no checkpoint: " + at.path.failure().message);
  }

  run_directory& to_;
  progress& shown_;
  bool is_evaluating_ = false;
  std::int64_t tenths_ = 0; ///< of the evaluation, as shown
};

nlohmann::ordered_json or_null(bool is_known, double value) {
  return is_known ? nlohmann::ordered_json(value) : nullptr;
}

nlohmann::ordered_json to_json(const train_summary& from,
                               const std::vector<double>& busy_shares,
                               const std::string& directory) {
  const bool has_trained = from.samples > 0;
  nlohmann::ordered_json made{{"loss", or_null(has_trained, from.loss)},
                              {"accuracy", or_null(has_trained, from.accuracy)},
                              {"samples", from.samples},
                              {"seconds", from.seconds},
                              {"samples_per_s", from.samples_per_s},
                              {"left_over_samples", from.left_over},
                              {"data_stall_s", from.data_stall_s},
                              {"broken_images", from.broken_images},
                              {"checkpoint_wait_s", from.checkpoint_wait_s},
                              {"checkpoints", from.checkpoints},
                              {"failed_checkpoints", from.failed_checkpoints},
                              {"busy_shares", busy_shares}};
  if (from.has_evaluation) {
    made["eval_loss"] = from.evaluation.loss;
    made["eval_accuracy"] = from.evaluation.accuracy;
    made["eval_top5_accuracy"] = from.evaluation.top5_accuracy;
    made["eval_samples"] = from.evaluation.samples;
  }
  made["interrupted"] = from.was_interrupted;
  made["run_directory"] = directory;
  return made;
}

std::string headline(const job& from, const session& with) {
  return fmt::format("{}: {} on {}, {} samples a microbatch, {}, {}", from.name,
                     from.model.file.empty() ? from.model.name
                                             : from.model.file,
                     from.data.dataset, from.data.microbatch,
                     from.run.precision, with.runner->describe());
}

/// "97 %, 93 %".
std::string percents(const std::vector<double>& shares) {
  std::vector<std::string> texts;
  for (const auto each : shares)
    texts.push_back(fmt::format("{:.0f} %", 100 * each));
  return join(texts, ", ");
}

void print_summary(progress& shown, const train_summary& from,
                   const std::vector<double>& busy_shares,
                   const std::string& directory) {
  if (from.samples > 0)
    shown.line(fmt::format(
      "trained on {} samples in {}: {:.1f} samples/s, waited {:.1f} s for data",
      from.samples, format_duration(from.seconds), from.samples_per_s,
      from.data_stall_s));
  if (from.samples > 0 && busy_shares.size() > 1)
    shown.line("workers were busy " + percents(busy_shares)
               + " of the last epoch");
  if (from.broken_images > 0)
    shown.line(from.broken_images == 1
                 ? "1 image could not be read, which the log names; another of "
                   "its class took its place"
                 : fmt::format("{} images could not be read, which the log "
                               "names; others of their classes took their "
                               "places",
                               from.broken_images));
  if (from.left_over > 0)
    shown.line(fmt::format("{} samples of each epoch were left over: they fill "
                           "no microbatch, or train.max_microbatches ends it",
                           from.left_over));
  shown.line("run directory: " + directory);
}

/// The run from the open session to its end.
result<train_summary> train(session& with, run_directory& to, progress& shown,
                            const std::atomic<bool>& stop) {
  run_reporter reporter{to, shown};
  PD_TRY(auto summary, with.loop->run(reporter.observer(), stop));
  if (with.plan->what.train.epochs > 0) {
    PD_TRY(const auto weights, with.runner->weights());
    PD_CHECK(save_weights(weights, to.path() + "/weights.safetensors"));
  }
  return summary;
}

result<void> write_trace(const session& with, const run_directory& to) {
  PD_TRY(const auto trace, with.runner->trace());
  return to.write("trace.json", trace_json(trace));
}

result<run_directory> open_directory(const session& with,
                                     const run_arguments& given,
                                     const command_context& context) {
  PD_TRY(auto made, run_directory::make(given.runs, with.plan->what.name));
  PD_CHECK(made.write("job.toml", print_job(with.plan->what)));
  PD_CHECK(made.write("command.txt", join(context.command_line, " ") + "\n"));
  PD_CHECK(made.write("host.json", host_facts(with.runner->describe())));
  PD_CHECK(log_to_file(made.path() + "/run.log"));
  with.runner->log_to(made.path());
  return made;
}

/// What a resumed run goes on from; nothing if there is no checkpoint yet.
result<std::optional<checkpoint>> find_checkpoint(const job& from) {
  const auto& directory = from.checkpoint.directory;
  if (directory.empty())
    return error{errc::bad_value,
                 "--resume: wanted a job with checkpoint.directory"};
  std::error_code unknown;
  if (!std::filesystem::exists(directory, unknown) && !unknown)
    return std::optional<checkpoint>{};
  PD_TRY(auto found, find_newest_checkpoint(directory));
  for (const auto& each : found.skipped)
    log_warning("skipped a checkpoint: " + each.why);
  const auto was_named = [](const listed_checkpoint& each) {
    return !each.path.ends_with(".part");
  };
  if (!found.whole && std::ranges::any_of(found.skipped, was_named))
    return error{errc::bad_file, directory
                                   + ": no checkpoint is whole; wanted one, or "
                                     "an empty folder to begin anew"};
  return std::move(found.whole);
}

result<session> open(const job& from, const run_arguments& given,
                     command_context& context, const std::atomic<bool>& stop) {
  std::optional<checkpoint> resumed;
  if (given.is_resumed) {
    PD_TRY(resumed, find_checkpoint(from));
  }
  return open_session(from, context.ops, actor_runner::with({.stop = &stop}),
                      resumed ? &*resumed : nullptr);
}

std::string start_line(const deployment& of) {
  if (of.resumed_from.empty())
    return "no checkpoint yet: begins with the first epoch";
  return fmt::format("goes on from {}: epoch {}, sample {}", of.resumed_from,
                     of.start.epoch, of.start.samples);
}

void run(const run_arguments& given, command_context& context) {
  const auto& stop = watch_interrupts();
  auto overrides = given.which.overrides;
  if (given.is_forward_only)
    overrides.emplace_back("train.epochs=0");
  const auto job = load_job(given.which.path, overrides);
  if (!job)
    return fail(context, job.failure());
  auto with = open(*job, given, context, stop);
  if (!with)
    return fail(context, with.failure());
  auto directory = open_directory(*with, given, context);
  if (!directory)
    return fail(context, directory.failure());
  progress shown{job->train.print_every, given.is_json};
  shown.line(headline(*job, *with));
  log_info(headline(*job, *with));
  if (given.is_resumed) {
    shown.line(start_line(*with->plan));
    log_info(start_line(*with->plan));
  }
  auto summary = train(*with, *directory, shown, stop);
  if (summary && given.has_trace)
    if (const auto written = write_trace(*with, *directory); !written)
      summary = written.failure();
  if (!summary) {
    shown.line("");
    log_info("error: " + summary.failure().message); // fail() tells stderr
    return fail(context, summary.failure(), true);
  }
  if (given.is_json)
    print_json(
      to_json(*summary, with->runner->busy_shares(), directory->path()));
  print_summary(shown, *summary, with->runner->busy_shares(),
                directory->path());
  if (summary->was_interrupted)
    context.status = interrupted_status;
}

} // namespace

void add_run(CLI::App& app, command_context& context) {
  const auto given = std::make_shared<run_arguments>();
  given->which.add_to(app);
  app.add_option("--runs", given->runs, "where run directories are made")
    ->capture_default_str();
  app.add_flag("--json", given->is_json, "print one JSON object at the end");
  app.add_flag("--forward-only", given->is_forward_only,
               "only evaluate: [train] epochs = 0");
  app.add_flag("--resume", given->is_resumed,
               "go on from the newest whole checkpoint in "
               "checkpoint.directory, if there is one");
  app.add_flag("--trace", given->has_trace,
               "write trace.json, for chrome://tracing and Perfetto: the "
               "newest actions of every worker");
  app.callback([given, &context] { run(*given, context); });
}

} // namespace pd
