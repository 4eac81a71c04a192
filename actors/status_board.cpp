#include "actors/status_board.hpp"

#include <algorithm>
#include <array>
#include <new>

namespace pd {

namespace {

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

constexpr std::size_t head_bytes = 64; // the count of places in use

constexpr std::uint64_t taken = std::uint64_t{1} << 63;

/// Fields of status_place::what_: 8 bits each, then stage and peer.
std::uint64_t pack(const status& from) {
  return static_cast<std::uint64_t>(from.what)
         | static_cast<std::uint64_t>(from.which.kind) << 8
         | static_cast<std::uint64_t>(from.lack.what) << 16
         | static_cast<std::uint64_t>(from.which.chunk & 0xff) << 24
         | static_cast<std::uint64_t>(from.lack.stage & 0xffff) << 32
         | static_cast<std::uint64_t>(from.peer & 0xffff) << 48;
}

status unpack(std::uint64_t from) {
  const auto part = [from](int shift, std::uint64_t mask) {
    return from >> shift & mask;
  };
  status made;
  made.what = static_cast<doing>(part(0, 0xff));
  made.which.kind = static_cast<act>(part(8, 0xff));
  made.lack.what = static_cast<want>(part(16, 0xff));
  made.which.chunk = static_cast<int>(part(24, 0xff));
  made.lack.stage = static_cast<int>(part(32, 0xffff));
  made.peer = static_cast<int>(part(48, 0xffff));
  return made;
}

} // namespace

const char* to_string(role of) {
  constexpr std::array names{"worker",        "stage",        "data loader",
                             "gradient sync", "checkpointer", "link in",
                             "link out"};
  return names[static_cast<std::size_t>(of)];
}

std::string to_string(const status& of) {
  switch (of.what) {
  case doing::nothing:
    return "waits for orders";
  case doing::deploys:
    return "makes itself ready";
  case doing::meets:
    return "meets the other workers";
  case doing::runs:
    return "runs " + to_string(of.which);
  case doing::waits:
    return to_string(of.which) + " " + to_string(of.lack);
  case doing::reads:
    return "reads microbatch " + std::to_string(of.index);
  case doing::reduces:
    return "reduces bucket " + std::to_string(of.index)
           + " of the gradients over the replicas";
  case doing::sends:
    return "sends microbatch " + std::to_string(of.index) + " to worker "
           + std::to_string(of.peer);
  case doing::receives:
    return "waits for worker " + std::to_string(of.peer);
  case doing::copies:
    return "copies the weights for a checkpoint";
  case doing::saves:
    return "writes shard " + std::to_string(of.index) + " of a checkpoint";
  }
  return "";
}

// -- a place -----------------------------------------------------------------

// Without fences, which TSan does not know: who sees a field of a later round
// of the cells (acquire) sees the count before that round, too (release).

void status_place::set(const status& now) {
  const auto next = said_.load(std::memory_order_relaxed) + 1;
  auto& to = cells_[next % cells];
  to.what.store(pack(now), std::memory_order_release);
  to.action_index.store(now.which.index, std::memory_order_release);
  to.lack_index.store(now.lack.index, std::memory_order_release);
  to.index.store(now.index, std::memory_order_release);
  said_.store(next, std::memory_order_release);
}

status status_place::read() const {
  while (true) {
    const auto last = said_.load(std::memory_order_acquire);
    const auto& from = cells_[last % cells];
    auto made = unpack(from.what.load(std::memory_order_acquire));
    made.which.index = from.action_index.load(std::memory_order_acquire);
    made.lack.index = from.lack_index.load(std::memory_order_acquire);
    made.index = from.index.load(std::memory_order_acquire);
    if (said_.load(std::memory_order_relaxed) < last + cells - 1)
      return made;
  }
}

// -- the board ---------------------------------------------------------------

std::size_t status_board::bytes_for(std::size_t places) {
  return head_bytes + places * sizeof(status_place);
}

status_board::status_board(std::size_t places)
  : status_board{nullptr, bytes_for(places)} {}

status_board::status_board(void* memory, std::size_t bytes)
  : own_{memory == nullptr ? new std::byte[bytes]() : nullptr}, unread_{} {
  auto* begin =
    memory == nullptr ? own_.get() : static_cast<std::byte*>(memory);
  used_ = reinterpret_cast<std::atomic<std::uint64_t>*>(begin);
  places_ = reinterpret_cast<status_place*>(begin + head_bytes);
  capacity_ = (bytes - head_bytes) / sizeof(status_place);
}

status_place& status_board::add(int worker, role of) {
  const auto place = used_->fetch_add(1, std::memory_order_acq_rel);
  if (place >= capacity_)
    return unread_;
  auto& made = places_[place];
  made.owner_.store(taken | static_cast<std::uint64_t>(of) << 32
                      | static_cast<std::uint32_t>(worker),
                    std::memory_order_release);
  return made;
}

std::vector<status_line> status_board::read() const {
  std::vector<status_line> lines;
  const auto used =
    std::min<std::size_t>(used_->load(std::memory_order_acquire), capacity_);
  for (std::size_t i = 0; i < used; ++i) {
    const auto owner = places_[i].owner_.load(std::memory_order_acquire);
    if ((owner & taken) == 0)
      continue; // about to be
    lines.push_back({static_cast<int>(owner & 0xffffffff),
                     static_cast<role>(owner >> 32 & 0xff), places_[i].read()});
  }
  return lines;
}

std::string status_board::doing_of(int worker) const {
  status found;
  for (const auto& each : read())
    if (each.worker == worker
        && (each.of == role::stage || each.of == role::worker))
      found = each.now; // a worker adds itself before its stage
  return to_string(found);
}

} // namespace pd
