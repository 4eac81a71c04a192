/// The planner's oracle: it tries every chain of closed sets of nodes and every
/// way to spread workers over it, from the definitions in
/// docs/planning-reference.md. It shares no code with the planner but the types
/// of its input, and takes as long as it takes.

#pragma once

#include "engine/planner/cluster.hpp"
#include "engine/planner/profile.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace pd::test {

using mask = std::uint32_t; ///< a bit a node

struct bounds {
  std::string schedule = "pipedream";
  int microbatches = 0; ///< of a round; 0: it has none
  bool recompute = false;
  bool is_straight = false;
  double memory_bytes = 0; ///< 0: none
};

/// What is left of a profile: sums over sets of nodes.
class amounts {
public:
  explicit amounts(const profile& of) : of_{of} {}

  [[nodiscard]] int nodes() const { return static_cast<int>(of_.nodes.size()); }
  [[nodiscard]] mask all() const { return (mask{1} << nodes()) - 1; }
  [[nodiscard]] bool is_closed(mask set) const;
  [[nodiscard]] double forward_s(mask stage) const;
  [[nodiscard]] double backward_s(mask stage) const;
  [[nodiscard]] double update_s(mask stage) const;
  [[nodiscard]] double parameters(mask stage) const;
  [[nodiscard]] double stash(mask stage) const;
  [[nodiscard]] double crossing(mask before) const;
  [[nodiscard]] double antichain(mask before) const; ///< as PipeDream counts

private:
  [[nodiscard]] mask ancestors(int node) const;
  [[nodiscard]] mask takers(int node) const;

  const profile& of_;
};

/// A stage on `replicas` workers from `place` on.
struct trial {
  mask before = 0;
  mask after = 0;
  int place = 0;
  int replicas = 1;

  [[nodiscard]] mask nodes() const { return after & ~before; }
};

/// What a worker holds. workers: all there are.
[[nodiscard]] double held_bytes(const amounts& of, const bounds& how,
                                const trial& stage, int workers);

/// The least objective there is; infinite if there is no plan.
[[nodiscard]] double best_engine(const profile& of, const cluster& on,
                                 const bounds& how);
[[nodiscard]] double best_pipedream(const profile& of, const cluster& on,
                                    const bounds& how);

} // namespace pd::test
