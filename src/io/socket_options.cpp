// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/sockets.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "io/sockets.hpp"

namespace eddy {

static_assert(detail::kLocal == AF_UNIX && detail::kInternet == AF_INET && detail::kStream == SOCK_STREAM);

namespace {

struct Option {
  std::string_view name;
  int level, number;
};

#define EDDY_OPTION(level, name) {#name, level, name}
constexpr Option kOptions[] = {
    EDDY_OPTION(SOL_SOCKET, SO_REUSEADDR),     EDDY_OPTION(SOL_SOCKET, SO_REUSEPORT),
    EDDY_OPTION(SOL_SOCKET, SO_KEEPALIVE),     EDDY_OPTION(SOL_SOCKET, SO_BROADCAST),
    EDDY_OPTION(SOL_SOCKET, SO_SNDBUF),        EDDY_OPTION(SOL_SOCKET, SO_RCVBUF),
    EDDY_OPTION(SOL_SOCKET, SO_OOBINLINE),     EDDY_OPTION(SOL_SOCKET, SO_DONTROUTE),
    EDDY_OPTION(SOL_SOCKET, SO_PRIORITY),      EDDY_OPTION(SOL_SOCKET, SO_RCVLOWAT),
    EDDY_OPTION(SOL_SOCKET, SO_PASSCRED),      EDDY_OPTION(SOL_SOCKET, SO_MARK),
    EDDY_OPTION(SOL_SOCKET, SO_ERROR),         EDDY_OPTION(SOL_SOCKET, SO_TYPE),
    EDDY_OPTION(SOL_SOCKET, SO_DOMAIN),        EDDY_OPTION(SOL_SOCKET, SO_PROTOCOL),
    EDDY_OPTION(SOL_SOCKET, SO_ACCEPTCONN),    EDDY_OPTION(SOL_SOCKET, SO_INCOMING_CPU),
    EDDY_OPTION(SOL_SOCKET, SO_BUSY_POLL),     EDDY_OPTION(SOL_SOCKET, SO_ZEROCOPY),
    EDDY_OPTION(IPPROTO_TCP, TCP_NODELAY),     EDDY_OPTION(IPPROTO_TCP, TCP_CORK),
    EDDY_OPTION(IPPROTO_TCP, TCP_KEEPIDLE),    EDDY_OPTION(IPPROTO_TCP, TCP_KEEPINTVL),
    EDDY_OPTION(IPPROTO_TCP, TCP_KEEPCNT),     EDDY_OPTION(IPPROTO_TCP, TCP_MAXSEG),
    EDDY_OPTION(IPPROTO_TCP, TCP_SYNCNT),      EDDY_OPTION(IPPROTO_TCP, TCP_LINGER2),
    EDDY_OPTION(IPPROTO_TCP, TCP_DEFER_ACCEPT), EDDY_OPTION(IPPROTO_TCP, TCP_QUICKACK),
    EDDY_OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT), EDDY_OPTION(IPPROTO_TCP, TCP_FASTOPEN),
    EDDY_OPTION(IPPROTO_IP, IP_TTL),           EDDY_OPTION(IPPROTO_IP, IP_TOS),
    EDDY_OPTION(IPPROTO_IP, IP_MULTICAST_TTL), EDDY_OPTION(IPPROTO_IP, IP_MULTICAST_LOOP),
    EDDY_OPTION(IPPROTO_IP, IP_FREEBIND),      EDDY_OPTION(IPPROTO_IP, IP_TRANSPARENT),
    EDDY_OPTION(IPPROTO_IPV6, IPV6_V6ONLY),    EDDY_OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
    EDDY_OPTION(IPPROTO_IPV6, IPV6_MULTICAST_HOPS), EDDY_OPTION(IPPROTO_IPV6, IPV6_MULTICAST_LOOP),
};
#undef EDDY_OPTION

const Option& option_named(std::string_view name) {
  for (const auto& option : kOptions) {
    if (option.name == name) return option;
  }
  throw ValueError(fmt::format("socket option '{}' is none that eddy knows by name; setsockopt() takes numbers", name));
}

std::string name_of(int level, int number) {
  for (const auto& option : kOptions) {
    if (option.level == level && option.number == number) return std::string(option.name);
  }
  return fmt::format("option {} of level {}", number, level);
}

}  // namespace

void Socket::setsockopt(int level, int option, int value) {
  setsockopt(level, option, std::as_bytes(std::span(&value, 1)));
}

void Socket::setsockopt(int level, int option, std::span<const std::byte> value) {
  if (::setsockopt(fd_, level, option, value.data(), static_cast<socklen_t>(value.size())) != 0) {
    throw_os_error(errno, fmt::format("set {} of descriptor {}", name_of(level, option), fd_));
  }
}

int Socket::getsockopt(int level, int option) const {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd_, level, option, &value, &size) != 0) {
    throw_os_error(errno, fmt::format("get {} of descriptor {}", name_of(level, option), fd_));
  }
  return value;
}

std::string Socket::getsockopt(int level, int option, std::size_t size) const {
  std::string value(size, '\0');
  auto length = static_cast<socklen_t>(size);
  if (::getsockopt(fd_, level, option, value.data(), &length) != 0) {
    throw_os_error(errno, fmt::format("get {} of descriptor {}", name_of(level, option), fd_));
  }
  value.resize(length);
  return value;
}

void Socket::set_option(std::string_view name, int value) {
  const auto& option = option_named(name);
  setsockopt(option.level, option.number, value);
}

int Socket::option(std::string_view name) const {
  const auto& option = option_named(name);
  return getsockopt(option.level, option.number);
}

PeerCredentials detail::credentials_of(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    throw_os_error(errno, fmt::format("get the credentials of the peer of descriptor {}", fd));
  }
  // A socket that knows no peer has nobody's.
  if (peer.uid == static_cast<uid_t>(-1)) {
    throw_os_error(ENOTCONN, fmt::format("get the credentials of the peer of descriptor {}", fd));
  }
  return {peer.pid, peer.uid, peer.gid};
}

}  // namespace eddy
