#include "engine/schedule/action.hpp"

#include "engine/schedule/newest_versions.hpp"
#include "engine/schedule/text_cursor.hpp"

#include <array>

namespace pd {

namespace {

constexpr std::array letters{'F', 'B', 'I', 'W', 'U', 'E'};

result<act> parse_kind(text_cursor& at) {
  for (std::size_t i = 0; i < letters.size(); ++i)
    if (at.take(letters[i]))
      return static_cast<act>(i);
  return at.wanted("one of F B I W U E");
}

/// A cell up to the space behind it, or the end; `newest` by its chunk.
result<action> parse_cell(text_cursor& at, const newest_versions& newest) {
  action made;
  const auto begin = at;
  if (at.is_at_digit()) {
    PD_TRY(const auto chunk, at.number("a chunk"));
    if (chunk > max_chunk)
      return begin.wanted("a chunk of at most " + std::to_string(max_chunk));
    made.chunk = static_cast<int>(chunk);
  }
  PD_TRY(made.kind, parse_kind(at));
  const bool is_update = made.kind == act::update;
  PD_TRY(made.index, at.number(is_update ? "a version" : "a microbatch"));
  made.version = is_update ? made.index : newest.of(made.chunk);
  if (!is_update && at.take('@')) {
    PD_TRY(made.version, at.number("a version"));
  }
  if (!at.is_at_end() && !at.is_at_space())
    return at.wanted("a space");
  return made;
}

} // namespace

char letter_of(act kind) {
  return letters[static_cast<std::size_t>(kind)];
}

std::string to_string(const action& cell) {
  auto text = cell.chunk == 0 ? std::string{} : std::to_string(cell.chunk);
  text += letter_of(cell.kind);
  return text + std::to_string(cell.index);
}

std::string to_string(const action& cell, std::int64_t newest) {
  auto text = to_string(cell);
  if (cell.kind != act::update && cell.version != newest)
    text += "@" + std::to_string(cell.version);
  return text;
}

std::string to_string(const row& cells) {
  newest_versions newest;
  std::string text;
  for (const auto& each : cells) {
    if (!text.empty())
      text += ' ';
    text += to_string(each, newest.of(each.chunk));
    newest.pass(each);
  }
  return text;
}

result<action> parse_action(std::string_view text, std::int64_t newest) {
  text_cursor at{text, 1};
  newest_versions all_newest{newest};
  PD_TRY(const auto made, parse_cell(at, all_newest));
  if (!at.is_at_end())
    return at.wanted("the end");
  return made;
}

result<row> parse_row(std::string_view text, std::size_t first_column) {
  text_cursor at{text, first_column};
  newest_versions newest;
  row made;
  for (at.skip_spaces(); !at.is_at_end(); at.skip_spaces()) {
    PD_TRY(const auto cell, parse_cell(at, newest));
    newest.pass(cell);
    made.push_back(cell);
  }
  return made;
}

} // namespace pd
