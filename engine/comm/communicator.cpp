#include "engine/comm/communicator.hpp"

#include "engine/base/assert.hpp"
#include "engine/comm/chain_sum.hpp"
#include "engine/comm/segmented_sum.hpp"

namespace pd {

namespace {

result<void> wait_all(std::span<transfer> all) {
  for (auto& each : all)
    PD_CHECK(each.wait());
  return {};
}

} // namespace

communicator::communicator(int rank, int size, std::int64_t segment_bytes,
                           const sum_loads& loads)
  : rank_{rank}, size_{size}, segment_bytes_{segment_bytes}, loads_{loads} {
  PD_ASSERT(rank >= 0 && rank < size);
  PD_ASSERT(segment_bytes > 0 && segment_bytes % 4 == 0);
}

void communicator::check_peer(int peer) const {
  PD_ASSERT(peer >= 0 && peer < size_);
  PD_ASSERT(peer != rank_);
}

transfer communicator::receive(int from, std::uint64_t tag,
                               std::span<std::byte> into) {
  check_peer(from);
  return post_receive({from, rank_, traffic::user, tag}, {into.size(), 0},
                      into.data());
}

transfer communicator::send(int to, std::uint64_t tag,
                            std::span<const std::byte> from) {
  check_peer(to);
  return post_send({rank_, to, traffic::user, tag}, {from.size(), 0},
                   from.data());
}

result<void> communicator::end_collective(result<void> outcome) {
  if (!outcome)
    close_with(outcome.failure().within("closed"));
  return outcome;
}

result<void> communicator::sum(std::span<float> data) {
  const auto tag = collectives_++;
  return end_collective(route_of(data.size_bytes()) == sum_route::chain
                          ? chain_sum{*this, data, tag}.run()
                          : segmented_sum{*this, data, tag}.run());
}

transfer communicator::receive_of_sum(int from, traffic kind, std::uint64_t tag,
                                      std::span<float> into,
                                      std::size_t whole_bytes) {
  return post_receive({from, rank_, kind, tag},
                      {into.size_bytes(), whole_bytes},
                      std::as_writable_bytes(into).data());
}

transfer communicator::send_of_sum(int to, traffic kind, std::uint64_t tag,
                                   std::span<const float> from,
                                   std::size_t whole_bytes) {
  return post_send({rank_, to, kind, tag}, {from.size_bytes(), whole_bytes},
                   std::as_bytes(from).data());
}

sum_route communicator::route_of(std::size_t bytes) const {
  return best_sum_route(loads_, static_cast<std::int64_t>(bytes),
                        segment_bytes_);
}

result<void> communicator::barrier() {
  auto all = post_barrier(collectives_++);
  return end_collective(wait_all(all)); // and only then do they go
}

std::vector<transfer> communicator::post_barrier(std::uint64_t tag) {
  std::vector<transfer> all;
  for (int peer = 0; peer < size_; ++peer)
    if (peer != rank_) {
      all.push_back(
        post_receive({peer, rank_, traffic::barrier, tag}, {}, nullptr));
      all.push_back(
        post_send({rank_, peer, traffic::barrier, tag}, {}, nullptr));
    }
  return all;
}

} // namespace pd
