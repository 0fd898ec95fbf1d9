// SPDX-License-Identifier: MIT
// The system's resolver blocks: it runs on the loop's thread pool.
#include "io/resolve.hpp"

#include <eddy/exceptions.hpp>
#include <eddy/threads.hpp>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <memory>

namespace eddy::detail {
namespace {

std::vector<Address> ask_system(const std::string& host, int port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const auto service = std::to_string(port);
  const int status = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), service.c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, &::freeaddrinfo);
  if (status != 0) throw GaiError(status, fmt::format("cannot resolve '{}': {}", host, ::gai_strerror(status)));
  std::vector<Address> addresses;
  for (auto* entry = found; entry; entry = entry->ai_next) {
    addresses.push_back(Address::from_data(entry->ai_addr, entry->ai_addrlen));
  }
  return addresses;
}

}  // namespace

Coro<std::vector<Address>> resolve(std::string host, int port, bool passive) {
  const int flags = passive ? AI_PASSIVE : 0;
  if (host.find('\0') != host.npos) throw GaiError(EAI_NONAME, "cannot resolve a name with a zero byte in it");
  if (host.empty()) co_return ask_system(host, port, flags | AI_NUMERICHOST);
  std::vector<Address> addresses;
  try {
    addresses.emplace_back(host, port);
  } catch (const ValueError&) {  // a name
  }
  if (!addresses.empty()) co_return addresses;
  auto ask = [&host, port, flags] { return ask_system(host, port, flags); };
  addresses = co_await to_thread(ask);
  co_return addresses;
}

}  // namespace eddy::detail
