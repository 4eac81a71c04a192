#include "engine/program/stage_memory.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace pd {

namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

/// (1)
bool repeats_all(const plan_options& options) {
  return options.recomputes && options.is_training && options.in_flight > 1;
}

/// The steps of a plan's time (the header's drawing).
class timeline {
public:
  timeline(const stage_plan& plan, const std::vector<int>& segments)
    : nodes_{static_cast<int>(plan.nodes.size())},
      end_{nodes_},
      is_split_{plan.options.splits_backward},
      segment_(plan.nodes.size()),
      again_(plan.nodes.size()),
      backward_(plan.nodes.size()) {
    const auto last = static_cast<int>(segments.size()) - 1;
    for (int k = last; k >= 0; --k)
      add_segment(k, segments[at(k)], k < last ? segments[at(k + 1)] : nodes_,
                  k < last || repeats_all(plan.options));
  }

  [[nodiscard]] int segment(int node) const { return segment_[at(node)]; }
  [[nodiscard]] static int forward(int node) { return node; }
  /// The step that makes node's value as the backward reads it.
  [[nodiscard]] int again(int node) const { return again_[at(node)]; }
  [[nodiscard]] bool is_in_repeated(int node) const {
    return again(node) != forward(node);
  }
  [[nodiscard]] int backward(int node) const { return backward_[at(node)]; }
  [[nodiscard]] int weight(int node) const {
    return is_split_ ? end_ + nodes_ - 1 - node : backward(node);
  }
  [[nodiscard]] int end() const { return end_ + nodes_; }

  /// 0: forward, 1: backward or its input half, 2: the weight half.
  [[nodiscard]] int action(int step) const {
    return step < nodes_ ? 0 : step < end_ ? 1 : 2;
  }

private:
  void add_segment(int index, int first, int end, bool is_repeated) {
    for (int i = first; i < end; ++i) {
      segment_[at(i)] = index;
      again_[at(i)] = is_repeated ? end_++ : forward(i);
    }
    for (int i = end - 1; i >= first; --i)
      backward_[at(i)] = end_++;
  }

  int nodes_;
  int end_; ///< of the backward
  bool is_split_;
  std::vector<int> segment_;
  std::vector<int> again_;
  std::vector<int> backward_;
};

/// What lies in a room.
enum class tenant : std::uint8_t {
  value,
  value_again,
  gradient,
  workspace,
  workspace_again
};

/// Room that shares bytes: an in-place output and its input are one.
struct room {
  lifetime span;
  std::vector<std::pair<tenant, int>> tenants;
};

class room_maker {
public:
  room_maker(const stage_plan& plan, const std::vector<int>& segments)
    : plan_{plan},
      time_{plan, segments},
      takers_(plan.nodes.size()),
      is_kept_(plan.nodes.size()),
      is_repeated_(plan.nodes.size()) {
    for (int i = 0; i < nodes(); ++i)
      for (const int input : plan_.nodes[at(i)].inputs)
        takers_[at(input)].push_back(i);
    for (int i = nodes() - 1; i >= 0; --i)
      decide(i);
    add_values();
    add_gradients();
    add_workspaces();
  }

  [[nodiscard]] const std::vector<room>& rooms() const { return rooms_; }
  [[nodiscard]] bool is_repeated(int node) const {
    return is_repeated_[at(node)];
  }

  /// (2)
  [[nodiscard]] arena_kind arena_of(const room& which) const {
    if (!repeats_all(plan_.options))
      return arena_kind::microbatch;
    const int first = time_.action(which.span.first);
    const int last = time_.action(which.span.last);
    return first == last ? arena_kind::shared
           : first == 0  ? arena_kind::microbatch
                         : arena_kind::halves;
  }

private:
  [[nodiscard]] int nodes() const {
    return static_cast<int>(plan_.nodes.size());
  }

  // -- what is kept, and what runs again --------------------------------------

  /// The backward of node i, or its second run, reads its inputs.
  [[nodiscard]] bool reads_inputs_again(int i) const {
    const auto& own = plan_.nodes[at(i)];
    return is_repeated_[at(i)] || (own.has_backward && own.needs.stashes_input);
  }

  [[nodiscard]] bool is_output(int i) const {
    return std::ranges::find(plan_.outputs, i) != plan_.outputs.end();
  }

  /// Its bytes stay without room of the stage's.
  [[nodiscard]] bool is_elsewhere(int i) const {
    return plan_.values[at(i)].is_external || plan_.values[at(i)].is_handed_on;
  }

