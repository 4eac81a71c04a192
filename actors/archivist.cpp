#include "actors/archivist.hpp"

#include "engine/train/checkpoints.hpp"

#include <caf/typed_event_based_actor.hpp>

namespace pd {

namespace {

void add_shard(const shard_stored& from, int shards, checkpoint_manifest& to) {
  to.moments = from.moments;
  to.shards.push_back({shard_file(from.shard, shards), from.bytes, from.hash});
  for (const auto& each : from.tensors)
    to.tensors.push_back({each.name, shape{each.extents},
                          static_cast<tensor_kind>(each.kind), from.shard,
                          each.updates});
}

} // namespace

archivist::archivist(archivist_actor::pointer self, archivist_options options)
  : self_{self}, is_{std::move(options)} {}

archivist::~archivist() {
  is_.store->abandon();
}

archivist_actor::behavior_type archivist::make_behavior() {
  return {[this](const save_checkpoint& order) { begin(order); },
          [this](const end_checkpoint& order) { tell_end(end(order)); }};
}

/// (1)
void archivist::begin(const save_checkpoint& order) {
  at_ = {order.epoch, order.samples};
  const auto folder = is_.store->begin(at_);
  if (folder)
    answer(checkpoint_begun{*folder});
  else
    tell_end(folder);
}

result<std::string> archivist::end(const end_checkpoint& order) {
  auto manifest = describe_checkpoint(*is_.all, at_);
  for (const auto& each : order.shards) {
    if (!each.why.empty()) {
      is_.store->abandon();
      return error{errc::io, each.why};
    }
    add_shard(each, static_cast<int>(order.shards.size()), manifest);
  }
  return is_.store->commit(manifest);
}

void archivist::tell_end(const result<std::string>& outcome) {
  checkpoint_ended made{at_.epoch, at_.samples, "", ""};
  (outcome ? made.path : made.why) =
    outcome ? *outcome : outcome.failure().message;
  answer(made);
}

template <class Message>
void archivist::answer(const Message& what) {
  self_->send(caf::actor_cast<coordinator_actor>(self_->current_sender()),
              what);
}

} // namespace pd
