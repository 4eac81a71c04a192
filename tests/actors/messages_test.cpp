#include "actors/messages.hpp"

#include "actors/remoting.hpp"

#include <caf/actor_system.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/message.hpp>
#include <catch2/catch.hpp>

#include <vector>

using namespace pd;

namespace {

/// What another process would get; an error if it cannot be sent.
template <class Message>
caf::expected<caf::message> sent(caf::actor_system& in, Message what) {
  std::vector<char> wire;
  caf::binary_serializer sink{in, wire};
  const auto before = caf::make_message(std::move(what));
  if (auto failure = sink(before))
    return failure;
  caf::message after;
  caf::binary_deserializer source{in, wire};
  if (auto failure = source(after))
    return failure;
  return after;
}

/// CAF says so on stderr, and sends an empty message.
template <class Message>
bool is_refused(caf::actor_system& in, Message what) {
  const auto got = sent(in, std::move(what));
  return !got || got->empty();
}

} // namespace

TEST_CASE("a message that holds a handle cannot leave its process",
          "[actors][messages]") {
  engine_config config;
  caf::actor_system here{config};
  CHECK(is_refused(here, activation{}));
  CHECK(is_refused(here, gradient{}));
  CHECK(is_refused(here, batch{}));
  CHECK(is_refused(here, bucket_ready{}));
}

TEST_CASE("an order to a worker arrives whole in another process",
          "[actors][messages]") {
  engine_config config;
  caf::actor_system here{config};
  const auto order = sent(
    here, deploy_worker{3, "name = 'x'", "kept", 640, 64, nullptr, nullptr});
  REQUIRE(order);
  REQUIRE(order->match_elements<deploy_worker>());
  const auto& got = order->get_as<deploy_worker>(0);
  CHECK(got.worker == 3);
  CHECK(got.job == "name = 'x'");
  CHECK(got.resumed_from == "kept");
  CHECK(got.evaluation_samples == 64);
  const auto pass = sent(here, begin_pass{7, {2, 40, 8, false}});
  REQUIRE(pass);
  CHECK(pass->get_as<begin_pass>(0).generation == 7);
  CHECK(pass->get_as<begin_pass>(0).what.begin == 40);
  CHECK(pass->get_as<begin_pass>(0).what.microbatches == 8);
  const auto stored =
    sent(here, shard_stored{"", 1, 10, "ab", 2, {{"w", {2, 3}, 1, 12}}});
  REQUIRE(stored);
  CHECK(stored->get_as<shard_stored>(0).moments == 2);
  CHECK(stored->get_as<shard_stored>(0).tensors[0].updates == 12);
  const auto names = sent(here, weights_named{1, {"w"}, {{2, 3}}, {0}});
  REQUIRE(names);
  CHECK(names->get_as<weights_named>(0).extents[0][1] == 3);
}
