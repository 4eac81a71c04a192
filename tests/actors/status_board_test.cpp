#include "actors/status_board.hpp"

#include "actors/shared_memory.hpp"

#include <catch2/catch.hpp>

#include <thread>

using namespace pd;

TEST_CASE("a status says what is done and what is waited for",
          "[actors][status_board]") {
  status_board board{4};
  auto& stage = board.add(2, role::stage);
  CHECK(board.doing_of(2) == "waits for orders");
  stage.set({.what = doing::runs, .which = {1, act::backward, 70'000}});
  CHECK(board.doing_of(2) == "runs 1B70000");
  stage.set({.what = doing::waits,
             .which = {0, act::forward, 3},
             .lack = {want::activation, 3, 65'000}});
  CHECK(board.doing_of(2)
        == "F3 waits for the activation of microbatch 3 from stage 65000");
  board.add(2, role::link_out)
    .set({.what = doing::sends, .index = 5, .peer = 9});
  REQUIRE(board.read().size() == 2);
  CHECK(to_string(board.read()[1].now) == "sends microbatch 5 to worker 9");
}

TEST_CASE("a board shows another mapping of its memory what it holds",
          "[actors][status_board]") {
  auto memory = shared_memory::make(status_board::bytes_for(2));
  REQUIRE(memory);
  status_board here{(*memory)->data(), (*memory)->bytes()};
  const status_board there{(*memory)->data(), (*memory)->bytes()};
  here.add(1, role::stage).set({.what = doing::reads, .index = 4});
  CHECK(there.doing_of(1) == "reads microbatch 4");
}

TEST_CASE("a full board shows those who came in time",
          "[actors][status_board]") {
  status_board board{1};
  board.add(0, role::stage).set({.what = doing::deploys});
  board.add(1, role::stage).set({.what = doing::deploys});
  CHECK(board.read().size() == 1);
  CHECK(board.doing_of(1) == "waits for orders");
}

TEST_CASE("a reader never sees half of a status", "[actors][status_board]") {
  status_board board{1};
  auto& place = board.add(0, role::stage);
  constexpr int writes = 20'000;
  std::thread writer{[&] {
    for (std::int64_t i = 1; i <= writes; ++i)
      place.set({.what = doing::waits,
                 .which = {0, act::forward, i},
                 .lack = {want::activation, i, 0},
                 .index = i});
  }};
  std::int64_t seen = 0;
  bool is_whole = true;
  while (seen < writes) {
    const auto now = place.read();
    is_whole &= now.which.index == now.lack.index && now.index == now.lack.index
                && now.index >= seen;
    seen = now.index;
  }
  writer.join();
  CHECK(is_whole);
}
