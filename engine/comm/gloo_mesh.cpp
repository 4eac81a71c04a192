#include "engine/comm/gloo_mesh.hpp"

#include "engine/base/clock.hpp"

#include <algorithm>
#include <cstring>
#include <gloo/transport/context.h>
#include <gloo/transport/pair.h>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

namespace pd {

namespace {

std::string key_of(const std::string& prefix, int rank) {
  return prefix + "/addresses" + std::to_string(rank);
}

/// The address that `of` has for this rank: it has one for each other rank, in
/// their order, all of one size.
result<std::vector<char>> address_for(int rank, int of, int ranks,
                                      const rendezvous_store::bytes& all) {
  const auto others = static_cast<std::size_t>(ranks - 1);
  if (all.empty() || all.size() % others != 0)
    return error{errc::bad_value, "rank " + std::to_string(of) + " has "
                                    + std::to_string(all.size())
                                    + " bytes of addresses for "
                                    + std::to_string(others) + " ranks"};
  const auto size = all.size() / others;
  const auto index = static_cast<std::size_t>(rank > of ? rank - 1 : rank);
  std::vector<char> made(size);
  std::memcpy(made.data(), all.data() + index * size, size);
  return made;
}

} // namespace

/// Their addresses. All listen from now on.
rendezvous_store::bytes
gloo_mesh::open_pairs(const std::shared_ptr<gloo::transport::Device>& by) {
  const std::lock_guard lock{mutex_};
  device_ = by;
  transportContext_ = by->createContext(rank, size);
  transportContext_->setTimeout(getTimeout());
  rendezvous_store::bytes addresses;
  for (int peer = 0; peer < size; ++peer) {
    if (peer == rank)
      continue;
    const auto at = transportContext_->createPair(peer)->address().bytes();
    std::ranges::copy(std::as_bytes(std::span{at}),
                      std::back_inserter(addresses));
  }
  return addresses;
}

result<void>
gloo_mesh::connect(const std::shared_ptr<gloo::transport::Device>& by,
                   rendezvous_store& store, const std::string& prefix,
                   std::chrono::steady_clock::time_point deadline) {
  PD_CHECK(store.set(key_of(prefix, rank), open_pairs(by)));
  for (int peer = 0; peer < size; ++peer) {
    if (peer == rank)
      continue;
    PD_TRY(const auto all,
           store.get(key_of(prefix, peer), time_until(deadline)));
    PD_CHECK(connect_to(peer, all));
  }
  return {};
}

/// A pair that is closed while it waits says that it is connected. Only one
/// that listens waits long: a connection that this rank asks for is made or
/// refused at once.
result<void> gloo_mesh::connect_to(int peer,
                                   const rendezvous_store::bytes& all) {
  PD_TRY(const auto at, address_for(rank, peer, size, all));
  PD_CHECK(check_wanted());
  getPair(peer)->connect(at);
  return check_wanted();
}

result<void> gloo_mesh::check_wanted() {
  const std::lock_guard lock{mutex_};
  return given_up_ ? *given_up_ : result<void>{};
}

void gloo_mesh::give_up(const error& why) {
  const std::lock_guard lock{mutex_};
  given_up_ = why;
  if (transportContext_)
    closeConnections();
}

// -- the store ----------------------------------------------------------------

store_watch::store_watch(rendezvous_store& store, gloo_mesh& mesh,
                         std::string key,
                         std::chrono::steady_clock::time_point deadline)
  : store_{store}, key_{std::move(key)}, watcher_{[this, &mesh, deadline] {
      if (const auto met = store_.get(key_, time_until(deadline)); !met)
        mesh.give_up(met.failure());
    }} {}

store_watch::~store_watch() {
  (void)store_.set(key_, {}); // if the store is gone, the wait is over too
  watcher_.join();
}

} // namespace pd
