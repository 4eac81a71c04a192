#include "ops/cpu/convert.hpp"

#include "tests/support/allocation_counter.hpp"

#include <catch2/catch.hpp>

#include <bit>
#include <limits>
#include <memory>
#include <vector>

using namespace pd;

namespace {

/// Ties, carries into the exponent, NaNs whose upper half says nothing,
/// infinities, denormals, and whatever else 32 bits hold.
std::vector<float> all_kinds() {
  std::vector<float> made;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32U); bits += 65521)
    made.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  for (const std::uint32_t bits :
       {0x3f808000U, 0x3f818000U, 0x3f808001U, 0x7f7fffffU, 0x7f800001U,
        0xff800001U, 0x7f800000U, 0x00000001U, 0x80000000U})
    made.push_back(std::bit_cast<float>(bits));
  return made;
}

} // namespace

TEST_CASE("narrow rounds as bf16 does, NaNs included", "[ops][convert]") {
  const auto wide = all_kinds();
  std::vector<bf16> got(wide.size());
  cpu::narrow(wide.data(), got.data(), static_cast<std::int64_t>(wide.size()));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < wide.size(); ++i)
    wrong += got[i].bits == bf16{wide[i]}.bits ? 0U : 1U;
  CHECK(wrong == 0);
}

TEST_CASE("widen is exact", "[ops][convert]") {
  std::vector<bf16> narrow(1U << 16U);
  for (std::size_t i = 0; i < narrow.size(); ++i)
    narrow[i].bits = static_cast<std::uint16_t>(i);
  std::vector<float> got(narrow.size());
  cpu::widen(narrow.data(), got.data(), static_cast<std::int64_t>(got.size()));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    wrong += std::bit_cast<std::uint32_t>(got[i]) == i << 16U ? 0U : 1U;
  CHECK(wrong == 0);
}

TEST_CASE("mask_by_positive lets a gradient through above zero only",
          "[ops][convert]") {
  const std::vector<float> y{
    -1, -0.0F, 0, 1e-30F, std::numeric_limits<float>::quiet_NaN(), 2};
  const std::vector<float> wanted{0, 0, 0, 7, 7, 7};
  std::vector<float> dy(y.size(), 7);
  cpu::mask_by_positive(dtype::f32, y.data(), dy.data(), 6);
  CHECK(dy == wanted);

  std::vector<bf16> y16(y.size());
  std::vector<bf16> dy16(y.size(), bf16{7});
  cpu::narrow(y.data(), y16.data(), 6);
  cpu::mask_by_positive(dtype::bf16, y16.data(), dy16.data(), 6);
  cpu::widen(dy16.data(), dy.data(), 6);
  CHECK(dy == wanted);
}

TEST_CASE("an allocation of ours is counted", "[ops][allocation]") {
  if (!counts_allocations())
    return;
  const allocation_counter counter;
  const auto one = std::make_unique<int>(3);
  CHECK(counter.count().ours == 1);
}
