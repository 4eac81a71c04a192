#include "engine/program/optimizer.hpp"

#include <cmath>

namespace pd {

result<std::unique_ptr<optimizer>>
optimizer::make(const optimizer_options& options, stage_program& program,
                const registry& ops, device& on) {
  std::unique_ptr<optimizer> made{new optimizer{options, program}};
  PD_TRY(made->rule_, ops.make_update(options.rule, on.kind()));
  for (int i = 0; i < made->rule_->moments(); ++i) {
    PD_TRY(auto moment,
           on.memory().allocate(program.plan().trainable_elems * 4));
    made->moments_.push_back(reinterpret_cast<float*>(moment.data()));
    made->memory_.push_back(std::move(moment));
  }
  return made;
}

void optimizer::resume(std::int64_t updates, std::int64_t steps) {
  program_.work().synchronize();
  updates_ = applied_ = updates;
  more_steps_ = steps - updates;
}

double optimizer::own_sum_of_squares() const {
  const auto& weights = program_.weights();
  return rule_->sum_of_squares(
    {weights.gradients(), static_cast<std::size_t>(weights.trainable_elems())});
}

double optimizer::sum_of_squares() {
  double sum = 0;
  program_.work().run([&] { sum = own_sum_of_squares(); });
  program_.work().synchronize();
  return sum;
}

void optimizer::step(double grad_scale, std::optional<double> sum_of_squares) {
  const auto cell = static_cast<std::size_t>(updates_) % queued_.size();
  done_[cell].block();
  auto& weights = program_.weights();
  auto* from = &weights.newest();
  queued_[cell] = {from, &weights.next(), updates_++, grad_scale,
                   sum_of_squares};
  weights.commit();
  program_.work().run([this] { apply(); });
  done_[cell] = program_.work().record();
}

void optimizer::apply() {
  const auto& now =
    queued_[static_cast<std::size_t>(applied_++) % queued_.size()];
  auto& weights = program_.weights();
  auto scale = now.grad_scale;
  if (options_.clip_norm > 0) {
    const auto sum =
      now.sum_of_squares ? *now.sum_of_squares : own_sum_of_squares();
    const auto norm = std::sqrt(sum) * scale;
    if (norm > options_.clip_norm)
      scale *= options_.clip_norm / (norm + 1e-6);
  }
  rule_->apply({.weights = now.from->f32,
                .new_weights = now.to->f32,
                .new_weights_bf16 = now.to->bf16,
                .grads = weights.gradients(),
                .moments = moments_,
                .elems = weights.trainable_elems(),
                .step = now.update + more_steps_ + 1,
                .lr = options_.rate.at(now.update),
                .grad_scale = scale});
}

} // namespace pd
