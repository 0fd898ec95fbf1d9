// SPDX-License-Identifier: MIT
// getaddrinfo() and getnameinfo(): what needs no resolver, and the public face of one.
#include "io/resolve.hpp"

#include <arpa/inet.h>
#include <eddy/events.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/threads.hpp>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cctype>
#include <cstring>
#include <optional>

#include "io/dns_resolver.hpp"
#include "io/dns_system.hpp"
#include "io/sockets.hpp"

namespace eddy {
namespace detail {
namespace {

constexpr int kNameFlags = NI_NUMERICHOST | NI_NUMERICSERV | NI_NAMEREQD | NI_NOFQDN | NI_DGRAM;

void check_family(int family) {
  if (family != AF_UNSPEC && family != AF_INET && family != AF_INET6) {
    throw GaiError(EAI_FAMILY, fmt::format("getaddrinfo: family {} is none of AF_INET, AF_INET6 and 0", family));
  }
}

// "127.1", "0x7f000001": what the C library takes for numbers, too.
std::optional<Address> numeric_address(const std::string& host) {
  try {
    return Address(host, 0);
  } catch (const ValueError&) {  // a name
  }
  if (host.find_first_not_of("0123456789abcdefABCDEFxX.") != host.npos || !std::isdigit(static_cast<unsigned char>(host[0]))) {
    return std::nullopt;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (::inet_aton(host.c_str(), &address.sin_addr) == 0) return std::nullopt;
  return Address::from_data(&address, sizeof address);
}

// Of no host: every interface, or the loopback one. As the C library orders them.
std::vector<Address> own_addresses(const LookupOptions& options, int port) {
  addrinfo hints{};
  hints.ai_family = options.family;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | (options.passive ? AI_PASSIVE : 0);
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(nullptr, std::to_string(port).c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, &::freeaddrinfo);
  if (status != 0) throw GaiError(status, fmt::format("cannot resolve '': {}", ::gai_strerror(status)));
  std::vector<Address> addresses;
  for (auto* entry = found; entry; entry = entry->ai_next) {
    addresses.push_back(Address::from_data(entry->ai_addr, entry->ai_addrlen));
  }
  return addresses;
}

[[noreturn]] void throw_unresolved(const std::string& host, int error, const std::string& reason) {
  throw GaiError(error, fmt::format("cannot resolve '{}': {}", host, reason));
}

}  // namespace

Address with_port(const Address& address, int port) noexcept {
  sockaddr_storage storage{};
  std::memcpy(&storage, address.data(), address.size());
  const auto number = htons(static_cast<std::uint16_t>(port));
  if (address.family() == AF_INET) reinterpret_cast<sockaddr_in&>(storage).sin_port = number;
  else if (address.family() == AF_INET6) reinterpret_cast<sockaddr_in6&>(storage).sin6_port = number;
  return Address::from_data(&storage, address.size());
}

Coro<std::vector<Address>> resolve(std::shared_ptr<ResolverCore> resolver, std::string host, int port,
                                   LookupOptions options, Hurry hurry) {
  check_family(options.family);
  if (host.find('\0') != host.npos) throw GaiError(EAI_NONAME, "cannot resolve a name with a zero byte in it");
  if (host.empty()) co_return own_addresses(options, port);
  if (const auto numeric = numeric_address(host)) {
    if (options.family != AF_UNSPEC && options.family != numeric->family()) {
      throw_unresolved(host, EAI_ADDRFAMILY, "the address is of another family");
    }
    co_return std::vector<Address>(1, with_port(*numeric, port));
  }
  if (options.numeric) throw_unresolved(host, EAI_NONAME, "it is no numeric address, and .numeric was asked for");
  if (resolver) resolver->check_loop("getaddrinfo");
  else resolver = running_resolver();
  auto reply = co_await ResolverCore::find_addresses(resolver, host, options.family, hurry == Hurry::yes);
  if (reply->error != 0) throw_unresolved(host, reply->error, reply->reason);
  std::vector<Address> addresses;
  for (const auto& address : reply->addresses) addresses.push_back(with_port(address, port));
  co_return addresses;
}

namespace {

Coro<NameInfo> name_of(std::shared_ptr<ResolverCore> resolver, Address address, int flags) {
  if (address.family() != AF_INET && address.family() != AF_INET6) {
    throw GaiError(EAI_FAMILY, fmt::format("getnameinfo: '{}' is no address of a network", address.str()));
  }
  if (flags & ~kNameFlags) throw GaiError(EAI_BADFLAGS, fmt::format("getnameinfo: flags 0x{:x} are not known", flags & ~kNameFlags));
  if (resolver) resolver->check_loop("getnameinfo");
  else resolver = running_resolver();
  NameInfo info;
  info.host = address.host();
  info.service = std::to_string(address.port());
  if (!(flags & NI_NUMERICHOST)) {
    auto reply = co_await ResolverCore::find_name(resolver, address);
    if (reply->error != 0) {
      throw GaiError(reply->error, fmt::format("cannot find the name of {}: {}", info.host, reply->reason));
    }
    if (!reply->names.empty()) {
      const auto& name = reply->names.front();
      info.host = flags & NI_NOFQDN ? std::string(resolver->without_own_domain(name)) : name;
    } else if (flags & NI_NAMEREQD) {
      throw GaiError(EAI_NONAME, fmt::format("cannot find the name of {}: it has none", info.host));
    }
  }
  if (!(flags & NI_NUMERICSERV)) {
    auto ask = [port = address.port(), flags] { return system_service(port, flags); };
    info.service = co_await to_thread(ask);
  }
  co_return info;
}

}  // namespace
}  // namespace detail

Resolver::Resolver(ResolverOptions options)
    : core_(std::make_shared<detail::ResolverCore>(detail::Loop::running(), options)) {}

Coro<std::vector<Address>> Resolver::getaddrinfo(std::string host, int port, LookupOptions options) const {
  detail::check_port("getaddrinfo", port);
  return detail::resolve(core_, std::move(host), port, options, detail::Hurry::no);
}
Coro<NameInfo> Resolver::getnameinfo(Address address, int flags) const { return detail::name_of(core_, address, flags); }
void Resolver::clear_cache() noexcept { core_->clear_cache(); }
ResolverStatistics Resolver::statistics() const noexcept { return core_->statistics(); }
std::string Resolver::explain(std::string_view host) const {
  core_->check_loop("Resolver::explain");
  return core_->explain(host);
}

Resolver default_resolver() { return Resolver(detail::running_resolver()); }

void set_default_resolver(Resolver resolver) {
  resolver.core()->check_loop("set_default_resolver");
  detail::Loop::running().default_resolver = resolver.core();
}

Coro<std::vector<Address>> getaddrinfo(std::string host, int port, LookupOptions options) {
  detail::check_port("getaddrinfo", port);
  return detail::resolve(nullptr, std::move(host), port, options, detail::Hurry::no);
}
Coro<NameInfo> getnameinfo(Address address, int flags) { return detail::name_of(nullptr, address, flags); }

Coro<std::vector<Address>> EventLoop::getaddrinfo(std::string host, int port) {
  return eddy::getaddrinfo(std::move(host), port);
}
Coro<std::vector<Address>> EventLoop::getaddrinfo(std::string host, int port, const LookupOptions& options) {
  return eddy::getaddrinfo(std::move(host), port, options);
}
Coro<NameInfo> EventLoop::getnameinfo(Address address, int flags) { return eddy::getnameinfo(address, flags); }

}  // namespace eddy
