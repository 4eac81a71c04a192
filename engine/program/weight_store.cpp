#include "engine/program/weight_store.hpp"

#include <algorithm>

namespace pd {

namespace {

result<weight_version> make_version(const stage_plan& plan, device& on) {
  weight_version made;
  PD_TRY(auto f32, on.memory().allocate(plan.trainable_elems * 4));
  made.f32 = reinterpret_cast<float*>(f32.data());
  made.memory.push_back(std::move(f32));
  if (plan.has_bf16_weights) {
    PD_TRY(auto rounded, on.memory().allocate(plan.trainable_elems * 2));
    made.bf16 = rounded.data();
    made.memory.push_back(std::move(rounded));
  }
  return made;
}

} // namespace

result<std::unique_ptr<weight_store>>
weight_store::make(const stage_plan& plan, int capacity, device& on) {
  std::unique_ptr<weight_store> store{new weight_store};
  store->elems_ = plan.trainable_elems;
  for (int i = 0; i < capacity; ++i) {
    PD_TRY(auto made, make_version(plan, on));
    made.number = -i; // only version 0 is real
    store->versions_.push_back(std::move(made));
  }
  if (plan.options.is_training) {
    PD_TRY(store->gradients_, on.memory().allocate(plan.trainable_elems * 4));
  }
  PD_TRY(store->statistics_, on.memory().allocate(plan.statistics_bytes));
  return store;
}

float* weight_store::gradients() const {
  return reinterpret_cast<float*>(gradients_.data());
}

weight_version& weight_store::version(std::int64_t number) {
  const auto found =
    std::ranges::find(versions_, number, &weight_version::number);
  PD_ASSERT(found != versions_.end());
  return *found;
}

std::size_t weight_store::free_version() const {
  if (versions_.size() == 1) {
    PD_ASSERT_EQ(versions_[0].pins, 0);
    return 0;
  }
  std::size_t oldest = versions_.size();
  for (std::size_t i = 0; i < versions_.size(); ++i)
    if (i != newest_ && versions_[i].pins == 0
        && (oldest == versions_.size()
            || versions_[i].number < versions_[oldest].number))
      oldest = i;
  PD_ASSERT(oldest != versions_.size());
  return oldest;
}

weight_version& weight_store::next() {
  next_ = free_version();
  return versions_[next_];
}

void weight_store::commit() {
  versions_[next_].number = versions_[newest_].number + 1;
  newest_ = next_;
}

} // namespace pd
