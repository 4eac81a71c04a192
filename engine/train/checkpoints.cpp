#include "engine/train/checkpoints.hpp"

#include "engine/checkpoint/checkpoint_list.hpp"
#include "engine/job/job_file.hpp"
#include "engine/train/worker_parts.hpp"
#include "engine/train/worker_snapshot.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>

namespace pd {

namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

} // namespace

// -- writing -----------------------------------------------------------------

bool writes_shard(const deployment& all, int worker) {
  return !all.what.checkpoint.directory.empty() && all.training
         && all.where().replica_of(worker) == 0;
}

namespace {

/// Not counting what is in the making, or was when its writer died.
result<bool> holds_checkpoints(const std::string& directory) {
  PD_TRY(const auto paths, checkpoint_paths(directory));
  return std::ranges::any_of(paths, [](const std::string& path) {
    const auto name =
      parse_checkpoint_name(std::string_view{path}.substr(path.rfind('/') + 1));
    return name && name->ending.empty();
  });
}

} // namespace

result<std::unique_ptr<checkpoint_store>>
open_checkpoints(const deployment& of) {
  const auto& how = of.what.checkpoint;
  if (how.directory.empty() || !of.training)
    return std::unique_ptr<checkpoint_store>{};
  PD_TRY(auto made,
         checkpoint_store::open(how.directory, static_cast<int>(how.keep)));
  PD_TRY(const auto has_any, holds_checkpoints(how.directory));
  if (of.resumed_from.empty() && has_any)
    return error{errc::bad_value,
                 "checkpoint.directory: " + how.directory
                   + " holds checkpoints: wanted --resume, which goes on from "
                     "the newest, or another folder"};
  return std::make_unique<checkpoint_store>(std::move(made));
}

namespace {

/// A path in it may be of any bytes.
std::string as_utf8(const std::string& text) {
  using nlohmann::json;
  return json::parse(
    json(text).dump(-1, ' ', false, json::error_handler_t::replace));
}

checkpoint_data data_of(const deployment& all) {
  return {all.what.data.dataset, all.sizes.training, all.what.data.shuffle};
}

} // namespace

checkpoint_manifest describe_checkpoint(const deployment& all,
                                        const checkpoint_position& at) {
  checkpoint_manifest made;
  made.name = as_utf8(all.what.name);
  made.job = as_utf8(print_job(all.what));
  made.seed = static_cast<std::uint64_t>(all.what.seed);
  made.at = at;
  made.data = data_of(all);
  made.rule = all.what.optimizer.rule.name;
  return made;
}

// -- going on ----------------------------------------------------------------

