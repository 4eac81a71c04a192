#include "engine/schedule/validate.hpp"

#include "engine/schedule/families.hpp"
#include "engine/schedule/grid.hpp"
#include "engine/schedule/newest_versions.hpp"
#include "engine/schedule/simulate.hpp"

#include <algorithm>
#include <utility>

namespace pd {

namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// Which version of the weights a forward is to use. Backwards use the same.
enum class version_rule {
  newest,          ///< there
  of_first_stage,  ///< see schedule_options::vertical_sync
  at_round_start,  ///< a version a round, and nothing in flight between
  one_round_behind ///< double buffered
};

result<version_rule> rule_of(const timetable& all) {
  using enum version_rule;
  if (is_evaluation(all))
    return newest;
  for (const auto& each : all_families())
    if (each.name == all.schedule) {
      if (all.vertical_sync)
        return of_first_stage;
      if (each.flushes)
        return at_round_start;
      return each.has_rounds ? one_round_behind : newest;
    }
  return error{errc::unknown_name,
               "schedule '" + all.schedule + "' is not known"};
}

/// What is wrong with a cell; empty if nothing.
using complaint = std::string;

/// Walks one worker's row from its start, cell by cell.
class row_checker {
public:
  /// used_first: what stage 0's version of each microbatch holds, in
  /// microbatches; written by the workers of stage 0, read by the others.
  row_checker(const timetable& all, int worker, version_rule rule,
              std::vector<std::int64_t>& used_first)
    : all_{all}, place_{all.shape}, rule_{rule}, used_first_{used_first} {
    stage_ = place_.stage_of(worker);
    replica_ = place_.replica_of(worker);
    replicas_ = place_.replicas(stage_);
    round_ = all.rounds[at(stage_)];
    locals_ = (all.microbatches - replica_ + replicas_ - 1) / replicas_;
    marks_.resize(at(all.shape.chunks * locals_));
    backwards_.resize(at(all.shape.chunks));
  }

  /// The next cell of the row.
  complaint check(const action& cell) {
    auto wrong = check_exists(cell);
    if (wrong.empty())
      wrong = cell.kind == act::update ? check_update(cell) : check_cell(cell);
    if (wrong.empty())
      newest_.pass(cell);
    return wrong;
  }

  /// After the last cell: what is missing, in the order of the microbatches.
  [[nodiscard]] complaint check_complete() const {
    for (std::int64_t local = 0; local < locals_; ++local)
      for (int chunk = 0; chunk < all_.shape.chunks; ++chunk)
        if (const auto lost = lost_of(chunk, local); !lost.empty())
          return lost + " is missing";
    for (int chunk = 0; chunk < all_.shape.chunks && !is_evaluation(all_);
         ++chunk)
      if (newest_.of(chunk) != all_.microbatches / round_)
        return to_string(action{chunk, act::update, newest_.of(chunk) + 1})
               + " is missing";
    return {};
  }

private:
  /// What has been seen of a microbatch at a chunk.
  struct marks {
    std::int64_t version = 0; ///< that its forward used
    bool has_forward = false;
    bool has_input = false;
    bool has_backward = false; ///< B or W
  };

  [[nodiscard]] marks& marks_of(const action& cell) {
    return marks_[at(cell.chunk * locals_ + cell.index / replicas_)];
  }

  [[nodiscard]] static complaint before(const action& cell, act other) {
    return to_string(cell) + " stands before "
           + to_string(action{cell.chunk, other, cell.index});
  }

  // -- (1): does it exist? ----------------------------------------------------

  [[nodiscard]] complaint check_exists(const action& cell) const {
    const auto name = to_string(cell);
    if (cell.chunk < 0 || cell.chunk >= all_.shape.chunks)
      return name + ": a worker has " + std::to_string(all_.shape.chunks)
             + " chunks";
    const bool is_forward_only = cell.kind == act::evaluate;
    if (is_forward_only != is_evaluation(all_))
      return name + " does not belong into schedule '" + all_.schedule + "'";
    if (cell.kind == act::update)
      return {};
    if (cell.index < 0 || cell.index >= all_.microbatches)
      return name + ": the epoch has " + std::to_string(all_.microbatches)
             + " microbatches";
    if (cell.index % replicas_ != replica_)
      return name + ": microbatch " + std::to_string(cell.index)
             + " runs on worker "
             + std::to_string(place_.worker_of(stage_, cell.index))
             + ", a replica of stage " + std::to_string(stage_);
    return {};
  }

