#include "engine/comm/gloo_communicator.hpp"

#include "engine/base/clock.hpp"
#include "engine/base/sum_route.hpp"
#include "engine/comm/gloo_group.hpp"
#include "engine/comm/gloo_mesh.hpp"
#include "engine/comm/host_address.hpp"

#include <algorithm>
#include <array>
#include <climits>
#include <gloo/transport/tcp/device.h>
#include <map>
#include <unistd.h>
#include <vector>

namespace pd {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds connect_timeout{10'000};

class gloo_communicator final : public communicator {
public:
  gloo_communicator(const gloo_options& options, const sum_loads& loads,
                    std::shared_ptr<gloo_group> group)
    : communicator{options.rank, options.size, options.segment_bytes, loads},
      group_{std::move(group)} {}
  ~gloo_communicator() override { group_->close(closed_error()); }

protected:
  transfer post_receive(const transfer_key& key, transfer_size size,
                        std::byte* into) override {
    return transfer{group_->post_receive(key, size, into)};
  }

  transfer post_send(const transfer_key& key, transfer_size size,
                     const std::byte* from) override {
    return transfer{group_->post_send(key, size, from)};
  }

  void close_with(const error& why) override { group_->close(why); }

private:
  std::shared_ptr<gloo_group> group_;
};

// -- joining ------------------------------------------------------------------

std::string rank_key(const gloo_options& options, int rank) {
  return options.prefix + "/rank" + std::to_string(rank);
}

/// What all ranks must have in common.
std::string common_text(const gloo_options& options) {
  return "size " + std::to_string(options.size) + ", segment_bytes "
         + std::to_string(options.segment_bytes);
}

result<void> check_options(const gloo_options& options) {
  if (options.size < 1 || options.rank < 0 || options.rank >= options.size)
    return error{errc::bad_value, "rank " + std::to_string(options.rank)
                                    + " of " + std::to_string(options.size)
                                    + ": there is no such rank"};
  if (options.segment_bytes < 4 || options.segment_bytes % 4 != 0)
    return error{errc::bad_value,
                 "segment_bytes = " + std::to_string(options.segment_bytes)
                   + ": wants a multiple of 4 above 0"};
  // Gloo crashes if it does not find them.
  return options.interface.empty() ? check_host(options.host)
                                   : check_interface(options.interface);
}

std::string machine_of(const gloo_options& options) {
  if (!options.machine.empty())
    return options.machine;
  if (options.interface.empty())
    return options.host;
  std::array<char, HOST_NAME_MAX + 1> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

result<void> say_hello(rendezvous_store& store, const gloo_options& options) {
  const auto text = common_text(options) + "\n" + machine_of(options);
  const auto bytes = std::as_bytes(std::span{text});
  return store.set(rank_key(options, options.rank),
                   {bytes.begin(), bytes.end()});
}

/// The machine of a rank, which has the same options.
result<std::string> meet_rank(rendezvous_store& store,
                              const gloo_options& options, int rank,
                              clock::time_point deadline) {
  auto got = store.get(rank_key(options, rank), time_until(deadline));
  if (!got)
    return got.failure().within("rank " + std::to_string(rank)
                                + " did not come");
  std::string theirs(got->size(), ' ');
  std::ranges::copy(*got, std::as_writable_bytes(std::span{theirs}).begin());
  const auto end = theirs.find('\n');
  if (theirs.substr(0, end) != common_text(options))
    return error{errc::bad_value, "rank " + std::to_string(rank) + " has "
                                    + theirs.substr(0, end) + "; rank "
                                    + std::to_string(options.rank) + " has "
                                    + common_text(options)};
  return end == std::string::npos ? "" : theirs.substr(end + 1);
}

/// What sums are to their machines, when all are here.
result<sum_loads> meet_all(rendezvous_store& store, const gloo_options& options,
                           clock::time_point deadline) {
  std::map<std::string, int> numbers;
  std::vector<int> machines;
  for (int rank = 0; rank < options.size; ++rank) {
    PD_TRY(auto name, meet_rank(store, options, rank, deadline));
    const auto next = static_cast<int>(numbers.size());
    machines.push_back(numbers.emplace(std::move(name), next).first->second);
  }
  return sum_loads_of(machines);
}

std::shared_ptr<gloo::transport::Device>
open_device(const gloo_options& options) {
  gloo::transport::tcp::attr where;
  if (options.interface.empty())
    where.hostname = options.host;
  else
    where.iface = options.interface;
  return gloo::transport::tcp::CreateDevice(where);
}

/// All have said hello, so none is long in coming now. Gloo waits five times
/// its timeout for a connection.
result<std::shared_ptr<gloo::Context>> connect(rendezvous_store& store,
                                               const gloo_options& options,
                                               clock::time_point deadline) {
  const sigpipe_blocked guard; // for the device's thread
  const auto device = open_device(options);
  auto made = std::make_shared<gloo_mesh>(options.rank, options.size);
  made->setTimeout(
    std::max(std::chrono::milliseconds{1},
             std::min(connect_timeout, time_until(deadline)) / 5));
  const store_watch watch{store, *made,
                          rank_key(options, options.rank) + "/met", deadline};
  PD_CHECK(made->connect(device, store, options.prefix, deadline));
  return std::shared_ptr<gloo::Context>{std::move(made)};
}

result<std::unique_ptr<communicator>> join(rendezvous_store& store,
                                           const gloo_options& options) {
  PD_CHECK(check_options(options));
  const auto deadline = clock::now() + options.timeout;
  PD_CHECK(say_hello(store, options));
  PD_TRY(const auto loads, meet_all(store, options, deadline));
  PD_TRY(auto connected, connect(store, options, deadline));
  auto group = std::make_shared<gloo_group>(std::move(connected));
  std::unique_ptr<communicator> made =
    std::make_unique<gloo_communicator>(options, loads, group);
  group->start();
  return made;
}

} // namespace

result<std::unique_ptr<communicator>>
make_gloo_communicator(rendezvous_store& store, const gloo_options& options) {
  const auto where = "group '" + options.prefix + "'";
  try {
    auto made = join(store, options);
    if (!made)
      return made.failure().within(where);
    return made;
  } catch (const std::exception& fault) { // where Gloo's faults become errors
    return error{errc::io, where + ", rank " + std::to_string(options.rank)
                             + ": " + gloo_reason(fault)};
  }
}

} // namespace pd
