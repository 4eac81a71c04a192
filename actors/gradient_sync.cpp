#include "actors/gradient_sync.hpp"

#include "engine/program/replica_sum.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <utility>

namespace pd {

gradient_sync::gradient_sync(gradient_sync_actor::pointer self,
                             gradient_sync_options options)
  : self_{self},
    is_{std::move(options)},
    replica_{is_.all->where().replica_of(is_.worker)},
    replicas_{
      is_.all->where().replicas(is_.all->where().stage_of(is_.worker))} {}

gradient_sync_actor::behavior_type gradient_sync::make_behavior() {
  return {[this](const begin_pass&) { PD_ASSERT(rounds_.empty()); },
          [this](const round_summed& own) {
            const auto chunk = static_cast<std::size_t>(own.chunk);
            tell_all(
              part_ready{own.generation, own.chunk, own.round, replica_,
                         is_.chunks[chunk].program->weights().gradients()});
          },
          [this](const part_ready& part) { add_part(part); },
          [this](const segment_reduced& done) { add_segment(done); }};
}

template <class Message>
void gradient_sync::tell_all(const Message& what) {
  for (const auto& each : *is_.syncs)
    self_->send(each, what);
}

void gradient_sync::add_part(const part_ready& part) {
  auto& round = rounds_[{part.chunk, part.round}];
  round.parts.resize(static_cast<std::size_t>(replicas_));
  round.parts[static_cast<std::size_t>(part.replica)] = part.grads;
  if (++round.parts_here < replicas_)
    return;
  const auto elems = is_.chunks[static_cast<std::size_t>(part.chunk)]
                       .program->weights()
                       .trainable_elems();
  sum_replicas(round.parts, elems * replica_ / replicas_,
               elems * (replica_ + 1) / replicas_);
  tell_all(segment_reduced{part.generation, part.chunk, part.round});
}

void gradient_sync::add_segment(const segment_reduced& done) {
  const round_key key{done.chunk, done.round};
  if (++rounds_[key].segments_done < replicas_)
    return;
  rounds_.erase(key);
  self_->send(is_.peers->stages[static_cast<std::size_t>(is_.worker)],
              round_reduced{done.generation, done.chunk, done.round});
}

} // namespace pd
