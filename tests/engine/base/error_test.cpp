#include "engine/base/error.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <set>

using namespace pd;

namespace {

result<int> half(int x) {
  if (x % 2 != 0)
    return error{errc::bad_value, std::to_string(x) + " is odd"};
  return x / 2;
}

result<int> quarter(int x) {
  PD_TRY(const auto once, half(x));
  PD_TRY(const auto twice, half(once));
  return twice;
}

result<void> check_even(int x) {
  PD_CHECK(half(x));
  return {};
}

result<std::unique_ptr<int>> boxed(int x) {
  PD_TRY(auto held, half(x));
  return std::make_unique<int>(held);
}

} // namespace

TEST_CASE("a result holds its value or its error", "[base][error]") {
  CHECK(*half(6) == 3);
  const auto failed = half(7);
  REQUIRE(!failed);
  CHECK(failed.failure().code == errc::bad_value);
  CHECK(failed.failure().message == "7 is odd");
}

TEST_CASE("PD_TRY hands on the first error and stops there", "[base][error]") {
  CHECK(*quarter(12) == 3);
  CHECK(quarter(7).failure().message == "7 is odd");
  CHECK(quarter(6).failure().message == "3 is odd");
}

TEST_CASE("PD_CHECK hands on an error between results of two types",
          "[base][error]") {
  CHECK(check_even(2));
  CHECK(check_even(3).failure().message == "3 is odd");
}

TEST_CASE("a result moves a value that cannot be copied", "[base][error]") {
  auto made = boxed(8);
  REQUIRE(made);
  const auto taken = *std::move(made);
  CHECK(*taken == 4);
  CHECK(!boxed(1));
}

TEST_CASE("an error says where it happened in front", "[base][error]") {
  const error inner{errc::bad_shape, "C = 3, wanted 4"};
  const auto outer = inner.within("conv1").within("resnet18");
  CHECK(outer.code == errc::bad_shape);
  CHECK(outer.message == "resnet18: conv1: C = 3, wanted 4");
}

TEST_CASE("every kind of error has a name of its own", "[base][error]") {
  std::set<std::string> names;
  for (int code = 0; code <= static_cast<int>(errc::failed); ++code)
    names.insert(to_string(static_cast<errc>(code)));
  CHECK(names.size() == std::size_t{1} + static_cast<int>(errc::failed));
  CHECK(names.contains("out_of_memory"));
  CHECK(!names.contains("unknown errc"));
}
