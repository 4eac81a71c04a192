/// Batch normalization where sums are hard: far means, large batches, parts
/// that threads share. The reference is computed here, in double.

#include "tests/support/compare.hpp"
#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace pd;

namespace {

host_tensor random_tensor(const shape& extents, const std::string& name,
                          float mean = 0, float deviation = 1) {
  host_tensor made{extents, {}, dtype::f32};
  const auto key = make_random_key(5, name);
  const auto elems = static_cast<std::uint64_t>(extents.elems());
  for (std::uint64_t i = 0; i < elems; ++i)
    made.values.push_back(mean + deviation * normal(key, i));
  return made;
}

op_case random_case(const shape& extents, float mean = 0, bool has_relu = false,
                    bool has_residual = false) {
  op_case made;
  made.name = to_string(extents);
  made.op = "batch_norm";
  made.settings = {{"relu", has_relu}};
  made.inputs.push_back(random_tensor(extents, "x", mean));
  if (has_residual)
    made.inputs.push_back(random_tensor(extents, "residual"));
  const shape channels{extents[1]};
  made.parameters = {{"weight", random_tensor(channels, "weight", 1)},
                     {"bias", random_tensor(channels, "bias")},
                     {"running_mean", random_tensor(channels, "mean")},
                     {"running_var", random_tensor(channels, "var", 9)},
                     {"num_batches_tracked", {{}, {3}, dtype::i64}}};
  made.output_grad = random_tensor(extents, "dy");
  return made;
}

/// Channel c of sample n, pixel i.
std::size_t place(const shape& extents, std::int64_t n, std::int64_t c,
                  std::int64_t i) {
  const auto pixels = extents.elems() / (extents[0] * extents[1]);
  return static_cast<std::size_t>((n * extents[1] + c) * pixels + i);
}

/// Calls f(index) for every element of a channel.
template <class F>
void for_channel(const shape& extents, std::int64_t c, F&& f) {
  const auto pixels = extents.elems() / (extents[0] * extents[1]);
  for (std::int64_t n = 0; n < extents[0]; ++n)
    for (std::int64_t i = 0; i < pixels; ++i)
      f(place(extents, n, c, i));
}

/// What the formulas of the paper give, without a residual. `y`: what the
/// kernel gave, which says where its ReLU cut: at 0 to the last bit of z, where
/// more precise sums may differ.
struct reference {
  std::vector<float> y, dx, dw, db;
  std::vector<double> mean, variance;
};

reference compute(const op_case& of, const std::vector<float>& y) {
  const auto& extents = of.output_grad.extents;
  const auto& x = of.inputs[0].values;
  const auto n = static_cast<double>(extents.elems() / extents[1]);
  const bool has_relu = std::get<bool>(of.settings.at("relu"));
  reference made;
  made.y.resize(x.size());
  made.dx.resize(x.size());
  for (std::int64_t c = 0; c < extents[1]; ++c) {
    const auto at = static_cast<std::size_t>(c);
    const double w{of.parameters.at("weight").values[at]};
    const double b{of.parameters.at("bias").values[at]};
    double mean = 0;
    for_channel(extents, c, [&](auto i) { mean += double{x[i]} / n; });
    double variance = 0;
    for_channel(extents, c, [&](auto i) {
      variance += (double{x[i]} - mean) * (double{x[i]} - mean) / n;
    });
    const double inverse = 1 / std::sqrt(variance + 1e-5);
    const auto normal_of = [&](std::size_t i) {
      return (double{x[i]} - mean) * inverse;
    };
    const auto dz = [&](std::size_t i) {
      const bool is_cut = has_relu && y[i] <= 0;
      return is_cut ? 0.0 : double{of.output_grad.values[i]};
    };
    double dw = 0;
    double db = 0;
    for_channel(extents, c, [&](auto i) {
      const double z = normal_of(i) * w + b;
      made.y[i] = static_cast<float>(has_relu && z < 0 ? 0 : z);
      dw += dz(i) * normal_of(i);
      db += dz(i);
    });
    for_channel(extents, c, [&](auto i) {
      made.dx[i] = static_cast<float>(
        w * inverse * (dz(i) - db / n - normal_of(i) * dw / n));
    });
    made.dw.push_back(static_cast<float>(dw));
    made.db.push_back(static_cast<float>(db));
    made.mean.push_back(mean);
    made.variance.push_back(variance);
  }
  return made;
}

void check_near(const host_tensor& got, const std::vector<float>& wanted,
                double relative = 1e-5) {
  CHECK(first_difference(got.values, wanted, got.extents, relative) == "");
}

void check_against_reference(const op_case& of, const op_variant& how = {}) {
  INFO(of.name << ", " << to_string(how));
  op_harness run{of, how};
  run.forward();
  const auto wanted = compute(of, run.output().values);
  check_near(run.output(), wanted.y);
  run.backward_input(of.output_grad);
  check_near(run.input_grad(0), wanted.dx);
  run.backward_weight();
  check_near(run.parameter_grad("weight"), wanted.dw);
  check_near(run.parameter_grad("bias"), wanted.db);
}

} // namespace

