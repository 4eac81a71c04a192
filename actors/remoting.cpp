#include "actors/remoting.hpp"

#include "actors/supervise.hpp"

#include <caf/io/middleman.hpp>

#include <arpa/inet.h>
#include <charconv>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pd {

namespace {

constexpr std::chrono::milliseconds heartbeat{1'000};
constexpr std::chrono::milliseconds silence{10'000}; // then a peer is frozen

/// Both sides must have the same; the version of our messages.
const std::string wire_version = "pd-engine/1";

constexpr int connect_tries = 5;

/// Closes a socket as it goes.
class socket_handle {
public:
  explicit socket_handle(int of) : of_{of} {}
  socket_handle(const socket_handle&) = delete;
  socket_handle& operator=(const socket_handle&) = delete;
  ~socket_handle() {
    if (of_ >= 0)
      ::close(of_);
  }
  [[nodiscard]] int get() const { return of_; }

private:
  int of_;
};

result<sockaddr_in> socket_address(const network_address& at) {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_port = htons(at.port);
  if (::inet_pton(AF_INET, at.host.c_str(), &made.sin_addr) != 1)
    return error{errc::bad_value,
                 "address: wanted four numbers and a port, as 127.0.0.1:7400, "
                 "got '"
                   + at.host + "'"};
  return made;
}

error refused(const network_address& at, const std::string& why) {
  return {errc::io, to_string(at) + ": " + why};
}

/// Whether somebody listens, without CAF.
result<void> probe(const network_address& at,
                   std::chrono::milliseconds timeout) {
  PD_TRY(const auto to, socket_address(at));
  const socket_handle probing{
    ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const auto* address = reinterpret_cast<const sockaddr*>(&to);
  if (::connect(probing.get(), address, sizeof to) == 0)
    return {};
  if (errno != EINPROGRESS)
    return refused(at, "nobody listens there");
  pollfd waiting{probing.get(), POLLOUT, 0};
  if (::poll(&waiting, 1, static_cast<int>(timeout.count())) != 1)
    return refused(at, "no answer within " + std::to_string(timeout.count())
                         + " ms");
  int failure = 0;
  socklen_t size = sizeof failure;
  ::getsockopt(probing.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
  return failure == 0 ? result<void>{} : refused(at, "nobody listens there");
}

} // namespace

engine_config::engine_config() {
  add_message_types<caf::id_block::pd_engine>();
  set("scheduler.policy", caf::atom("sharing"));
  set("scheduler.max-threads", std::size_t{1}); // the coordinator's
}

network_config::network_config() {
  load<caf::io::middleman>();
  set("middleman.app-identifiers", std::vector<std::string>{wire_version});
  set("middleman.heartbeat-interval", caf::timespan{heartbeat});
  set("middleman.connection-timeout", caf::timespan{silence});
  set("middleman.workers", std::size_t{0}); // messages are small
}

result<network_address> parse_address(const std::string& text) {
  const auto colon = text.rfind(':');
  network_address made;
  made.host = text.substr(0, colon);
  const auto port = colon == std::string::npos ? "" : text.substr(colon + 1);
  const auto [end, wrong] =
    std::from_chars(port.data(), port.data() + port.size(), made.port);
  if (wrong != std::errc{} || end != port.data() + port.size()
      || !socket_address(made))
    return error{errc::bad_value,
                 "wanted an address and a port, as 127.0.0.1:7400, got '" + text
                   + "'"};
  return made;
}

std::string to_string(const network_address& at) {
  return at.host + ":" + std::to_string(at.port);
}

result<network_address> publish(caf::actor_system& in,
                                const worker_actor& which,
                                const network_address& at) {
  const auto port =
    in.middleman().publish(which, at.port, at.host.c_str(), true);
  if (!port)
    return refused(at, "cannot listen there: " + text_of(port.error()));
  return network_address{at.host, *port};
}

result<worker_actor> connect(caf::actor_system& in, const network_address& at,
                             std::chrono::milliseconds timeout) {
  PD_CHECK(probe(at, timeout));
  for (int i = 0;; ++i) {
    auto found = in.middleman().remote_actor<worker_actor>(at.host, at.port);
    if (found)
      return *found;
    const bool may_retry = found.error() == caf::sec::connection_timeout;
    if (!may_retry || i + 1 == connect_tries)
      return refused(at, "no worker of this version of pd-engine: "
                           + text_of(found.error()));
  }
}

} // namespace pd
