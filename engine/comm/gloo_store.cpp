#include "engine/comm/gloo_store.hpp"

#include "engine/base/clock.hpp"

#include <algorithm>
#include <gloo/common/error.h>
#include <span>
#include <utility>

namespace pd {

gloo_store::gloo_store(rendezvous_store& store, std::string prefix,
                       clock::time_point deadline)
  : store_{store}, prefix_{std::move(prefix)}, deadline_{deadline} {}

void gloo_store::set(const std::string& key, const std::vector<char>& data) {
  const auto bytes = std::as_bytes(std::span{data});
  if (auto done = store_.set(prefix_ + key, {bytes.begin(), bytes.end()});
      !done)
    throw gloo::IoException{done.failure().message};
}

std::vector<char> gloo_store::get(const std::string& key) {
  auto got = store_.get(prefix_ + key, time_until(deadline_));
  if (!got)
    throw gloo::IoException{got.failure().message};
  std::vector<char> data(got->size());
  std::ranges::copy(*got, std::as_writable_bytes(std::span{data}).begin());
  return data;
}

void gloo_store::wait(const std::vector<std::string>& keys) {
  for (const auto& each : keys)
    (void)get(each);
}

void gloo_store::wait(const std::vector<std::string>& keys,
                      const std::chrono::milliseconds&) {
  wait(keys);
}

} // namespace pd
