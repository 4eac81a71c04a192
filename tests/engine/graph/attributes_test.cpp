#include "engine/graph/attributes.hpp"

#include <catch2/catch.hpp>

#include <functional>

using namespace pd;

namespace {

using list = std::vector<std::int64_t>;

/// What finish() says after `read` took from `settings`.
error after(const attributes& settings,
            const std::function<void(attribute_reader&)>& read) {
  attribute_reader reader{"conv2d", settings};
  read(reader);
  const auto done = reader.finish();
  return done ? error{errc::failed, "nothing is wrong"} : done.failure();
}

} // namespace

TEST_CASE("settings that are not there get their fallback",
          "[graph][attributes]") {
  const attributes none;
  attribute_reader read{"conv2d", none};
  CHECK(read.integer("groups", 1, 1) == 1);
  CHECK(read.number("eps", 1e-5, 0, 1) == 1e-5);
  CHECK(read.flag("bias", true));
  CHECK(read.text("init", "normal", {"normal"}) == "normal");
  CHECK(read.pair("stride", {1, 2}, 1) == std::array<std::int64_t, 2>{1, 2});
  CHECK(read.finish());
}

TEST_CASE("settings are read by their type", "[graph][attributes]") {
  const attributes all{{"groups", std::int64_t{4}}, {"eps", 0.5},
                       {"p", std::int64_t{1}},      {"bias", false},
                       {"init", std::string{"b"}},  {"stride", list{2, 3}},
                       {"padding", std::int64_t{1}}};
  attribute_reader read{"conv2d", all};
  CHECK(read.integer("groups", 1, 1) == 4);
  CHECK(read.required_integer("groups", 1) == 4);
  CHECK(read.number("eps", 0, 0, 1) == 0.5);
  CHECK(read.number("p", 0, 0, 1) == 1);
  CHECK(!read.flag("bias", true));
  CHECK(read.text("init", "a", {"a", "b"}) == "b");
  CHECK(read.pair("stride", {1, 1}, 1) == std::array<std::int64_t, 2>{2, 3});
  CHECK(read.pair("padding", {0, 0}, 0) == std::array<std::int64_t, 2>{1, 1});
  CHECK(read.list("stride", 1) == list{2, 3});
  CHECK(read.finish());
}

TEST_CASE("a wrong setting says its name, wanted and got",
          "[graph][attributes]") {
  using reader = attribute_reader;
  const std::int64_t zero = 0;
  struct wrong_setting {
    attributes settings;
    std::function<void(reader&)> read;
    std::string wanted;
  };
  const wrong_setting cases[]{
    {{{"groups", zero}},
     [](reader& r) { (void)r.integer("groups", 1, 1); },
     "conv2d: groups: wanted a whole number of at least 1, got 0"},
    {{{"groups", 1.5}},
     [](reader& r) { (void)r.integer("groups", 1, 1); },
     "conv2d: groups: wanted a whole number of at least 1, got 1.5"},
    {{},
     [](reader& r) { (void)r.required_integer("out_channels", 1); },
     "conv2d: out_channels: wanted a whole number of at least 1, got nothing"},
    {{{"eps", 2.0}},
     [](reader& r) { (void)r.number("eps", 0, 0, 1); },
     "conv2d: eps: wanted a number from 0 to 1, got 2"},
    {{{"eps", std::string{"small"}}},
     [](reader& r) { (void)r.number("eps", 0, 0, 1); },
     "conv2d: eps: wanted a number from 0 to 1, got 'small'"},
    {{{"bias", std::int64_t{1}}},
     [](reader& r) { (void)r.flag("bias", true); },
     "conv2d: bias: wanted true or false, got 1"},
    {{{"init", std::string{"c"}}},
     [](reader& r) {
       (void)r.text("init", "a", {"a", "b"});
     },
     "conv2d: init: wanted one of a, b, got 'c'"},
    {{{"stride", list{1, 2, 3}}},
     [](reader& r) {
       (void)r.pair("stride", {1, 1}, 1);
     },
     "conv2d: stride: wanted one or two whole numbers of at least 1, got "
     "[1, 2, 3]"},
    {{{"stride", true}},
     [](reader& r) {
       (void)r.pair("stride", {1, 1}, 1);
     },
     "conv2d: stride: wanted one or two whole numbers of at least 1, got true"},
    {{{"extents", list{}}},
     [](reader& r) { (void)r.list("extents", 1); },
     "conv2d: extents: wanted a list of whole numbers of at least 1, got []"},
  };
  for (const auto& [settings, read, wanted] : cases) {
    const auto got = after(settings, read);
    CHECK(got.code == errc::bad_value);
    CHECK(got.message == wanted);
  }
}

TEST_CASE("a setting that nobody read is told with the nearest known one",
          "[graph][attributes]") {
  const auto got = after({{"strides", std::int64_t{1}}}, [](auto& read) {
    (void)read.integer("groups", 1, 1);
    (void)read.integer("stride", 1, 1);
  });
  CHECK(got.code == errc::unknown_name);
  CHECK(got.message
        == "conv2d: unknown attribute 'strides' (did you mean 'stride'?)");
}

TEST_CASE("of several wrong settings the first one read is told",
          "[graph][attributes]") {
  const auto got =
    after({{"a", true}, {"b", true}, {"c", true}}, [](auto& read) {
      (void)read.integer("b", 1, 1);
      (void)read.integer("a", 1, 1);
    });
  CHECK(got.message
        == "conv2d: b: wanted a whole number of at least 1, got true");
}

TEST_CASE("a setting prints as it is written", "[graph][attributes]") {
  CHECK(to_string(attribute{true}) == "true");
  CHECK(to_string(attribute{std::int64_t{3}}) == "3");
  CHECK(to_string(attribute{0.25}) == "0.25");
  CHECK(to_string(attribute{std::string{"same"}}) == "'same'");
  CHECK(to_string(attribute{list{1, 2}}) == "[1, 2]");
}
