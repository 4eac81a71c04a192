#include "tests/support/op_checks.hpp"

#include "tests/support/compare.hpp"
#include "tests/support/difference_quotient.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

namespace pd {

namespace {

constexpr double near_f32 = 1e-5;
constexpr double near_bf16 = 2e-2;

double nearness(const op_variant& how) {
  return how.activation == dtype::f32 ? near_f32 : near_bf16;
}

void check_near(const std::string& what, const host_tensor& got,
                const host_tensor& wanted, double relative) {
  INFO(what);
  CHECK(got.extents == wanted.extents);
  CHECK_THAT(
    first_difference(got.values, wanted.values, wanted.extents, relative),
    Catch::Equals(""));
}

host_tensor doubled(host_tensor values) {
  for (auto& x : values.values)
    x *= 2;
  return values;
}

void check_forward(op_harness& of, const op_case& wanted,
                   const op_variant& how) {
  check_near("output", of.output(), wanted.output, nearness(how));
  for (const auto& [suffix, values] : wanted.statistics)
    check_near(suffix, of.parameter(suffix), values, nearness(how));
}

void check_input_grads(op_harness& of, const op_case& wanted,
                       const op_variant& how, int unwanted = -1) {
  if (how.is_plain_input || !how.needs_input_grad)
    return;
  for (std::size_t i = 0; i < wanted.inputs.size(); ++i) {
    const auto name = "input" + std::to_string(i);
    if (static_cast<int>(i) != unwanted && wanted.grads.contains(name))
      check_near("gradient of " + name, of.input_grad(static_cast<int>(i)),
                 wanted.grads.at(name), nearness(how));
  }
}

void check_weight_grads(op_harness& of, const op_case& wanted,
                        const op_variant& how, bool is_twice = false) {
  for (const auto& [suffix, values] : wanted.parameters)
    if (wanted.grads.contains(suffix)) {
      const auto& grad = wanted.grads.at(suffix);
      check_near("gradient of " + suffix, of.parameter_grad(suffix),
                 is_twice ? doubled(grad) : grad, nearness(how));
    }
}

void check_all(op_harness& of, const op_case& wanted, const op_variant& how,
               const call_mode& mode) {
  of.forward(mode);
  check_forward(of, wanted, how);
  if (!wanted.is_training)
    return;
  of.backward_input(wanted.output_grad, mode);
  check_input_grads(of, wanted, how, mode.unwanted_input_grad);
  of.backward_weight();
  check_weight_grads(of, wanted, how);
  of.backward_weight(true);
  check_weight_grads(of, wanted, how, true);
}

/// Everything that a run computes, one after another.
std::vector<float> all_results(const op_case& of, const op_variant& how) {
  op_harness run{of, how};
  run.forward();
  auto found = run.output().values;
  if (!of.is_training)
    return found;
  run.backward_input(of.output_grad);
  run.backward_weight();
  const auto append = [&](const host_tensor& more) {
    found.insert(found.end(), more.values.begin(), more.values.end());
  };
  for (std::size_t i = 0; i < of.inputs.size(); ++i)
    if (of.grads.contains("input" + std::to_string(i)) && how.needs_input_grad
        && !how.is_plain_input)
      append(run.input_grad(static_cast<int>(i)));
  for (const auto& [suffix, values] : of.parameters)
    if (of.grads.contains(suffix))
      append(run.parameter_grad(suffix));
  return found;
}

/// Another microbatch goes through the kernel between the two passes of ours,
/// with memory of its own.
void check_interleaved(const op_case& of, const op_variant& how) {
  op_harness run{of, how};
  run.forward();
  run.forward_another(of);
  run.backward_input(of.output_grad);
  check_input_grads(run, of, how);
  run.backward_weight();
  check_weight_grads(run, of, how);
}

} // namespace

void check_case(const op_case& of, const op_variant& how) {
  INFO(of.op << " " << of.name << ": " << to_string(how));
  const auto in_mode = [&](const std::string& name, const call_mode& mode) {
    INFO(name);
    op_harness run{of, how};
    check_all(run, of, how, mode);
  };
  in_mode("as it comes", {});
  in_mode("in place", {.is_in_place = true});
  if (of.is_training) {
    in_mode("two output gradients", {.splits_output_grad = true});
    in_mode("two output gradients, in place",
            {.is_in_place = true, .splits_output_grad = true});
    for (std::size_t i = 0; i < of.inputs.size(); ++i)
      in_mode("without the gradient of input " + std::to_string(i),
              {.unwanted_input_grad = static_cast<int>(i)});
    check_interleaved(of, how);
  }
  CHECK(all_results(of, how) == all_results(of, how));
}

void check_goldens(const std::string& op) {
  const auto cases = golden_cases(op);
  CHECK(cases.size() >= 6);
  for (const auto& each : cases)
    for (const auto activation : {dtype::f32, dtype::bf16})
      for (const auto order :
           {layout::blocked8, layout::blocked16, layout::channels_last}) {
        op_variant how{.activation = activation, .order = order};
        check_case(each, how);
        how.needs_input_grad = false;
        check_case(each, how);
      }
}

// -- the difference quotient -------------------------------------------------

namespace {

std::vector<float> random_direction(std::size_t elems,
                                    const std::string& name) {
  std::vector<float> made(elems);
  for (std::size_t i = 0; i < elems; ++i)
    made[i] = normal(make_random_key(7, name), i);
  return made;
}

/// Goldens are coarse numbers with ties among them, where a maximum has no
/// slope: moves them apart.
void move_apart(host_tensor& x) {
  if (x.type != dtype::f32)
    return;
  const auto by = random_direction(x.values.size(), "apart");
  for (std::size_t i = 0; i < x.values.size(); ++i)
    x.values[i] += 0.01F * by[i];
}

/// Of a loss only the first element is differentiated.
std::vector<float> outer_grad(const op_case& of) {
  if (!of.output_grad.values.empty())
    return of.output_grad.values;
  std::vector<float> only_loss(of.output.values.size(), 0);
  only_loss[0] = 1;
  return only_loss;
}

/// x: the operand of `of` that moves; grad: its gradient by the kernel.
void check_slope(op_case& of, host_tensor& x, const host_tensor& grad,
                 const std::string& name, const slope_options& options) {
  const auto outer = outer_grad(of);
  const auto f = [&] {
    op_harness run{of};
    run.forward();
    return dot(run.output().values, outer);
  };
  const auto v = random_direction(x.values.size(), name);
  const double slope = difference_quotient(f, x.values, v, options.h);
  const double allowed =
    options.relative * std::sqrt(dot(grad.values, grad.values));
  INFO(of.op << " " << of.name << ": along a direction of " << name
             << ", difference quotient " << slope << ", gradient "
             << dot(grad.values, v));
  CHECK(std::abs(slope - dot(grad.values, v)) <= allowed);
}

} // namespace

void check_difference_quotients(const std::string& op,
                                const slope_options& options) {
  for (auto& each : golden_cases(op)) {
    if (!each.is_training)
      continue;
    for (auto& x : each.inputs)
      move_apart(x);
    op_harness run{each};
    run.forward();
    run.backward_input(each.output_grad);
    run.backward_weight();
    for (std::size_t i = 0; i < each.inputs.size(); ++i)
      if (const auto name = "input" + std::to_string(i);
          each.grads.contains(name))
        check_slope(each, each.inputs[i], run.input_grad(static_cast<int>(i)),
                    name, options);
    for (auto& [suffix, values] : each.parameters)
      if (each.grads.contains(suffix))
        check_slope(each, values, run.parameter_grad(suffix), suffix, options);
  }
}

namespace {

/// By the second call of each kind; the first may start OpenMP's team.
std::int64_t allocated_by_second_calls(op_harness& run, const op_case& of) {
  run.forward();
  run.forward();
  auto found = run.allocations().ours;
  for (int i = 0; of.is_training && i < 2; ++i) {
    const bool accumulate = i == 1;
    run.backward_input(of.output_grad);
    run.backward_input(of.output_grad);
    found += run.allocations().ours;
    run.backward_weight(accumulate);
    run.backward_weight(accumulate);
    found += run.allocations().ours;
  }
  return found;
}

/// "stem: f32, blocked8: 3; ", for all that allocate.
std::string cases_that_allocate(const std::string& op) {
  std::string found;
  for (const auto& each : golden_cases(op))
    for (const auto activation : {dtype::f32, dtype::bf16}) {
      const op_variant how{.activation = activation};
      op_harness run{each, how};
      if (const auto count = allocated_by_second_calls(run, each); count > 0)
        found += each.name + ": " + to_string(how) + ": "
                 + std::to_string(count) + "; ";
    }
  return found;
}

} // namespace

void check_allocates_nothing(const std::string& op) {
  if (!counts_allocations()) {
    WARN("this build cannot count allocations");
    return;
  }
  CHECK_THAT(cases_that_allocate(op), Catch::Equals(""));
}

std::string refusal(const std::string& op, const attributes& settings,
                    const std::vector<shape>& inputs) {
  const auto made = all_ops().make_op({"x", op, settings, {}});
  if (!made) // "node 'x': ..."
    return made.failure().message.substr(std::string{"node 'x': "}.size());
  const auto inferred = (*made)->infer(inputs);
  return inferred ? "" : inferred.failure().message;
}

} // namespace pd