  // -- (2): is it in order? ---------------------------------------------------

  complaint check_update(const action& cell) {
    const auto wanted = newest_.of(cell.chunk) + 1;
    if (cell.index != wanted)
      return to_string(cell) + ": version " + std::to_string(wanted)
             + " is to be made next";
    const auto done = backwards_[at(cell.chunk)];
    if (done < cell.index * (round_ / replicas_))
      return to_string(cell) + " stands before "
             + std::to_string(cell.index * (round_ / replicas_) - done)
             + " backward of its round";
    return {};
  }

  complaint check_cell(const action& cell) {
    auto wrong = check_order(cell);
    if (wrong.empty())
      wrong = check_version(cell);
    return wrong;
  }

  complaint check_order(const action& cell) {
    switch (cell.kind) {
    case act::forward:
      return check_forward(cell);
    case act::input:
      return check_input(cell);
    case act::evaluate:
      return check_once(cell, marks_of(cell).has_forward);
    default:
      return check_backward(cell);
    }
  }

  static complaint check_once(const action& cell, bool& mark) {
    if (std::exchange(mark, true))
      return to_string(cell) + " stands twice";
    return {};
  }

  complaint check_forward(const action& cell) {
    if (++in_flight_ > all_.depth[at(stage_)])
      return to_string(cell) + " makes " + std::to_string(in_flight_)
             + " in flight; the depth of stage " + std::to_string(stage_)
             + " is " + std::to_string(all_.depth[at(stage_)]);
    return check_once(cell, marks_of(cell).has_forward);
  }

  complaint check_input(const action& cell) {
    if (!marks_of(cell).has_forward)
      return before(cell, act::forward);
    return check_once(cell, marks_of(cell).has_input);
  }

  complaint check_backward(const action& cell) {
    auto& mark = marks_of(cell);
    const bool is_half = cell.kind == act::weight;
    if (is_half ? !mark.has_input : !mark.has_forward)
      return before(cell, is_half ? act::input : act::forward);
    if (!is_half && mark.has_input)
      return to_string(cell) + " stands where its input half was done";
    const auto round = cell.index / round_;
    if (newest_.of(cell.chunk) < round)
      return before(cell, round);
    --in_flight_;
    ++backwards_[at(cell.chunk)];
    return check_once(cell, mark.has_backward);
  }

  /// Its gradient would be added to those of the round before.
  [[nodiscard]] static complaint before(const action& cell,
                                        std::int64_t round) {
    return to_string(cell) + " stands before "
           + to_string(action{cell.chunk, act::update, round})
           + ", which ends the round before";
  }

  // -- (3): does it use the right weights? ------------------------------------

  complaint check_version(const action& cell) {
    auto& mark = marks_of(cell);
    const bool is_first =
      cell.kind == act::forward || cell.kind == act::evaluate;
    const auto wanted = is_first ? version_of_forward(cell) : mark.version;
    const auto name = to_string(cell) + "@" + std::to_string(cell.version);
    if (cell.version != wanted)
      return name + ": wanted version " + std::to_string(wanted)
             + (is_first ? " of the weights, by the rule of " + all_.schedule
                         : " of the weights, which its forward used");
    if (cell.version > newest_.of(cell.chunk))
      return name + ": that version is not made yet; the newest is "
             + std::to_string(newest_.of(cell.chunk));
    if (is_first)
      mark.version = cell.version;
    if (is_first && stage_ == 0)
      used_first_[at(cell.index)] = cell.version * round_;
    return {};
  }

