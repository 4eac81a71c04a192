#include "engine/schedule/action.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

action cell_of(const std::string& text) {
  const auto made = parse_action(text);
  if (!made)
    FAIL(made.failure().message);
  return *made;
}

row cells_of(const std::string& text) {
  auto made = parse_row(text);
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

std::string refusal_of(const std::string& text) {
  const auto made = parse_row(text);
  return made ? "none" : made.failure().message;
}

} // namespace

TEST_CASE("each kind of action has its letter", "[schedule][action]") {
  CHECK(cell_of("F3") == action{0, act::forward, 3, 0});
  CHECK(cell_of("B3") == action{0, act::backward, 3, 0});
  CHECK(cell_of("I3") == action{0, act::input, 3, 0});
  CHECK(cell_of("W3") == action{0, act::weight, 3, 0});
  CHECK(cell_of("U5") == action{0, act::update, 5, 5});
  CHECK(cell_of("E3") == action{0, act::evaluate, 3, 0});
  CHECK(cell_of("12F345") == action{12, act::forward, 345, 0});
  CHECK(cell_of("F3@2") == action{0, act::forward, 3, 2});
}

TEST_CASE("a cell prints as what it was read from", "[schedule][action]") {
  for (const auto* text : {"F0", "B3", "I3", "W12", "U5", "E3", "1F3", "F3@2",
                           "7W4@3", "F123456789012345678"})
    CHECK(to_string(cell_of(text), 0) == text);
  CHECK(to_string(action{1, act::forward, 3, 2}) == "1F3");
}

TEST_CASE("a version is written only where it is not the newest",
          "[schedule][action]") {
  const row cells{{0, act::forward, 0, 0},  {0, act::backward, 0, 0},
                  {0, act::update, 1, 1},   {0, act::forward, 1, 1},
                  {0, act::backward, 1, 0}, {1, act::forward, 0, 0}};
  CHECK(to_string(cells) == "F0 B0 U1 F1 B1@0 1F0");
  CHECK(cells_of("F0 B0 U1 F1 B1@0 1F0") == cells);
}

TEST_CASE("a row is read with any spaces between cells, and may be empty",
          "[schedule][action]") {
  CHECK(cells_of("  F0   B0 ") == cells_of("F0 B0"));
  CHECK(cells_of("").empty());
  CHECK(to_string(row{}).empty());
}

TEST_CASE("a bad cell is refused with its column and what was wanted",
          "[schedule][action]") {
  CHECK(refusal_of("F0 X1")
        == "column 4: wanted one of F B I W U E, found 'X'");
  CHECK(refusal_of("F0 f1")
        == "column 4: wanted one of F B I W U E, found 'f'");
  CHECK(refusal_of("F") == "column 2: wanted a microbatch, found the end");
  CHECK(refusal_of("U") == "column 2: wanted a version, found the end");
  CHECK(refusal_of("F-1") == "column 2: wanted a microbatch, found '-'");
  CHECK(refusal_of("F0,B0") == "column 3: wanted a space, found ','");
  CHECK(refusal_of("F0@") == "column 4: wanted a version, found the end");
  CHECK(refusal_of("U1@1") == "column 3: wanted a space, found '@'");
  CHECK(refusal_of("12")
        == "column 3: wanted one of F B I W U E, found the end");
  CHECK(refusal_of("2000F1")
        == "column 1: wanted a chunk of at most 1023, found '2'");
  CHECK(refusal_of("F1234567890123456789")
        == "column 2: wanted a microbatch of at most 18 digits, found '1'");
  CHECK(parse_action("F0 B0").failure().message
        == "column 3: wanted the end, found ' '");
  CHECK(parse_row("F0 X", 11).failure().message
        == "column 14: wanted one of F B I W U E, found 'X'");
}
