/// What comes from outside: images or rows of features, and labels.

#include "ops/rules.hpp"

namespace pd {

namespace {

/// f32 [N, extents...] from a data loader; or, with `activation = true`, the
/// value of another stage in the run's precision.
class input final : public op {
public:
  input(shape one, bool is_activation)
    : one_{one}, is_activation_{is_activation} {}

  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override {
    PD_ASSERT(inputs.empty());
    return one_;
  }
  [[nodiscard]] dtype output_type(dtype activation) const override {
    return is_activation_ ? activation : dtype::f32;
  }
  [[nodiscard]] bool is_source() const override { return true; }

private:
  shape one_; ///< with a batch of 1
  bool is_activation_;
};

/// i32 [N]; a sample with a label below 0 does not count.
class labels final : public op {
public:
  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override {
    PD_ASSERT(inputs.empty());
    return shape{1};
  }
  [[nodiscard]] dtype output_type(dtype) const override { return dtype::i32; }
  [[nodiscard]] bool is_source() const override { return true; }
};

} // namespace

made_op make_input(const attributes& settings) {
  attribute_reader read{"input", settings};
  const auto extents = read.list("extents", 1);
  const bool is_activation = read.flag("activation", false);
  PD_CHECK(read.finish());
  if (extents.size() + 1 > shape::max_rank)
    return error{errc::bad_value, "input: extents: wanted at most "
                                    + std::to_string(shape::max_rank - 1)
                                    + " numbers, got "
                                    + std::to_string(extents.size())};
  shape one{1};
  for (const auto each : extents)
    one.push_back(each);
  return std::unique_ptr<op>{std::make_unique<input>(one, is_activation)};
}

made_op make_labels(const attributes& settings) {
  attribute_reader read{"labels", settings};
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<labels>()};
}

} // namespace pd
