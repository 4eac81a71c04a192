#include "ops/tokens.hpp"

#include "ops/expect.hpp"
#include "ops/rules.hpp"

namespace pd {

namespace {

/// x: [N, C, H, W]; y: [N, H W, C], a token a pixel.
class tokens final : public op {
public:
  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override {
    PD_TRY(const auto image, one_image("tokens", inputs));
    return shape{image[0], image[2] * image[3], image[1]};
  }
};

/// x: [N, T, C]; y: [N, 1 + T, C]: a learned token, [1, 1, C], before all.
/// Paper: arXiv 2010.11929, section 3.1; so the next.
class class_token final : public op {
public:
  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override {
    PD_TRY(auto made, one_of_tokens("class_token", inputs));
    made[1] += 1;
    return made;
  }
  [[nodiscard]] std::vector<parameter>
  parameters(std::span<const shape> inputs) const override {
    return {{"", shape{1, 1, inputs[0][2]}, {}}};
  }
};

/// y = x + a learned row of tokens, [1, T, C].
class position_embedding final : public op {
public:
  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override {
    return one_of_tokens("position_embedding", inputs);
  }
  [[nodiscard]] std::vector<parameter>
  parameters(std::span<const shape> inputs) const override {
    const initializer start{initializer::kind::normal, 0, 0.02};
    return {{"", shape{1, inputs[0][1], inputs[0][2]}, start}};
  }
  [[nodiscard]] op_cost cost(std::span<const shape>,
                             const shape& output) const override {
    const auto elems = static_cast<double>(output.elems());
    return {elems, 0, elems};
  }
};

} // namespace

result<shape> take_token::infer(std::span<const shape> inputs) const {
  PD_TRY(const auto x, one_of_tokens("take_token", inputs));
  if (index_ >= x[1])
    return error{errc::bad_shape,
                 "take_token: index = " + std::to_string(index_)
                   + ", input has T = " + std::to_string(x[1])};
  return shape{x[0], x[2]};
}

made_op make_tokens(const attributes& settings) {
  attribute_reader read{"tokens", settings};
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<tokens>()};
}

made_op make_class_token(const attributes& settings) {
  attribute_reader read{"class_token", settings};
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<class_token>()};
}

made_op make_position_embedding(const attributes& settings) {
  attribute_reader read{"position_embedding", settings};
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<position_embedding>()};
}

made_op make_take_token(const attributes& settings) {
  attribute_reader read{"take_token", settings};
  const auto index = read.integer("index", 0, 0);
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<take_token>(index)};
}

} // namespace pd
