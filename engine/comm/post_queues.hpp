/// What was posted and has found no counterpart yet.

#pragma once

#include "engine/comm/transfer.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>

namespace pd {

/// Queues by key; an empty one takes no memory. Thread: one at a time.
template <class Posted>
class post_queues {
public:
  void push(const transfer_key& key, Posted value) {
    queues_[key].push_back(std::move(value));
  }

  [[nodiscard]] std::optional<Posted> take_first(const transfer_key& key) {
    const auto at = queues_.find(key);
    if (at == queues_.end())
      return std::nullopt;
    auto first = std::move(at->second.front());
    at->second.pop_front();
    if (at->second.empty())
      queues_.erase(at);
    return first;
  }

  /// Removes the first that `is_meant`; false if there is none.
  template <class Predicate>
  bool remove(const transfer_key& key, Predicate is_meant) {
    const auto at = queues_.find(key);
    if (at == queues_.end())
      return false;
    auto& queue = at->second;
    const auto found = std::find_if(queue.begin(), queue.end(), is_meant);
    if (found == queue.end())
      return false;
    queue.erase(found);
    if (queue.empty())
      queues_.erase(at);
    return true;
  }

  /// Removes all that go to this rank; calls `f(posted)` for each.
  template <class Function>
  void drain(int to, Function f) {
    std::erase_if(queues_, [&](const auto& each) {
      if (each.first.to != to)
        return false;
      std::for_each(each.second.begin(), each.second.end(), f);
      return true;
    });
  }

private:
  std::map<transfer_key, std::deque<Posted>> queues_;
};

} // namespace pd
