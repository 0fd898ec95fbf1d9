// SPDX-License-Identifier: MIT
#include "io/dns_system.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <system_error>

namespace eddy::detail {
namespace {

NameReply failure(int status) {
  NameReply reply;
  reply.error = status;
  reply.reason = status == EAI_SYSTEM ? std::generic_category().message(errno) : ::gai_strerror(status);
  return reply;
}

}  // namespace

NameReply system_addresses(const std::string& host, int family) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_IDN;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, &::freeaddrinfo);
  if (status != 0) return failure(status);
  NameReply reply;
  for (auto* entry = found; entry; entry = entry->ai_next) {
    reply.addresses.push_back(Address::from_data(entry->ai_addr, entry->ai_addrlen));
  }
  return reply;
}

NameReply system_name(const Address& address) {
  char host[NI_MAXHOST] = "";
  const int status = ::getnameinfo(static_cast<const sockaddr*>(address.data()), address.size(), host, sizeof host, nullptr, 0,
                                   NI_NAMEREQD);
  if (status != 0 && status != EAI_NONAME) return failure(status);
  NameReply reply;
  if (status == 0) reply.names.emplace_back(host);
  return reply;
}

std::string system_service(int port, int flags) {
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(static_cast<std::uint16_t>(port));
  char service[NI_MAXSERV] = "";
  const int status = ::getnameinfo(reinterpret_cast<const sockaddr*>(&any), sizeof any, nullptr, 0, service, sizeof service,
                                   flags & (NI_DGRAM | NI_NUMERICSERV));
  return status == 0 ? std::string(service) : std::to_string(port);
}

}  // namespace eddy::detail