  [[nodiscard]] std::int64_t version_of_forward(const action& cell) const {
    const auto newest = newest_.of(cell.chunk);
    const auto round = cell.index / round_;
    switch (rule_) {
    case version_rule::at_round_start:
      return round;
    case version_rule::one_round_behind:
      return std::max<std::int64_t>(0, round - 1);
    case version_rule::of_first_stage:
      if (stage_ > 0)
        return std::min(newest, used_first_[at(cell.index)] / round_);
      [[fallthrough]];
    case version_rule::newest:
      break;
    }
    return newest;
  }

  // -- (4) --------------------------------------------------------------------

  [[nodiscard]] std::string lost_of(int chunk, std::int64_t local) const {
    const auto& mark = marks_[at(chunk * locals_ + local)];
    const auto microbatch = local * replicas_ + replica_;
    const auto name = [&](act kind) {
      return to_string(action{chunk, kind, microbatch});
    };
    if (!mark.has_forward)
      return name(is_evaluation(all_) ? act::evaluate : act::forward);
    if (mark.has_backward || is_evaluation(all_))
      return {};
    return name(mark.has_input ? act::weight : act::backward);
  }

  const timetable& all_;
  placement place_;
  version_rule rule_;
  std::vector<std::int64_t>& used_first_;
  int stage_ = 0, replica_ = 0, replicas_ = 1;
  std::int64_t round_ = 1, locals_ = 0;
  std::int64_t in_flight_ = 0;
  newest_versions newest_;
  std::vector<marks> marks_;            ///< by chunk, local microbatch
  std::vector<std::int64_t> backwards_; ///< that are done, by chunk
};

/// In the first of the cells; the others have a part in it.
error fault(const timetable& all, const std::vector<grid_cell>& cells,
            const complaint& what) {
  return {errc::bad_value, "worker " + std::to_string(cells[0].worker)
                             + ", cell " + std::to_string(cells[0].column)
                             + ": " + what + "\n" + grid_around(all, cells)};
}

result<void> check_row(const timetable& all, int worker, row_checker checker) {
  const auto& cells = all.rows[at(worker)];
  for (std::size_t column = 0; column < cells.size(); ++column)
    if (const auto wrong = checker.check(cells[column]); !wrong.empty())
      return fault(all, {{worker, column}}, wrong);
  if (const auto wrong = checker.check_complete(); !wrong.empty())
    return fault(all, {{worker, cells.size()}}, wrong);
  return {};
}

result<void> check_rows(const timetable& all, version_rule rule) {
  std::vector<std::int64_t> used_first(at(all.microbatches));
  const auto workers = static_cast<int>(all.rows.size());
  for (int worker = 0; worker < workers; ++worker)
    PD_CHECK(check_row(all, worker, {all, worker, rule, used_first}));
  return {};
}

/// Before anything is made as large as the head says.
result<void> check_sizes(const timetable& all) {
  const placement place{all.shape};
  if (all.rows.size() != at(place.workers()))
    return error{errc::bad_value,
                 "wanted the rows of " + std::to_string(place.workers())
                   + " workers, found " + std::to_string(all.rows.size())};
  std::int64_t cells = 0;
  for (const auto& each : all.rows)
    cells += static_cast<std::int64_t>(each.size());
  if (all.microbatches > cells)
    return error{errc::bad_value, "wanted rows for "
                                    + std::to_string(all.microbatches)
                                    + " microbatches, found "
                                    + std::to_string(cells) + " cells in all"};
  return {};
}

/// What a schedule promises of all rows.
result<void> check_promises(const timetable& all, version_rule rule) {
  if (all.schedule == "model-parallel")
    for (const int depth : all.depth)
      if (depth != 1)
        return error{errc::bad_value, "model-parallel: wanted a depth of 1, "
                                      "found "
                                        + std::to_string(depth)};
  if (rule == version_rule::one_round_behind)
    for (std::size_t worker = 0; worker < all.rows.size(); ++worker)
      if (versions_kept(all.rows[worker]) > 2)
        return error{errc::bad_value,
                     "worker " + std::to_string(worker) + ": keeps "
                       + std::to_string(versions_kept(all.rows[worker]))
                       + " versions of its weights; " + all.schedule
                       + " has two"};
  return {};
}

result<void> check_ends(const timetable& all, const topology& links) {
  const auto run = simulate(all, balanced_costs(all.shape), links);
  if (run.deadlock.empty())
    return {};
  std::vector<grid_cell> waiting;
  for (const auto& each : run.deadlock)
    waiting.push_back({each.worker, each.column});
  return fault(all, waiting, "deadlock: " + to_string(run.deadlock));
}

// -- (6): in which order do messages and sums meet their others? --------------

bool sends_gradient(act kind) {
  return kind == act::backward || kind == act::input;
}

bool sends_activation(act kind) {
  return kind == act::forward || kind == act::evaluate;
}

/// See [Note: stopped passes] in validate.hpp.
result<void> check_rounds_in_order(const timetable& all, int worker,
                                   bool (*is_sent)(act)) {
  const auto round = common_round(all);
  const auto& cells = all.rows[at(worker)];
  std::vector<const action*> latest(at(all.shape.chunks));
  for (std::size_t column = 0; column < cells.size(); ++column) {
    const auto& cell = cells[column];
    if (!is_sent(cell.kind))
      continue;
    const auto* before = std::exchange(latest[at(cell.chunk)], &cell);
    if (before != nullptr && before->index / round > cell.index / round)
      return fault(all, {{worker, column}},
                   to_string(cell) + " stands after " + to_string(*before)
                     + "; a pass may be stopped between them, at microbatch "
                     + std::to_string(before->index / round * round));
  }
  return {};
}

/// The last backward of a chunk's round in a row.
struct round_end {
  int chunk = 0;
  std::int64_t round = 0;
  std::size_t column = 0;
};

std::string to_string(const round_end& end) {
  return "round " + std::to_string(end.round) + " of chunk "
         + std::to_string(end.chunk);
}

std::vector<round_end> round_ends(const timetable& all, int worker) {
  const placement place{all.shape};
  const int stage = place.stage_of(worker);
  const auto round = all.rounds[at(stage)];
  const auto share = round / place.replicas(stage);
  std::vector<std::int64_t> done(at(all.shape.chunks));
  std::vector<round_end> ends;
  const auto& cells = all.rows[at(worker)];
  for (std::size_t column = 0; column < cells.size(); ++column)
    if (const auto& cell = cells[column];
        is_last_of_backward(cell.kind) && ++done[at(cell.chunk)] % share == 0)
      ends.push_back({cell.chunk, cell.index / round, column});
  return ends;
}

/// Replicas sum a round's gradients as each ends it, one sum after the other:
/// the n-th of one meets the n-th of the others.
result<void> check_sums_meet(const timetable& all, int worker) {
  const placement place{all.shape};
  const int first = place.worker_at(place.stage_of(worker), 0);
  const auto wanted = round_ends(all, first);
  const auto found = round_ends(all, worker);
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i].chunk != wanted[i].chunk || found[i].round != wanted[i].round)
      return fault(all, {{worker, found[i].column}, {first, wanted[i].column}},
                   to_string(all.rows[at(worker)][found[i].column]) + " ends "
                     + to_string(found[i]) + ", where its replica worker "
                     + std::to_string(first) + " ends " + to_string(wanted[i])
                     + "; replicas end their rounds in one order");
  return {};
}

result<void> check_meetings(const timetable& all, int worker) {
  PD_CHECK(check_rounds_in_order(all, worker, sends_activation));
  PD_CHECK(check_rounds_in_order(all, worker, sends_gradient));
  return check_sums_meet(all, worker);
}

result<void> check_together(const timetable& all, const topology& links) {
  PD_CHECK(check_ends(all, links));
  for (int worker = 0; worker < std::ssize(all.rows); ++worker)
    PD_CHECK(check_meetings(all, worker));
  return {};
}

} // namespace

result<void> validate(const timetable& all, const topology& links) {
  PD_CHECK(check_head(all));
  PD_TRY(const auto rule, rule_of(all));
  PD_CHECK(check_sizes(all));
  PD_CHECK(check_rows(all, rule));
  PD_CHECK(check_promises(all, rule));
  return check_together(all, links);
}

result<void> validate(const timetable& all) {
  PD_CHECK(check_head(all));
  return validate(all, neighbours(all.shape));
}

} // namespace pd
