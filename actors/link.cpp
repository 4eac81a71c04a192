#include "actors/link.hpp"

#include "actors/supervise.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <span>
#include <utility>

namespace pd {

// -- out ---------------------------------------------------------------------

link_out::link_out(tensor_receiver::pointer, link_out_options options)
  : is_{std::move(options)} {}

tensor_receiver::behavior_type link_out::make_behavior() {
  return {[this](const activation& x) {
            send({cargo::activation, x.from, x.to}, x.microbatch, x.values);
          },
          [this](const gradient& x) {
            const auto what =
              x.values.empty() ? cargo::acknowledgement : cargo::gradient;
            send({what, x.from, x.to}, x.microbatch, x.values);
          }};
}

/// What has no values is a transfer of no bytes.
void link_out::send(const stage_edge& along, std::int64_t microbatch,
                    const std::vector<tensor>& values) {
  is_.shown->set(
    {.what = doing::sends, .index = microbatch, .peer = is_.to_worker});
  std::vector<transfer> posted;
  for (const auto& each : values) {
    each.ready.block();
    posted.push_back(is_.group->send(
      is_.to_worker, along.tag(),
      std::span{each.bytes(), static_cast<std::size_t>(each.type.bytes())}));
  }
  if (values.empty())
    posted.push_back(is_.group->send(is_.to_worker, along.tag(), {}));
  for (auto& each : posted)
    check_peer(each.wait());
  is_.shown->set({});
}

// -- in ----------------------------------------------------------------------

result<std::vector<link_slot>> make_slots(const stage_edge& along,
                                          const deployment& all,
                                          const stage_plan& plan,
                                          pool& memory) {
  const auto types = types_on(along, all, plan);
  std::vector<link_slot> made(static_cast<std::size_t>(slots_on(along, all)));
  for (auto& values : made)
    for (const auto& type : types) {
      PD_TRY(auto place, memory.allocate(type.bytes()));
      values.push_back({std::move(place), 0, type, {}});
    }
  return made;
}

link_in::link_in(link_in_actor::pointer self, link_in_options options)
  : self_{self}, is_{std::move(options)} {
  post_free_slots();
  self_->send(self_, receive_next{});
}

link_in_actor::behavior_type link_in::make_behavior() {
  return {[this](const begin_pass& order) { begin(order); },
          [this](const end_pass_at& order) { end_at(order); },
          [this](const receive_next&) { receive(); },
          [this](const slot_filled&) { hand_on(); }};
}

void link_in::post_free_slots() {
  for (const auto& values : is_.slots)
    if (std::ranges::none_of(
          values, [](const tensor& each) { return each.memory.is_shared(); })
        && (!values.empty() || posted_.size() < is_.slots.size()))
      post(values);
}

void link_in::post(const link_slot& values) {
  auto& made = posted_.emplace_back();
  made.values = values;
  for (const auto& each : values)
    made.transfers.push_back(is_.group->receive(
      is_.along.from_worker, is_.along.tag(),
      std::span{each.bytes(), static_cast<std::size_t>(each.type.bytes())}));
  if (values.empty())
    made.transfers.push_back(
      is_.group->receive(is_.along.from_worker, is_.along.tag(), {}));
}

void link_in::receive() {
  PD_ASSERT(!posted_.empty());
  is_.shown->set({.what = doing::receives, .peer = is_.along.from_worker});
  for (auto& each : posted_.front().transfers)
    check_peer(each.wait());
  is_.shown->set({});
  arrived_.push_back(std::move(posted_.front().values));
  posted_.pop_front();
  self_->send(self_, slot_filled{});
}

/// What belongs to the next pass waits for its begin_pass.
void link_in::hand_on() {
  while (!arrived_.empty() && !due_.empty()) {
    auto values = std::exchange(arrived_.front(), {});
    arrived_.pop_front();
    const auto [generation, microbatch] = due_.front();
    due_.pop_front();
    if (is_.along.what == cargo::activation)
      self_->send(is_.to, activation{generation, is_.along.from, is_.along.to,
                                     microbatch, std::move(values)});
    else
      self_->send(is_.to, gradient{generation, is_.along.from, is_.along.to,
                                   microbatch, std::move(values)});
  }
  waits_for_pass_ = !arrived_.empty();
  if (waits_for_pass_)
    return;
  post_free_slots();
  self_->send(self_, receive_next{});
}

/// What is still due of the pass before comes first: nobody waited for the last
/// acknowledgements.
void link_in::begin(const begin_pass& order) {
  const auto& pass =
    order.what.is_training ? is_.all->training : is_.all->evaluation;
  for (const auto microbatch : order_on(is_.along, *is_.all, *pass))
    if (microbatch < order.what.microbatches)
      due_.push_back({order.generation, microbatch});
  if (waits_for_pass_)
    hand_on();
}

void link_in::end_at(const end_pass_at& order) {
  std::erase_if(due_, [&](const due_message& each) {
    return each.generation == order.generation && each.microbatch >= order.end;
  });
}

} // namespace pd
