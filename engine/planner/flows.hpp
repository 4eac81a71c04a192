/// Transfers that share ports, in simulated time: a fluid, no packets.
///
/// Invariants:
///
/// (1) A flow runs at the least of its ports' shares; a port's bandwidth is
///     shared by the flows through it in proportion to their connections.
///
/// (2) Beginning or ending a flow costs O(flows at its ports).

#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace pd {

/// One direction of a port, or none.
inline constexpr int no_port = -1;

struct flow_order {
  double bytes = 0;
  int out = no_port;
  int in = no_port;
  double connections = 1;
  int tag = 0; ///< the caller's
};

/// When to look whether a flow ends; void if its number has changed since.
struct flow_end {
  int flow = 0;
  std::uint32_t number = 0;
  double time = 0;
};

class flow_table {
public:
  /// ports: bytes/s of each. `on_end` is told when to call end().
  flow_table(const std::vector<double>& ports,
             std::function<void(const flow_end&)> on_end);

  /// @pre order.bytes > 0, and it has a port
  void begin(const flow_order& order, double now);

  /// True if the flow ends now: it is over then, and `tag` its tag. If it has
  /// become slower since, on_end is told anew.
  bool end(const flow_end& at, int& tag);

private:
  struct flow {
    flow_order order;
    double left_bytes = 0;
    double rate = 0;   ///< bytes/s
    double since = 0;  ///< of left_bytes
    double looked = 0; ///< when end() is to come; never after its end
    std::uint32_t number = 0;
  };

  struct port {
    double bytes_per_s = 0;
    double connections = 0;
    std::vector<int> flows;
  };

  void join(int which, int added);
  void leave(int which, int left);
  void retime(int which, double now);
  void retime_flow(int which, double now);
  [[nodiscard]] double share_at(int which, const flow_order& of) const;

  std::vector<port> ports_;
  std::vector<flow> flows_;
  std::vector<int> unused_;
  std::function<void(const flow_end&)> on_end_;
};

} // namespace pd
