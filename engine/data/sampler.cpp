#include "engine/data/sampler.hpp"

#include "engine/base/assert.hpp"
#include "engine/base/random.hpp"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

namespace pd {

namespace {

std::int64_t count_microbatches(const sampler_spec& spec) {
  const auto whole = spec.samples / spec.microbatch;
  const bool has_short = spec.takes_all && spec.samples % spec.microbatch != 0;
  auto count = whole + (has_short ? 1 : 0);
  if (spec.max_microbatches != 0)
    count = std::min(count, spec.max_microbatches);
  return count / spec.round * spec.round;
}

result<void> check_at_least(const char* what, std::int64_t value,
                            std::int64_t least) {
  if (value >= least)
    return {};
  return error{errc::bad_value, std::string{"data: "} + what + " = "
                                  + std::to_string(value) + ", wants at least "
                                  + std::to_string(least)};
}

error no_round(const sampler_spec& spec) {
  return {errc::bad_value,
          "data: " + std::to_string(spec.samples) + " samples do not fill one "
            + "round of " + std::to_string(spec.round) + " microbatches of "
            + std::to_string(spec.microbatch)
            + (spec.max_microbatches != 0
                 ? " within " + std::to_string(spec.max_microbatches)
                     + " microbatches"
                 : "")};
}

} // namespace

std::int64_t round_of(std::span<const std::int64_t> rounds) {
  return std::accumulate(rounds.begin(), rounds.end(), std::int64_t{1},
                         [](auto a, auto b) { return std::lcm(a, b); });
}

void shuffle_order(std::span<std::int64_t> order, std::uint64_t seed,
                   std::int64_t epoch) {
  const auto key =
    make_random_key(seed, "shuffle", static_cast<std::uint64_t>(epoch));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::size_t i = order.size(); i-- > 1;)
    std::swap(order[i], order[uniform_below(key, i, i + 1)]);
}

result<sampler> sampler::make(const sampler_spec& spec) {
  PD_CHECK(check_at_least("samples", spec.samples, 1));
  PD_CHECK(check_at_least("microbatch", spec.microbatch, 1));
  PD_CHECK(check_at_least("round", spec.round, 1));
  PD_CHECK(check_at_least("max_microbatches", spec.max_microbatches, 0));
  if (count_microbatches(spec) == 0)
    return no_round(spec);
  return sampler{spec};
}

sampler::sampler(const sampler_spec& spec)
  : spec_{spec},
    microbatches_{count_microbatches(spec)},
    order_(static_cast<std::size_t>(spec.samples)) {
  start_epoch(0);
}

void sampler::start_epoch(std::int64_t epoch) {
  PD_ASSERT(epoch >= 0);
  epoch_ = epoch;
  if (spec_.shuffle)
    shuffle_order(order_, spec_.seed, epoch);
  else
    std::iota(order_.begin(), order_.end(), std::int64_t{0});
}

std::span<const std::int64_t> sampler::indices(std::int64_t microbatch) const {
  PD_ASSERT(microbatch >= 0 && microbatch < microbatches_);
  const auto first = microbatch * spec_.microbatch;
  const auto count = std::min(spec_.microbatch, spec_.samples - first);
  return std::span{order_}.subspan(static_cast<std::size_t>(first),
                                   static_cast<std::size_t>(count));
}

std::int64_t sampler::left_over() const {
  return std::max(std::int64_t{0},
                  spec_.samples - microbatches_ * spec_.microbatch);
}

} // namespace pd
