#include "engine/onnx/onnx_attributes.hpp"

#include "engine/onnx/shortest.hpp"

#include <algorithm>

namespace pd {

namespace {

constexpr std::int64_t most_pixels = 65536;

} // namespace

const onnx_attribute* onnx_attributes::find(const std::string& name) const {
  const auto found =
    std::ranges::find(from_.attributes, name, &onnx_attribute::name);
  return found == from_.attributes.end() ? nullptr : &*found;
}

bool onnx_attributes::has(const std::string& name) const {
  return find(name) != nullptr;
}

void onnx_attributes::fail(const std::string& name, const std::string& wanted) {
  if (first_)
    first_ = error{errc::bad_value, name + ": wanted " + wanted};
}

template <class T>
T onnx_attributes::read(const std::string& name, T fallback,
                        const char* wanted) {
  known_.insert(name);
  const auto* found = find(name);
  if (found == nullptr)
    return fallback;
  if (const auto* value = std::get_if<T>(&found->value))
    return *value;
  fail(name, wanted);
  return fallback;
}

std::int64_t onnx_attributes::integer(const std::string& name,
                                      std::int64_t fallback) {
  return read(name, fallback, "a whole number");
}

bool onnx_attributes::flag(const std::string& name, bool fallback) {
  const auto value = integer(name, fallback ? 1 : 0);
  if (value != 0 && value != 1)
    fail(name, "0 or 1, got " + std::to_string(value));
  return value == 1;
}

double onnx_attributes::real(const std::string& name, double fallback) {
  if (!has(name)) {
    known_.insert(name);
    return fallback;
  }
  return shortest(read(name, 0.0F, "a number"));
}

std::string onnx_attributes::text(const std::string& name,
                                  const std::string& fallback) {
  return read(name, fallback, "text");
}

std::vector<std::int64_t>
onnx_attributes::integers(const std::string& name,
                          std::vector<std::int64_t> fallback) {
  return read(name, std::move(fallback), "whole numbers");
}

const onnx_tensor* onnx_attributes::tensor(const std::string& name) {
  known_.insert(name);
  const auto* found = find(name);
  if (found == nullptr)
    return nullptr;
  const auto* value = std::get_if<onnx_tensor>(&found->value);
  if (value == nullptr)
    fail(name, "a tensor");
  return value;
}

std::array<std::int64_t, 2>
onnx_attributes::pair(const std::string& name,
                      std::array<std::int64_t, 2> fallback,
                      std::int64_t least) {
  const auto list = integers(name, {fallback.begin(), fallback.end()});
  const auto is_out = [least](std::int64_t each) {
    return each < least || each > most_pixels;
  };
  if (list.size() == 2 && !std::ranges::any_of(list, is_out))
    return {list[0], list[1]};
  fail(name, "two whole numbers from " + std::to_string(least) + " to "
               + std::to_string(most_pixels));
  return fallback;
}

result<void> onnx_attributes::finish() const {
  PD_CHECK(first_);
  for (const auto& each : from_.attributes)
    if (!known_.contains(each.name))
      return error{errc::not_supported,
                   "attribute " + shown(each.name) + " is not imported"};
  return {};
}

} // namespace pd
