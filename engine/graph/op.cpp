#include "engine/graph/op.hpp"

namespace pd {

std::string parameter::name_at(const std::string& at) const {
  return suffix.empty() ? at : at + separator + suffix;
}

void initializer::fill(std::uint64_t seed, const std::string& name,
                       std::span<float> values) const {
  const auto key = make_random_key(seed, name);
  for (std::size_t i = 0; i < values.size(); ++i)
    switch (how) {
    case kind::constant:
      values[i] = static_cast<float>(a);
      break;
    case kind::normal:
      values[i] = static_cast<float>(a + b * double{normal(key, i)});
      break;
    case kind::uniform:
      values[i] = static_cast<float>(a + (b - a) * double{uniform(key, i)});
      break;
    }
}

} // namespace pd
