/// When a checkpoint is there, when it is not, and when it goes.

#include "engine/checkpoint/checkpoint_store.hpp"

#include "engine/checkpoint/checkpoint_list.hpp"
#include "tests/engine/checkpoint/small_checkpoint.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace pd;
using namespace pd::test;

namespace fs = std::filesystem;

namespace {

using names = std::vector<std::string>;

} // namespace

TEST_CASE("the newest `keep` checkpoints are kept and no other",
          "[checkpoint][store]") {
  const int keep = GENERATE(1, 2, 3);
  const scratch_folder in;
  auto store = checkpoint_store::open(in / "a/b", keep);
  REQUIRE(store);
  names wanted;
  for (std::int64_t epoch = 1; epoch <= 5; ++epoch) {
    REQUIRE(save(*store, {epoch, 0}));
    wanted.push_back(name_of({epoch, 0}));
    if (wanted.size() > static_cast<std::size_t>(keep))
      wanted.erase(wanted.begin());
    CHECK(names_in(in / "a/b") == wanted);
  }
}

TEST_CASE("a directory has one writer at a time", "[checkpoint][store]") {
  const scratch_folder in;
  {
    const auto first = checkpoint_store::open(in.path(), 1);
    REQUIRE(first);
    const auto second = checkpoint_store::open(in.path(), 1);
    REQUIRE(!second);
    CHECK_THAT(second.failure().message,
               Catch::StartsWith(in.path() + ": another process"));
  }
  CHECK(checkpoint_store::open(in.path(), 1));
}
