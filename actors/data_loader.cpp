#include "actors/data_loader.hpp"

#include "actors/supervise.hpp"
#include "engine/train/oracle_runner.hpp"
#include "engine/train/worker_plan.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace pd {

data_loader::data_loader(data_loader_actor::pointer self,
                         data_loader_options options)
  : self_{self},
    is_{std::move(options)},
    reads_images_{reads_images(*is_.all, is_.worker)},
    team_{reads_images_ ? decode_threads(*is_.all) : 1},
    window_{batches_of_worker(*is_.all, is_.worker)} {}

data_loader_actor::behavior_type data_loader::make_behavior() {
  return {[this](const begin_pass& order) { begin(order); },
          [this](const end_pass_at& order) {
            if (order.generation == generation_)
              leave_out(order.end);
          },
          [this](const batches_used& used) {
            if (used.generation != generation_)
              return;
            held_ -= used.count;
            read_ahead();
          }};
}

void data_loader::begin(const begin_pass& order) {
  generation_ = order.generation;
  const bool is_training = order.what.is_training;
  from_ = is_training ? is_.training : is_.evaluation;
  const auto& pass = is_training ? is_.all->training : is_.all->evaluation;
  order_ = value_or_throw(order_of(*is_.all, is_training));
  order_->start_epoch(order.what.epoch);
  begin_ = order.what.begin;
  const auto due = reading_order(*is_.all, is_.worker, *pass);
  due_.assign(due.begin(), due.end());
  leave_out(order.what.microbatches);
  held_ = 0;
  read_ahead();
}

/// The microbatches from `end` on.
void data_loader::leave_out(std::int64_t end) {
  std::erase_if(due_, [&](auto each) { return each >= end; });
}

void data_loader::read_ahead() {
  for (; held_ < window_ && !due_.empty(); ++held_, due_.pop_front()) {
    is_.shown->set({.what = doing::reads, .index = due_.front()});
    auto value = read(due_.front());
    self_->send(is_.to,
                batch{generation_, std::move(value), from_->take_broken()});
  }
  is_.shown->set({});
}

/// A tensor of the type that nobody else holds; takes memory if there is none.
tensor data_loader::free_tensor(const tensor_type& type) {
  for (const auto& each : memory_)
    if (each.type == type && !each.memory.is_shared())
      return each;
  memory_.push_back(
    {value_or_throw(is_.memory->allocate(type.bytes())), 0, type, {}});
  return memory_.back();
}

loaded_batch data_loader::read(std::int64_t microbatch) {
  const auto indices = order_->indices(begin_ + microbatch);
  loaded_batch made{
    microbatch, static_cast<std::int64_t>(indices.size()), {}, {}};
  made.labels = free_tensor(labels_type(is_.all->what));
  const std::span labels{made.labels.data<std::int32_t>(),
                         static_cast<std::size_t>(made.labels.type.elems())};
  if (!reads_images_) {
    fill_labels(*from_, {indices}, labels);
    return made;
  }
  made.images = free_tensor(images_type(is_.all->what));
  const std::span pixels{made.images.data<float>(),
                         static_cast<std::size_t>(made.images.type.elems())};
  if (const auto done =
        team_.fill(*from_, {indices, order_->epoch()}, pixels, labels);
      !done)
    throw engine_fault{done.failure().message};
  return made;
}

} // namespace pd
