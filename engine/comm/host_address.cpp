#include "engine/comm/host_address.hpp"

#include <memory>
#include <net/if.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pd {

namespace {

bool can_bind(const addrinfo& at) {
  const int fd = ::socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return false;
  const bool is_bound = ::bind(fd, at.ai_addr, at.ai_addrlen) == 0;
  ::close(fd);
  return is_bound;
}

} // namespace

result<void> check_host(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int why = ::getaddrinfo(host.c_str(), nullptr, &wanted, &found);
      why != 0)
    return error{errc::bad_value,
                 "host '" + host + "': " + ::gai_strerror(why)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all{
    found, &::freeaddrinfo};
  for (const auto* each = found; each != nullptr; each = each->ai_next)
    if (can_bind(*each))
      return {};
  return error{errc::bad_value,
               "host '" + host + "' is no address of this machine"};
}

result<void> check_interface(const std::string& name) {
  if (::if_nametoindex(name.c_str()) == 0)
    return error{errc::bad_value, "there is no interface '" + name + "'"};
  return {};
}

} // namespace pd