  /// One room from the forward to the last reader.
  [[nodiscard]] bool stays(int i) const {
    return is_kept_[at(i)] || !time_.is_in_repeated(i);
  }

  /// The workspace of a value that stays, if it is small beside it.
  [[nodiscard]] bool keeps_workspace(int i) const {
    constexpr int share = 4;
    const bool has_value = is_elsewhere(i) || is_kept_[at(i)];
    return !time_.is_in_repeated(i)
           || (has_value
               && plan_.nodes[at(i)].needs.workspace_bytes * share
                    <= plan_.values[at(i)].type.bytes());
  }

  /// @pre all later nodes are decided
  void decide(int i) {
    const auto& own = plan_.nodes[at(i)];
    bool is_read_later = is_output(i);
    bool is_read_here = own.has_backward && own.needs.stashes_output;
    for (const int taker : takers_[at(i)])
      if (reads_inputs_again(taker))
        (time_.segment(taker) > time_.segment(i) ? is_read_later
                                                 : is_read_here) = true;
    is_kept_[at(i)] = is_read_later && !is_elsewhere(i);
    const bool lacks_value =
      is_read_here && !is_kept_[at(i)] && !is_elsewhere(i);
    const bool lacks_workspace =
      own.has_backward && own.needs.workspace_bytes > 0 && !keeps_workspace(i);
    is_repeated_[at(i)] = own.run != nullptr && time_.is_in_repeated(i)
                          && (lacks_value || lacks_workspace);
  }

  // -- values -----------------------------------------------------------------

  [[nodiscard]] int last_forward_read(int i) const {
    int last = time_.forward(i);
    for (const int taker : takers_[at(i)])
      last = std::max(last, time_.forward(taker));
    return last;
  }

  /// By the second runs and the backward.
  [[nodiscard]] int last_read_again(int i) const {
    const auto& own = plan_.nodes[at(i)];
    int last = time_.again(i);
    if (own.has_backward && own.needs.stashes_output)
      last = time_.weight(i);
    for (const int taker : takers_[at(i)]) {
      const auto& node = plan_.nodes[at(taker)];
      if (is_repeated_[at(taker)])
        last = std::max(last, time_.again(taker));
      if (node.has_backward && node.needs.stashes_input)
        last = std::max(last, time_.weight(taker));
    }
    return last;
  }

  /// Of the value that the forward makes.
  [[nodiscard]] int last_read(int i) const {
    if (is_output(i))
      return time_.end();
    return stays(i) ? std::max(last_forward_read(i), last_read_again(i))
                    : last_forward_read(i);
  }

  /// Of what the second run writes: what was handed on is read as it was.
  [[nodiscard]] int last_use_of_second(int i) const {
    return is_elsewhere(i) ? time_.again(i) : last_read_again(i);
  }

  void add_values() {
    std::vector<int> made(plan_.values.size(), -1);
    for (int i = 0; i < nodes(); ++i)
      if (!is_elsewhere(i))
        made[at(i)] = add_value({tenant::value, i}, {i, last_read(i)}, made,
                                [this](int j) { return last_read(j); });
    made.assign(plan_.values.size(), -1);
    for (int i = 0; i < nodes(); ++i)
      if (is_repeated_[at(i)] && !stays(i))
        made[at(i)] = add_value(
          {tenant::value_again, i}, {time_.again(i), last_use_of_second(i)},
          made, [this](int j) { return last_use_of_second(j); });
  }

  /// In a room of its own, or in that of input 0 if its node may write there
  /// and nobody reads it any more. room_of: by value, of this run.
  template <class LastRead>
  int add_value(std::pair<tenant, int> who, std::pair<int, int> steps,
                const std::vector<int>& room_of, const LastRead& last_of) {
    const auto& own = plan_.nodes[at(who.second)];
    const auto bytes = plan_.values[at(who.second)].type.bytes();
    const int input = own.needs.forward_in_place ? own.inputs[0] : -1;
    const int shared = input < 0 ? -1 : room_of[at(input)];
    if (shared < 0 || last_of(input) != steps.first
        || plan_.values[at(input)].type.bytes() != bytes)
      return add_room(who, bytes, steps.first, steps.second);
    auto& joined = rooms_[at(shared)];
    joined.span.last = std::max(joined.span.last, steps.second);
    joined.tenants.push_back(who);
    return shared;
  }

  int add_room(std::pair<tenant, int> who, std::int64_t bytes, int first,
               int last) {
    rooms_.push_back({{bytes, first, last}, {who}});
    return static_cast<int>(rooms_.size()) - 1;
  }

  // -- gradients --------------------------------------------------------------

