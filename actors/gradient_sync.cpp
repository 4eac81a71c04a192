#include "actors/gradient_sync.hpp"

#include "actors/supervise.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <span>
#include <utility>

namespace pd {

namespace {

constexpr std::uint64_t statistics_tag = 0;

} // namespace

gradient_sync::gradient_sync(gradient_sync_actor::pointer self,
                             gradient_sync_options options)
  : self_{self}, is_{std::move(options)} {}

gradient_sync_actor::behavior_type gradient_sync::make_behavior() {
  return {[this](const bucket_ready& what) { reduce(what); },
          [this](const align_statistics& order) { align(order); }};
}

void gradient_sync::reduce(const bucket_ready& what) {
  is_.shown->set({.what = doing::reduces, .index = what.bucket});
  const auto& chunk = is_.chunks[static_cast<std::size_t>(what.chunk)];
  const auto& bucket = chunk.buckets[static_cast<std::size_t>(what.bucket)];
  what.ready.block();
  const std::span grads{chunk.program->weights().gradients() + bucket.first,
                        static_cast<std::size_t>(bucket.end - bucket.first)};
  check_peer(is_.group->sum(grads));
  is_.shown->set({});
  if (what.bucket + 1 == std::ssize(chunk.buckets))
    self_->send(is_.to, round_reduced{what.generation, what.chunk, what.round});
}

void gradient_sync::align(const align_statistics& order) {
  for (const auto& each : is_.chunks)
    align_chunk(*each.program);
  self_->send(is_.of, statistics_aligned{order.generation, is_.worker});
}

/// Between two passes, so nobody else touches the statistics.
void gradient_sync::align_chunk(stage_program& program) {
  const std::span statistics{
    program.weights().statistics(),
    static_cast<std::size_t>(program.plan().statistics_bytes)};
  program.work().synchronize();
  std::vector<transfer> posted;
  if (is_.group->rank() > 0)
    posted.push_back(is_.group->receive(0, statistics_tag, statistics));
  else
    for (int peer = 1; peer < is_.group->size(); ++peer)
      posted.push_back(is_.group->send(peer, statistics_tag, statistics));
  for (auto& each : posted)
    check_peer(each.wait());
}

} // namespace pd
