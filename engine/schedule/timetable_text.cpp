#include "engine/base/text.hpp"
#include "engine/schedule/text_cursor.hpp"
#include "engine/schedule/timetable.hpp"

#include <limits>
#include <set>

namespace pd {

namespace {

template <class Number>
std::string list_line(const char* key, const std::vector<Number>& numbers) {
  std::string text = key;
  for (const auto each : numbers)
    text += " " + std::to_string(each);
  return text + "\n";
}

/// Numbers up to the end of the line.
template <class Number>
result<std::vector<Number>> parse_list(text_cursor& at, const char* what) {
  std::vector<Number> made;
  for (at.skip_spaces(); !at.is_at_end(); at.skip_spaces()) {
    const auto begin = at;
    PD_TRY(const auto number, at.number(what));
    if (number > std::numeric_limits<Number>::max())
      return begin.wanted(std::string{what} + " that is not so large");
    made.push_back(static_cast<Number>(number));
  }
  if (made.empty())
    return at.wanted(what);
  return made;
}

template <class Number>
result<Number> parse_only(text_cursor& at, const char* what) {
  const auto begin = at;
  PD_TRY(const auto list, parse_list<Number>(at, what));
  if (list.size() != 1)
    return begin.wanted(std::string{what} + " and no second one");
  return list[0];
}

class timetable_parser {
public:
  result<timetable> run(std::string_view text) {
    for (const auto& line : split(text, '\n')) {
      ++line_;
      const auto kept = std::string_view{line}.substr(0, line.find('#'));
      if (auto done = parse_line(kept); !done)
        return done.failure().within("line " + std::to_string(line_));
    }
    PD_CHECK(check_all_is_there());
    return std::move(made_);
  }

private:
  result<void> parse_line(std::string_view line) {
    text_cursor at{line, 1};
    at.skip_spaces();
    if (at.is_at_end())
      return {};
    const auto begin = at;
    const auto key = std::string{at.word()};
    at.skip_spaces();
    if (key == "worker")
      return parse_worker(at);
    if (!made_.rows.empty())
      return begin.wanted("the row of worker "
                          + std::to_string(made_.rows.size()));
    if (!seen_.insert(key).second)
      return begin.wanted("no second '" + key + "'");
    return parse_head(key, at, begin);
  }

  result<void> parse_head(const std::string& key, text_cursor& at,
                          const text_cursor& begin) {
    if (key == "schedule")
      return parse_name(at);
    if (key == "replicas")
      return into(made_.shape.replicas, parse_list<int>(at, "a count"));
    if (key == "chunks")
      return into(made_.shape.chunks, parse_only<int>(at, "a count"));
    if (key == "microbatches")
      return into(made_.microbatches, parse_only<std::int64_t>(at, "a count"));
    if (key == "rounds")
      return into(made_.rounds, parse_list<std::int64_t>(at, "a count"));
    if (key == "depth")
      return into(made_.depth, parse_list<int>(at, "a depth"));
    return begin.wanted("schedule, replicas, chunks, microbatches, rounds, "
                        "depth or worker");
  }

  template <class T>
  static result<void> into(T& field, result<T> parsed) {
    if (!parsed)
      return parsed.failure();
    field = *std::move(parsed);
    return {};
  }

  result<void> parse_name(text_cursor& at) {
    made_.schedule = at.word();
    if (made_.schedule.empty())
      return at.wanted("a schedule's name");
    for (at.skip_spaces(); !at.is_at_end(); at.skip_spaces())
      PD_CHECK(parse_option(at));
    return {};
  }

  result<void> parse_option(text_cursor& at) {
    const auto begin = at;
    const auto option = at.word();
    auto* flag = option == "vertical_sync"   ? &made_.vertical_sync
                 : option == "joint_updates" ? &made_.joint_updates
                                             : nullptr;
    if (flag == nullptr)
      return begin.wanted("vertical_sync or joint_updates");
    *flag = true;
    return {};
  }

  result<void> parse_worker(text_cursor& at) {
    const auto begin = at;
    PD_TRY(const auto worker, at.number("a worker"));
    if (worker != static_cast<std::int64_t>(made_.rows.size()))
      return begin.wanted("worker " + std::to_string(made_.rows.size()));
    if (!at.take(':'))
      return at.wanted("a colon");
    PD_TRY(auto cells, parse_row(at.rest(), at.column()));
    made_.rows.push_back(std::move(cells));
    return {};
  }

  result<void> check_all_is_there() {
    for (const auto* key :
         {"schedule", "replicas", "microbatches", "rounds", "depth"})
      if (!seen_.contains(key))
        return error{errc::bad_value, "line " + std::to_string(line_)
                                        + ": wanted a line '" + key
                                        + "', found the end"};
    PD_CHECK(check_head(made_));
    const auto workers =
      static_cast<std::size_t>(placement{made_.shape}.workers());
    if (made_.rows.size() != workers)
      return error{errc::bad_value,
                   "line " + std::to_string(line_) + ": wanted the rows of "
                     + std::to_string(workers) + " workers, found "
                     + std::to_string(made_.rows.size())};
    return {};
  }

  timetable made_;
  std::set<std::string> seen_;
  std::size_t line_ = 0;
};

} // namespace

std::string to_string(const timetable& all) {
  auto text = "schedule " + all.schedule
              + (all.vertical_sync ? " vertical_sync" : "")
              + (all.joint_updates ? " joint_updates\n" : "\n");
  text += list_line("replicas", all.shape.replicas);
  if (all.shape.chunks != 1)
    text += "chunks " + std::to_string(all.shape.chunks) + "\n";
  text += "microbatches " + std::to_string(all.microbatches) + "\n";
  text += list_line("rounds", all.rounds) + list_line("depth", all.depth);
  for (std::size_t worker = 0; worker < all.rows.size(); ++worker) {
    text += "worker " + std::to_string(worker) + ":";
    if (!all.rows[worker].empty())
      text += " " + to_string(all.rows[worker]);
    text += "\n";
  }
  return text;
}

result<timetable> parse_timetable(std::string_view text) {
  return timetable_parser{}.run(text);
}

} // namespace pd