TEST_CASE("a mean far above the deviation costs batch_norm no accuracy",
          "[ops][batch_norm]") {
  for (const float mean : {30.0F, -1000.0F, 4000.0F})
    for (const auto order :
         {layout::blocked8, layout::blocked16, layout::channels_last})
      check_against_reference(random_case({4, 11, 9, 13}, mean),
                              {.order = order});
}

TEST_CASE("batch_norm is right where the first rows are unlike the rest",
          "[ops][batch_norm]") {
  auto of = random_case({2, 8, 40, 40}, 500);
  for (std::int64_t c = 0; c < 8; ++c)
    for (std::int64_t i = 0; i < 256; ++i)
      of.inputs[0].values[place({2, 8, 40, 40}, 0, c, i)] = 0;
  check_against_reference(of);
}

TEST_CASE("batch_norm is right for large images and for many small ones",
          "[ops][batch_norm]") {
  for (const auto& extents :
       {shape{1, 9, 67, 61}, shape{3, 16, 60, 60}, shape{150, 10, 2, 3},
        shape{16, 40, 7, 7}, shape{2, 64, 130, 130}})
    for (const bool has_relu : {false, true})
      check_against_reference(random_case(extents, 1, has_relu));
}

TEST_CASE("batch_norm takes rows of features", "[ops][batch_norm]") {
  for (const auto& extents : {shape{6, 13}, shape{3, 1}, shape{300, 5}})
    for (const bool has_relu : {false, true})
      check_against_reference(random_case(extents, 2, has_relu));
}

TEST_CASE("batch_norm gives the same bits for any number of threads",
          "[ops][batch_norm]") {
  for (const auto& extents :
       {shape{2, 8, 50, 50}, shape{3, 40, 9, 7}, shape{5, 3}})
    for (const bool has_residual : {false, true}) {
      const auto of = random_case(extents, 1, true, has_residual);
      const auto results = [&](int threads) {
        op_harness run{of, {.threads = threads}};
        run.forward();
        auto found = run.output().values;
        run.backward_input(of.output_grad);
        run.backward_weight();
        for (const auto& more :
             {run.input_grad(0), run.parameter_grad("weight"),
              run.parameter_grad("bias"), run.parameter("running_var")})
          found.insert(found.end(), more.values.begin(), more.values.end());
        return found;
      };
      const auto alone = results(1);
      for (const int threads : {2, 3, 5, 16})
        CHECK(results(threads) == alone);
    }
}

TEST_CASE("batch_norm moves its running statistics a step with each batch",
          "[ops][batch_norm]") {
  auto of = random_case({3, 5, 4, 4}, 2);
  of.settings["momentum"] = 0.25;
  const auto batch = compute(of, {});
  const double n = 3 * 4 * 4;
  op_harness run{of};
  auto mean = of.parameters.at("running_mean").values;
  auto variance = of.parameters.at("running_var").values;
  for (int step = 1; step <= 2; ++step) {
    run.forward();
    for (std::size_t c = 0; c < mean.size(); ++c) {
      const double unbiased = batch.variance[c] * n / (n - 1);
      mean[c] =
        static_cast<float>(0.75 * double{mean[c]} + 0.25 * batch.mean[c]);
      variance[c] =
        static_cast<float>(0.75 * double{variance[c]} + 0.25 * unbiased);
    }
    check_near(run.parameter("running_mean"), mean);
    check_near(run.parameter("running_var"), variance);
    CHECK(run.parameter("num_batches_tracked").values[0]
          == static_cast<float>(3 + step));
  }
}

TEST_CASE("batch_norm in evaluation leaves its statistics and uses them",
          "[ops][batch_norm]") {
  auto of = random_case({2, 5, 4, 4}, 1000);
  of.is_training = false; // the harness then holds all parameters constant
  of.parameters.at("running_mean") = random_tensor({5}, "far", 1000);
  op_harness run{of};
  run.forward();
  std::vector<float> wanted(of.inputs[0].values.size());
  for (std::int64_t c = 0; c < 5; ++c)
    for_channel(of.output_grad.extents, c, [&](auto i) {
      const auto at = static_cast<std::size_t>(c);
      const auto value = [&](const char* name) {
        return double{of.parameters.at(name).values[at]};
      };
      const double deviation = std::sqrt(value("running_var") + 1e-5);
      wanted[i] = static_cast<float>(
        (double{of.inputs[0].values[i]} - value("running_mean")) / deviation
          * value("weight")
        + value("bias"));
    });
  check_near(run.output(), wanted);
}

TEST_CASE("a number that is none goes through batch_norm and its relu",
          "[ops][batch_norm]") {
  for (const bool has_residual : {false, true}) {
    auto of = random_case({2, 8, 3, 3}, 0, true, has_residual);
    of.inputs[0].values[5] = std::nanf("");
    op_harness run{of};
    run.forward();
    CHECK(std::isnan(run.output().values[0])); // the same channel
    CHECK_FALSE(std::isnan(run.output().values[9]));
  }
}

TEST_CASE("batch_norm is as right where it writes around the caches",
          "[ops][batch_norm]") {
  const auto of = random_case({4, 64, 72, 72}, 1, true); // 5 MiB
  check_against_reference(of);
}