  void add_gradients() {
    const auto spans = gradient_spans();
    std::vector<int> room_of(plan_.gradients.size(), -1);
    for (std::size_t g = 0; g < plan_.gradients.size(); ++g)
      if (!plan_.gradients[g].is_external && !plan_.gradients[g].is_handed_on)
        room_of[g] = add_room({tenant::gradient, static_cast<int>(g)},
                              plan_.gradients[g].type.bytes(), spans[g].first,
                              spans[g].last);
    for (int i = nodes() - 1; i >= 0; --i)
      merge_in_place(i, room_of);
  }

  /// Lets an input gradient take the room of the output gradient.
  void merge_in_place(int i, std::vector<int>& room_of) {
    const auto& own = plan_.nodes[at(i)];
    const int input = own.needs.backward_in_place;
    const bool outlives =
      plan_.options.splits_backward && !own.parameters.empty();
    if (!own.has_backward || input < 0 || outlives || own.output_grad < 0)
      return;
    const int made = own.input_grads[at(input)];
    const int from = own.output_grad;
    if (made < 0 || room_of[at(from)] < 0 || room_of[at(made)] < 0)
      return;
    auto& kept = rooms_[at(room_of[at(from)])];
    auto& merged = rooms_[at(room_of[at(made)])];
    if (kept.span.bytes != merged.span.bytes)
      return;
    kept.span.first = std::min(kept.span.first, merged.span.first);
    kept.span.last = std::max(kept.span.last, merged.span.last);
    kept.tenants.insert(kept.tenants.end(), merged.tenants.begin(),
                        merged.tenants.end());
    merged.span.bytes = 0;
    merged.tenants.clear();
    std::ranges::replace(room_of, room_of[at(made)], room_of[at(from)]);
  }

  /// From the backward that writes a gradient to the last that reads it.
  [[nodiscard]] std::vector<lifetime> gradient_spans() const {
    std::vector<lifetime> spans(plan_.gradients.size());
    for (int i = 0; i < nodes(); ++i)
      for (const int g : plan_.nodes[at(i)].input_grads)
        if (g >= 0)
          spans[at(g)].first = spans[at(g)].last = time_.backward(i);
    for (int i = 0; i < nodes(); ++i) {
      const auto& own = plan_.nodes[at(i)];
      const int last = own.run == nullptr ? time_.end() : time_.weight(i);
      for (const int g : {own.output_grad, own.other_output_grad})
        if (g >= 0)
          spans[at(g)].last = last;
    }
    return spans;
  }

  // -- workspaces -------------------------------------------------------------

  void add_workspaces() {
    for (int i = 0; i < nodes(); ++i) {
      const auto& own = plan_.nodes[at(i)];
      const auto bytes = own.needs.workspace_bytes;
      if (bytes == 0)
        continue;
      const int first = time_.forward(i);
      const int last = own.has_backward ? time_.weight(i) : first;
      const bool is_kept = keeps_workspace(i);
      add_room({tenant::workspace, i}, bytes, first, is_kept ? last : first);
      if (is_repeated_[at(i)] && !is_kept)
        add_room({tenant::workspace_again, i}, bytes, time_.again(i),
                 own.has_backward ? last : time_.again(i));
    }
  }

  const stage_plan& plan_;
  timeline time_;
  std::vector<std::vector<int>> takers_;
  std::vector<bool> is_kept_;
  std::vector<bool> is_repeated_;
  std::vector<room> rooms_;
};

constexpr std::array all_arenas{arena_kind::microbatch, arena_kind::shared,
                                arena_kind::halves};

void put(stage_plan& plan, std::pair<tenant, int> who, arena_place where) {
  const auto [what, index] = who;
  switch (what) {
  case tenant::value:
    plan.values[at(index)].place = where;
    return;
  case tenant::value_again:
    plan.values[at(index)].again = where;
    return;
  case tenant::gradient:
    plan.gradients[at(index)].place = where;
    return;
  case tenant::workspace:
    plan.nodes[at(index)].workspace = where;
    return;
  case tenant::workspace_again:
    plan.nodes[at(index)].workspace_again = where;
    return;
  }
}

/// The rooms that lie in one arena.
std::vector<const room*> rooms_in(const room_maker& from, arena_kind which) {
  std::vector<const room*> found;
  for (const auto& each : from.rooms())
    if (from.arena_of(each) == which)
      found.push_back(&each);
  return found;
}

std::vector<lifetime> spans_of(const std::vector<const room*>& rooms) {
  std::vector<lifetime> made;
  made.reserve(rooms.size());
  for (const auto* each : rooms)
    made.push_back(each->span);
  return made;
}

