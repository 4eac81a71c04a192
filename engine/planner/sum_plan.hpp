/// What a sum over a stage's replicas sends through which ports of a fabric.

#pragma once

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

/// How replicas [first, first + count) sum, in the way of the fabric.
class sum_plan {
public:
  /// Keeps references.
  sum_plan(const fabric& net, const port_map& ports, int first, int count);

  /// None if links are free.
  [[nodiscard]] const std::vector<sum_flow>& flows() const { return flows_; }
  /// Of a sum of so many bytes, beside what its flows take.
  [[nodiscard]] double latency_s(double bytes) const;
  /// What a replica sends, for each byte of the sum.
  [[nodiscard]] double sent_share(int replica) const;

private:
  [[nodiscard]] reduction_kind chosen_kind() const;
  [[nodiscard]] double latency_of(int level) const;
  [[nodiscard]] std::map<int, int> count_in(int level) const;
  void plan_ring();
  void plan_chain();
  void plan_exchange();
  void add_exchange(int level, int member, double pairs);

  const fabric& net_;
  const port_map& ports_;
  int first_, count_;
  reduction_kind kind_;
  std::vector<sum_flow> flows_;
  double latency_s_ = 0;       ///< of messages that wait for each other
  double fill_s_per_byte_ = 0; ///< of a chain's segment
};

} // namespace pd
