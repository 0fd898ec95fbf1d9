// SPDX-License-Identifier: MIT
#include <eddy/addresses.hpp>
#include <eddy/exceptions.hpp>
#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "io/sockets.hpp"

namespace eddy {

Address::Address(std::string_view host, int port) {
  detail::check_port("address", port);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(static_cast<std::uint16_t>(port));
  const std::string text(host);
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    *this = from_data(&v4, sizeof v4);
    return;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(static_cast<std::uint16_t>(port));
  const auto percent = text.find('%');
  if (percent != text.npos) v6.sin6_scope_id = ::if_nametoindex(text.c_str() + percent + 1);
  if (::inet_pton(AF_INET6, text.substr(0, percent).c_str(), &v6.sin6_addr) != 1) {
    throw ValueError(fmt::format("address '{}' is not numeric; a name is resolved by getaddrinfo()", host));
  }
  *this = from_data(&v6, sizeof v6);
}

Address Address::from_path(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool is_abstract = !path.empty() && (path[0] == '\0' || path[0] == '@');
  constexpr std::size_t kMost = sizeof address.sun_path - 1;
  if (path.size() > kMost) {
    throw ValueError(fmt::format("unix address '{}' has {} bytes; at most {} are possible",
                                 is_abstract ? path.substr(1) : path, path.size(), kMost));
  }
  if (!is_abstract && path.find('\0') != path.npos) throw ValueError("unix address: the path has a zero byte in it");
  std::memcpy(address.sun_path, path.data(), path.size());
  if (is_abstract) address.sun_path[0] = '\0';
  // Of an abstract name every byte counts, so its size says where it ends; a path ends with a zero byte.
  const auto size = offsetof(sockaddr_un, sun_path) + path.size() + (path.empty() || is_abstract ? 0 : 1);
  return from_data(&address, size);
}

Address Address::from_data(const void* sockaddr, std::size_t size) noexcept {
  Address address;
  address.size_ = static_cast<std::uint32_t>(size < sizeof address.storage_ ? size : sizeof address.storage_);
  std::memcpy(address.storage_, sockaddr, address.size_);
  return address;
}

int Address::family() const noexcept {
  sa_family_t family = AF_UNSPEC;
  if (size_ >= sizeof family) std::memcpy(&family, storage_, sizeof family);
  return family;
}

std::string Address::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  switch (family()) {
    case AF_INET: return ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(storage_)->sin_addr, text, sizeof text);
    case AF_INET6: return ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(storage_)->sin6_addr, text, sizeof text);
    case AF_UNIX: {
      const auto* path = reinterpret_cast<const sockaddr_un*>(storage_)->sun_path;
      const auto room = size_ - offsetof(sockaddr_un, sun_path);
      if (room > 0 && path[0] == '\0') return "@" + std::string(path + 1, room - 1);
      return std::string(path, ::strnlen(path, room));
    }
    default: return "";
  }
}

int Address::port() const noexcept {
  switch (family()) {
    case AF_INET: return ntohs(reinterpret_cast<const sockaddr_in*>(storage_)->sin_port);
    case AF_INET6: return ntohs(reinterpret_cast<const sockaddr_in6*>(storage_)->sin6_port);
    default: return 0;
  }
}

std::string Address::str() const {
  switch (family()) {
    case AF_INET: return fmt::format("{}:{}", host(), port());
    case AF_INET6: return fmt::format("[{}]:{}", host(), port());
    default: return host();
  }
}

bool operator==(const Address& a, const Address& b) noexcept {
  return a.size_ == b.size_ && std::memcmp(a.storage_, b.storage_, a.size_) == 0;
}

}  // namespace eddy
