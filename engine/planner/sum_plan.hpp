/// What a sum over a stage's replicas sends through which ports of a fabric.

#pragma once

#include "engine/base/sum_route.hpp"
#include "engine/planner/fabric.hpp"
#include "engine/planner/flows.hpp"

#include <map>
#include <vector>

namespace pd {

/// Numbers the ports of a fabric, two for each member of each level.
class port_map {
public:
  /// Keeps a reference to `net`.
  port_map(const fabric& net, int workers);

  /// Bytes/s, by port.
  [[nodiscard]] const std::vector<double>& rates() const { return rates_; }
  [[nodiscard]] int out_of(int level, int member) const;
  [[nodiscard]] int out(int level, int worker) const;
  [[nodiscard]] int in(int level, int worker) const;

private:
  const fabric& net_;
  std::vector<int> first_; ///< by level
  std::vector<double> rates_;
};

/// What passes a port in a sum, for each byte of it. What several workers send
/// through one port ends together, so it is one flow.
struct sum_flow {
  int out = no_port;
  int in = no_port;
  double bytes = 0;
  double connections = 1;
};

/// One way of a sum.
struct sum_way {
  std::vector<sum_flow> flows; ///< none if links are free
  std::vector<double> sent;    ///< by replica, for each byte of the sum
  double latency_s = 0;        ///< of messages that wait for each other
  double fill_s_per_byte = 0;  ///< of a chain's segment

  /// Of a sum of so many bytes, beside what its flows take.
  [[nodiscard]] double delay_s(double bytes) const;
};

/// How replicas [first, first + count) sum.
class sum_plan {
public:
  /// Keeps references.
  sum_plan(const fabric& net, const port_map& ports, int first, int count);

  /// The fabric's way for so many bytes.
  [[nodiscard]] const sum_way& way_of(double bytes) const;

private:
  [[nodiscard]] std::vector<int> machines() const;
  [[nodiscard]] double latency_of(int level) const;
  [[nodiscard]] std::map<int, int> count_in(int level) const;
  [[nodiscard]] sum_way ring() const;
  [[nodiscard]] sum_way chain() const;
  [[nodiscard]] sum_way exchange() const;
  void add_exchange(sum_way& to, int level, int member, double pairs) const;

  const fabric& net_;
  const port_map& ports_;
  int first_, count_;
  sum_loads loads_;
  sum_way way_;       ///< the fabric's, or the engine's of small sums
  sum_way large_way_; ///< the engine's of large ones
};

} // namespace pd
