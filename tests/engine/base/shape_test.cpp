#include "engine/base/shape.hpp"

#include <catch2/catch.hpp>

#include <sstream>

using namespace pd;

TEST_CASE("a shape counts its elements", "[base][shape]") {
  CHECK(shape{}.elems() == 1);
  CHECK(shape{7}.elems() == 7);
  CHECK(shape{2, 3, 4, 5}.elems() == 120);
  CHECK(shape{2, 0, 4}.elems() == 0);
  CHECK(shape{1 << 20, 1 << 20}.elems() == std::int64_t{1} << 40);
}

TEST_CASE("a shape prints as a list", "[base][shape]") {
  CHECK(to_string(shape{}) == "[]");
  CHECK(to_string(shape{16}) == "[16]");
  std::ostringstream out;
  out << shape{16, 64, 56, 56};
  CHECK(out.str() == "[16, 64, 56, 56]");
}

TEST_CASE("shapes are equal if rank and extents are", "[base][shape]") {
  CHECK(shape{1, 2} == shape{1, 2});
  CHECK(shape{1, 2} != shape{2, 1});
  CHECK(shape{1, 2} != shape{1, 2, 0});
  CHECK(shape{} != shape{0});
}

TEST_CASE("a shape takes six extents from a list, one by one or by index",
          "[base][shape]") {
  const std::vector<std::int64_t> extents{1, 2, 3, 4, 5, 6};
  const shape whole{extents};
  shape grown;
  for (const auto each : extents)
    grown.push_back(each);
  CHECK(whole == grown);
  CHECK(whole.rank() == shape::max_rank);
  CHECK(std::vector<std::int64_t>(whole.begin(), whole.end()) == extents);
  grown[5] = 7;
  CHECK(grown[5] == 7);
  CHECK(whole[5] == 6);
}
