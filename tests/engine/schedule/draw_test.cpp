#include "engine/schedule/draw.hpp"

#include "tests/engine/schedule/every_shape.hpp"

using namespace pd;

namespace {

std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string::npos;
       at = text.find(what, at + 1))
    ++count;
  return count;
}

} // namespace

TEST_CASE("a timetable is drawn in time, a line a worker", "[schedule][draw]") {
  const auto all = generated(
    {.name = "1f1b", .shape = straight(2), .microbatches = 2, .round = 2});
  const auto run = simulate(all, balanced_costs(all.shape));
  CHECK(draw_text(all, run, 27)
        == "worker 0 F0-F1-      B0----   B1----\n"
           "worker 1    F0-B0----F1-B1----\n"
           "         0                          9\n"
           "bubble 33.33 %, most in flight on a worker 2 1\n");
}

TEST_CASE("a drawing leaves room for the names unless told otherwise",
          "[schedule][draw]") {
  const auto all = generated(
    {.name = "gpipe", .shape = straight(2), .microbatches = 2, .round = 2});
  CHECK(draw_text(all, simulate(all, balanced_costs(all.shape)))
        == "worker 0 F0--F1--            B0------B1------\n"
           "worker 1     F0--F1--B0------B1------\n"
           "         0                                   9\n"
           "bubble 33.33 %, most in flight on a worker 2 2\n");
}

TEST_CASE("a drawing that is too narrow keeps to its columns",
          "[schedule][draw]") {
  const auto all = generated(
    {.name = "gpipe", .shape = straight(3), .microbatches = 64, .round = 64});
  const auto text =
    draw_text(all, simulate(all, balanced_costs(all.shape)), 20);
  CHECK(text.find('\n') <= 29);
}

TEST_CASE("a picture has a bar for every action and a legend of its kinds",
          "[schedule][draw]") {
  const auto all = generated({.name = "zero-bubble",
                              .shape = straight(4),
                              .microbatches = 8,
                              .round = 8});
  const auto run = simulate(all, balanced_costs(all.shape));
  const auto svg = draw_svg(all, run);
  CHECK(svg.substr(0, 5) == "<svg ");
  CHECK(svg.substr(svg.size() - 7) == "</svg>\n");
  CHECK(count_of(svg, "<title>F") == 32);
  CHECK(count_of(svg, "<title>I") == 32);
  CHECK(count_of(svg, "<title>W") == 32);
  CHECK(count_of(svg, "<title>U1") == 4);
  CHECK(svg.find(">input half</text>") != std::string::npos);
  CHECK(svg.find(">backward</text>") == std::string::npos);
  CHECK(svg.find(">worker 3</text>") != std::string::npos);
  CHECK(svg.find("<title>F0: 0 to 1</title>") != std::string::npos);
  CHECK(count_of(svg, "<rect") == count_of(svg, "</rect>") + 1);
  CHECK(count_of(svg, "<text") == count_of(svg, "</text>"));
}

TEST_CASE("an epoch without microbatches is drawn", "[schedule][draw]") {
  const auto all =
    generated({.name = "pipedream", .shape = straight(2), .microbatches = 0});
  const auto run = simulate(all, balanced_costs(all.shape));
  CHECK(run.span == 0);
  CHECK(draw_text(all, run, 10).substr(0, 9) == "worker 0\n");
  CHECK_FALSE(draw_svg(all, run).empty());
}
