#include "ops/weight_start.hpp"

#include <cmath>

namespace pd {

namespace {

double fan_in(const shape& weight) {
  return static_cast<double>(weight.elems() / weight[0]);
}

double fan_out(const shape& weight) {
  return static_cast<double>(weight.elems() / weight[1]);
}

initializer uniform(double bound) {
  return {initializer::kind::uniform, -bound, bound};
}

initializer normal(double deviation) {
  return {initializer::kind::normal, 0, deviation};
}

} // namespace

weight_start weight_start::read(attribute_reader& from) {
  weight_start made;
  made.rule = from.text("init", made.rule,
                        {"torch_default", "kaiming_fan_out", "kaiming_fan_in",
                         "kaiming_uniform", "uniform_fan_out", "lecun_normal",
                         "xavier_uniform", "normal", "zero"});
  made.std = from.number("init_std", made.std, 0, 1e6);
  const auto* usual = made.rule == "torch_default" ? "torch_default" : "zero";
  made.bias =
    from.text("bias_init", usual, {"torch_default", "zero", "almost_zero"});
  return made;
}

result<void> weight_start::check(const std::string& op,
                                 const attributes& settings,
                                 bool has_bias) const {
  if (settings.contains("init_std") && rule != "normal")
    return error{errc::bad_value,
                 op + ": init_std: only init = 'normal' takes it, got init = '"
                   + rule + "'"};
  if (settings.contains("bias_init") && !has_bias)
    return error{errc::bad_value, op + ": bias_init: there is no bias"};
  return {};
}

initializer weight_start::of_weight(const shape& weight) const {
  if (rule == "kaiming_fan_out")
    return normal(std::sqrt(2 / fan_out(weight)));
  if (rule == "kaiming_fan_in")
    return normal(std::sqrt(2 / fan_in(weight)));
  if (rule == "kaiming_uniform")
    return uniform(std::sqrt(6 / fan_in(weight)));
  if (rule == "uniform_fan_out")
    return uniform(std::sqrt(3 / fan_out(weight)));
  if (rule == "lecun_normal")
    return normal(std::sqrt(1 / fan_in(weight)));
  if (rule == "xavier_uniform")
    return uniform(std::sqrt(6 / (fan_in(weight) + fan_out(weight))));
  if (rule == "normal")
    return normal(std);
  if (rule == "zero")
    return {};
  return uniform(1 / std::sqrt(fan_in(weight)));
}

initializer weight_start::of_bias(const shape& weight) const {
  if (bias == "zero")
    return {};
  if (bias == "almost_zero")
    return normal(1e-6);
  return uniform(1 / std::sqrt(fan_in(weight)));
}

} // namespace pd