namespace {

error is_not_ours(const checkpoint& from, const std::string& what,
                  const std::string& wanted, const std::string& got) {
  return {errc::bad_value, from.path() + ": " + what + ": the job has " + wanted
                             + ", the checkpoint " + got};
}

result<void> check_seed(const deployment& to, const checkpoint& from) {
  const auto& made = from.manifest();
  if (made.seed != static_cast<std::uint64_t>(to.what.seed))
    return is_not_ours(from, "seed", std::to_string(to.what.seed),
                       std::to_string(made.seed));
  return {};
}

result<void> check_optimizer(const deployment& to, const checkpoint& from,
                             const registry& ops) {
  const auto& made = from.manifest();
  const auto& rule = to.what.optimizer.rule;
  if (made.rule != rule.name)
    return is_not_ours(from, "optimizer.name", rule.name, made.rule);
  PD_TRY(const auto update, ops.make_update(rule, device_kind::cpu));
  if (made.moments != update->moments())
    return is_not_ours(from, "optimizer.momentum",
                       std::to_string(update->moments())
                         + " moments of each parameter",
                       std::to_string(made.moments));
  return {};
}

std::string to_string(const checkpoint_data& data) {
  return std::to_string(data.samples) + " samples of " + data.dataset
         + (data.is_shuffled ? ", shuffled" : ", in order");
}

/// Within an epoch, what is left of it has to be what was left.
result<void> check_data(const deployment& to, const checkpoint& from) {
  const auto ours = data_of(to);
  const auto& made = from.manifest();
  if (made.at.samples > 0 && made.data != ours)
    return is_not_ours(from, "data", to_string(ours),
                       "is within an epoch of " + to_string(made.data));
  return {};
}

/// At least a round is left of the epoch.
result<void> check_rest_of_epoch(const deployment& to, const checkpoint& from) {
  const auto size = to.what.data.microbatch;
  const auto samples = from.manifest().at.samples;
  const auto is_at = "is at sample " + std::to_string(samples) + " of an epoch";
  if (samples % size != 0)
    return is_not_ours(from, "data.microbatch", std::to_string(size),
                       is_at + ", within a microbatch");
  if (pass_length(to, samples / size) == 0)
    return is_not_ours(from, "data and schedule",
                       "epochs of "
                         + std::to_string(to.epoch_microbatches * size)
                         + " samples in rounds of "
                         + std::to_string(common_round(*to.training) * size),
                       is_at + ", behind which there is no round");
  return {};
}

/// If training can go on at the position, or is over.
result<void> check_position(const deployment& to, const checkpoint& from) {
  const auto& at = from.manifest().at;
  const auto epochs = to.what.train.epochs;
  if (at > checkpoint_position{epochs, 0})
    return is_not_ours(from, "train.epochs", std::to_string(epochs),
                       "is at sample " + std::to_string(at.samples)
                         + " of epoch " + std::to_string(at.epoch));
  return at.samples > 0 ? check_rest_of_epoch(to, from) : result<void>{};
}

result<void> check_training(const deployment& to, const checkpoint& from,
                            const registry& ops) {
  PD_CHECK(check_seed(to, from));
  PD_CHECK(check_optimizer(to, from, ops));
  PD_CHECK(check_data(to, from));
  return check_position(to, from);
}

std::vector<parameter> parameters_of(const deployment& all) {
  std::vector<parameter> made;
  for (const auto& stage : all.stages)
    for (std::size_t i = 0; i < stage.net.net.nodes.size(); ++i)
      std::ranges::move(stage.net.parameters(static_cast<int>(i)),
                        std::back_inserter(made));
  return made;
}

result<void> check_model(const deployment& to, const checkpoint& from) {
  const auto wanted = parameters_of(to);
  for (const auto& each : wanted) {
    const auto* is = from.manifest().find(each.suffix);
    if (is == nullptr || is->kind != kind_of(each))
      return error{errc::bad_value, from.path() + ": it has no "
                                      + to_string(kind_of(each)) + " '"
                                      + each.suffix + "', which the model has"};
    if (is->extents != each.extents)
      return is_not_ours(from, "'" + each.suffix + "'",
                         "shape " + to_string(each.extents),
                         to_string(is->extents));
  }
  for (const auto& each : from.manifest().tensors)
    if (std::ranges::find(wanted, each.name, &parameter::suffix)
        == wanted.end())
      return error{errc::bad_value,
                   from.path() + ": '" + each.name + "' is not of the model"};
  return {};
}

} // namespace

result<void> resume(deployment& to, const checkpoint& from,
                    const registry& ops) {
  if (to.training)
    PD_CHECK(check_training(to, from, ops));
  PD_CHECK(check_model(to, from));
  to.resumed_from = from.path();
  to.start = from.manifest().at;
  return {};
}

namespace {

/// One parameter, statistic or counter, with its moments.
result<void> restore(stage_program& to, optimizer* updates,
                     const stored_parameter& which, const checkpoint& from) {
  if (kind_of(which.rule) == tensor_kind::counter) {
    PD_TRY(const auto counts, from.counts(which.name));
    std::memcpy(to.weights().statistics() + which.offset, counts.data(),
                sizeof counts[0]);
    return {};
  }
  PD_TRY(const auto values, from.values(which.name));
  to.write(which, values);
  if (updates == nullptr || kind_of(which.rule) != tensor_kind::parameter)
    return {};
  for (int i = 0; i < updates->moments(); ++i) {
    PD_TRY(const auto moment, from.moment(which.name, i));
    to.pack(which, moment, stored_in(updates->moment_arrays()[at(i)], which));
  }
  return {};
}

result<void> restore(stage_program& to, optimizer* updates,
                     std::int64_t position, const checkpoint& from) {
  std::int64_t steps = 0;
  for (const auto& each : to.plan().parameters) {
    PD_CHECK(restore(to, updates, each, from));
    steps = std::max(steps, from.manifest().find(each.name)->updates);
  }
  if (updates != nullptr)
    updates->resume(position, steps);
  return {};
}

/// Updates of a stage before an epoch's samples from `start` on.
std::int64_t updates_before(const deployment& all, int stage) {
  if (!all.training)
    return 0;
  const auto begin = all.start.samples / all.what.data.microbatch;
  return microbatch_of_run(all, all.start.epoch, begin)
         / all.training->rounds[at(stage)];
}

} // namespace

result<void> restore(worker_parts& to, const deployment& all, int worker,
                     const checkpoint& from) {
  const auto position = updates_before(all, all.where().stage_of(worker));
  for (std::size_t c = 0; c < to.programs.size(); ++c)
    PD_CHECK(restore(*to.programs[c],
                     to.updates.empty() ? nullptr : to.updates[c].get(),
                     position, from));
  return {};
}

} // namespace pd
