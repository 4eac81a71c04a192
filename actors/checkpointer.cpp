#include "actors/checkpointer.hpp"

#include "actors/supervise.hpp"

#include <caf/typed_event_based_actor.hpp>

namespace pd {

namespace {

tensor_report report_of(const checkpoint_tensor& from) {
  tensor_report made{
    from.name, {}, static_cast<std::uint8_t>(from.kind), from.updates};
  for (int i = 0; i < from.extents.rank(); ++i)
    made.extents.push_back(from.extents[i]);
  return made;
}

shard_stored report_of(const result<written_shard>& from) {
  shard_stored made;
  if (!from) {
    made.why = from.failure().message;
    return made;
  }
  made.bytes = from->file.bytes;
  made.hash = from->file.hash;
  for (const auto& each : from->tensors)
    made.tensors.push_back(report_of(each));
  return made;
}

} // namespace

checkpointer::checkpointer(checkpointer_actor::pointer self,
                           checkpointer_options options)
  : self_{self},
    is_{std::move(options)},
    copied_{*is_.of},
    alone_{value_or_throw(open_device("cpu", {.threads = 1}))},
    work_{alone_->make_stream()} {}

checkpointer_actor::behavior_type checkpointer::make_behavior() {
  return {[this](const store_shard& order) { store(order); }};
}

void checkpointer::store(const store_shard& order) {
  is_.shown->set({.what = doing::copies});
  copied_.copy();
  self_->send(is_.to, shard_copied{});
  is_.shown->set({.what = doing::saves, .index = order.shard});
  shard_stored done;
  work_->run([&] {
    done = report_of(copied_.write(order.folder, order.shard, order.shards));
  });
  done.shard = order.shard;
  done.moments = is_.of->updates[0]->moments();
  self_->send(is_.to, std::move(done));
  is_.shown->set({});
}

} // namespace pd
