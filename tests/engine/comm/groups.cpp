#include "tests/engine/comm/groups.hpp"

#include "engine/base/random.hpp"
#include "engine/comm/gloo_communicator.hpp"
#include "engine/comm/local_communicator.hpp"

#include <cmath>
#include <cstring>
#include <future>
#include <stdexcept>

namespace pd::test {

namespace {

#ifdef __SANITIZE_THREAD__ // which makes all some ten times slower
constexpr std::chrono::seconds patience{60};
#else
constexpr std::chrono::seconds patience{10};
#endif

std::unique_ptr<communicator> join(rendezvous_store& store,
                                   const gloo_options& options) {
  auto made = make_gloo_communicator(store, options);
  if (!made)
    throw std::runtime_error{made.failure().message};
  return *std::move(made);
}

/// has_machines: the lower half of the ranks on one, the others on another.
ranks make_gloo_group(int size, std::int64_t segment_bytes, bool has_machines) {
  memory_store store;
  std::vector<std::future<std::unique_ptr<communicator>>> joining;
  joining.reserve(static_cast<std::size_t>(size));
  for (int rank = 0; rank < size; ++rank)
    joining.push_back(std::async(std::launch::async, [&, rank] {
      gloo_options options;
      options.rank = rank;
      options.size = size;
      options.segment_bytes = segment_bytes;
      options.timeout = patience;
      if (has_machines)
        options.machine = 2 * rank < size ? "a" : "b";
      return join(store, options);
    }));
  ranks group;
  for (auto& each : joining)
    group.push_back(each.get());
  return group;
}

} // namespace

ranks make_group(const std::string& kind, int size,
                 std::int64_t segment_bytes) {
  return kind == "local"
           ? make_local_group(size)
           : make_gloo_group(size, segment_bytes, kind == "chain");
}

answers on_all_ranks(const ranks& group,
                     const std::function<result<void>(communicator&)>& part) {
  std::vector<std::future<std::string>> running;
  for (const auto& each : group)
    running.push_back(std::async(std::launch::async, [&part, &each] {
      const auto done = part(*each);
      return done ? std::string{} : done.failure().message;
    }));
  answers all;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (auto& each : running) {
    const bool is_late =
      each.wait_until(deadline) == std::future_status::timeout;
    if (is_late)
      for (const auto& rank : group)
        rank->close();
    all.push_back((is_late ? "LATE " : "") + each.get());
  }
  return all;
}

answers all_fine(std::size_t size) {
  return answers(size);
}

std::vector<std::byte> noise(std::size_t bytes, std::uint64_t seed) {
  std::vector<std::byte> made(bytes);
  auto state = seed * 2654435761U + 12345;
  for (auto& each : made) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    each = static_cast<std::byte>(state >> 56U);
  }
  return made;
}

std::vector<float> uneven_floats(std::size_t elems, std::uint64_t seed) {
  const auto key = make_random_key(seed, "uneven");
  std::vector<float> made(elems);
  for (std::size_t i = 0; i < elems; ++i)
    made[i] = std::ldexp(normal(key, i), static_cast<int>((i + seed) % 9) * 4);
  return made;
}

std::vector<float>
sum_from_the_left(const std::vector<std::vector<float>>& parts) {
  auto sum = parts.at(0);
  for (std::size_t r = 1; r < parts.size(); ++r)
    for (std::size_t i = 0; i < sum.size(); ++i)
      sum[i] += parts[r][i];
  return sum;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size()
         && (a.empty()
             || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

} // namespace pd::test
