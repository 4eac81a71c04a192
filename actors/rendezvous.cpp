#include "actors/rendezvous.hpp"

#include "actors/supervise.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace pd {

// -- the actor ---------------------------------------------------------------

rendezvous_actor::behavior_type rendezvous::make_behavior() {
  return {[this](const set_key& order) { set(order); },
          [this](const get_key& order) { return get(order); },
          [this](const close_store& order) { close(order); }};
}

void rendezvous::set(const set_key& order) {
  values_[order.key] = order.value;
  for (auto& each : waiting_[order.key])
    each.deliver(key_value{order.value});
  waiting_.erase(order.key);
}

rendezvous::promise rendezvous::get(const get_key& order) {
  auto made = self_->make_response_promise<key_value>();
  if (const auto found = values_.find(order.key); found != values_.end())
    made.deliver(key_value{found->second});
  else if (!closed_.empty())
    made.deliver(caf::make_error(caf::sec::runtime_error, closed_));
  else
    waiting_[order.key].push_back(made);
  return made;
}

/// Answers everybody: a promise that is dropped would keep who asked waiting.
void rendezvous::close(const close_store& order) {
  closed_ = order.why;
  for (auto& [key, all] : waiting_)
    for (auto& each : all)
      each.deliver(caf::make_error(caf::sec::runtime_error, closed_));
  waiting_.clear();
}

// -- the store ---------------------------------------------------------------

result<void> actor_store::set(const std::string& key, bytes value) {
  const auto* first = reinterpret_cast<const char*>(value.data());
  std::vector<char> plain(first, first + value.size());
  const caf::scoped_actor self{in_};
  self->send(at_, set_key{key, std::move(plain)});
  return {};
}

result<rendezvous_store::bytes>
actor_store::get(const std::string& key, std::chrono::milliseconds timeout) {
  bytes value;
  result<void> done;
  const caf::scoped_actor self{in_};
  self->request(at_, timeout, get_key{key})
    .receive(
      [&](const key_value& found) {
        const auto all = std::as_bytes(std::span{found.value});
        value.assign(all.begin(), all.end());
      },
      [&](const caf::error& why) {
        done = error{errc::io, why == caf::sec::request_timeout
                                 ? "nobody set '" + key + "' within "
                                     + std::to_string(timeout.count()) + " ms"
                                 : text_of(why)};
      });
  if (!done)
    return done.failure();
  return value;
}

} // namespace pd
