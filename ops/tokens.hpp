/// How an image becomes a row of tokens, and a token a row of features.

#pragma once

#include "engine/graph/op.hpp"

namespace pd {

/// x: [N, T, C]; y: [N, C], token `index` of x.
class take_token final : public op {
public:
  explicit take_token(std::int64_t index) : index_{index} {}

  [[nodiscard]] std::int64_t index() const { return index_; }

  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override;

private:
  std::int64_t index_;
};

} // namespace pd