// -- segments -----------------------------------------------------------------

/// Searches for the borders, beginning with segments of about equal stash and
/// then one border more or less at a time.
class segment_search {
public:
  explicit segment_search(const stage_plan& plan)
    : plan_{plan}, crossings_{count_crossings()} {}

  std::vector<int> run() {
    consider({0});
    const auto whole = stash_between(0, nodes());
    for (int parts = 2; parts <= most_parts; ++parts)
      consider(equal_segments(whole / parts));
    while (improve() && tries_ < most_tries) {}
    return best_;
  }

private:
  static constexpr int most_parts = 16;
  static constexpr int most_tries = 2000;
  /// A border keeps no more values: blocks have two at most, but for joins.
  static constexpr int most_crossings = 2;

  [[nodiscard]] int nodes() const {
    return static_cast<int>(plan_.nodes.size());
  }

  /// By position, the values of the stage that are made before it and taken
  /// from it on.
  [[nodiscard]] std::vector<int> count_crossings() const {
    std::vector<int> last(plan_.nodes.size(), -1);
    for (int i = 0; i < nodes(); ++i)
      for (const int input : plan_.nodes[at(i)].inputs)
        last[at(input)] = i;
    std::vector<int> found(plan_.nodes.size());
    for (int i = 0; i < nodes(); ++i)
      for (int p = i + 1; p <= last[at(i)]; ++p)
        found[at(p)] += plan_.values[at(i)].is_external ? 0 : 1;
    return found;
  }

  [[nodiscard]] std::int64_t stash_between(int first, int end) const {
    std::int64_t bytes = 0;
    for (int i = first; i < end; ++i)
      if (!plan_.values[at(i)].is_external)
        bytes += plan_.values[at(i)].type.bytes()
                 + plan_.nodes[at(i)].needs.workspace_bytes;
    return bytes;
  }

  /// Borders where one value crosses, as soon as a segment has so much.
  [[nodiscard]] std::vector<int> equal_segments(std::int64_t bytes) const {
    std::vector<int> made{0};
    for (int p = 1; p < nodes(); ++p)
      if (crossings_[at(p)] <= 1 && stash_between(made.back(), p) >= bytes)
        made.push_back(p);
    return made;
  }

  bool consider(const std::vector<int>& segments) {
    ++tries_;
    const auto bytes = least_stash_bytes(plan_, segments);
    if (!best_.empty() && bytes >= best_bytes_)
      return false;
    best_ = segments;
    best_bytes_ = bytes;
    return true;
  }

  bool improve() {
    bool is_better = false;
    for (int p = 1; p < nodes(); ++p)
      if (crossings_[at(p)] <= most_crossings)
        is_better |= consider(toggled(p));
    return is_better;
  }

  [[nodiscard]] std::vector<int> toggled(int position) const {
    auto made = best_;
    const auto found = std::ranges::lower_bound(made, position);
    if (found != made.end() && *found == position)
      made.erase(found);
    else
      made.insert(found, position);
    return made;
  }

  const stage_plan& plan_;
  std::vector<int> crossings_;
  std::vector<int> best_;
  std::int64_t best_bytes_ = 0;
  int tries_ = 0;
};

} // namespace

std::int64_t least_stash_bytes(const stage_plan& plan,
                               const std::vector<int>& segments) {
  const room_maker made{plan, segments};
  std::int64_t bytes = 0;
  for (const auto kind : all_arenas)
    bytes += plan.arenas(kind) * least_bytes(spans_of(rooms_in(made, kind)));
  return bytes;
}

std::vector<int> choose_segments(const stage_plan& plan) {
  if (!plan.options.recomputes || !plan.options.is_training)
    return {0};
  return segment_search{plan}.run();
}

void place_stage(stage_plan& plan, const std::vector<int>& segments) {
  const room_maker made{plan, segments};
  plan.segments = segments;
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    plan.nodes[i].is_repeated = made.is_repeated(static_cast<int>(i));
    plan.nodes[i].workspace_again.reset();
    plan.values[i].again.reset();
  }
  for (const auto kind : all_arenas) {
    const auto rooms = rooms_in(made, kind);
    const auto arena = plan_arena(spans_of(rooms));
    plan.arena_bytes[at(static_cast<int>(kind))] = arena.bytes;
    for (std::size_t i = 0; i < rooms.size(); ++i)
      for (const auto& who : rooms[i]->tenants)
        put(plan, who, {kind, arena.offsets[i]});
  }
}

} // namespace pd
