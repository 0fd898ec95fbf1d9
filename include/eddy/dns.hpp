// SPDX-License-Identifier: MIT
// Names and addresses: getaddrinfo(), getnameinfo(), and the resolver behind them.
#pragma once

#include <eddy/addresses.hpp>
#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/detail/smart_pointers.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace eddy {

namespace detail {
class ResolverCore;
}

/// Who finds the addresses of a name.
enum class ResolverBackend : std::uint8_t {
  automatic,  // c-ares where this machine's files ask for nothing else, else the system; see Resolver::explain()
  cares,      // DNS by c-ares on the loop, and /etc/hosts
  system,     // the C library's getaddrinfo() on the loop's thread pool: whatever /etc/nsswitch.conf names
};

struct ResolverOptions {
  // Behaviour.
  ResolverBackend backend = ResolverBackend::automatic;
  std::string_view nameservers = {};  // "10.0.0.1,[::1]:5353", asked in this order; empty: those of resolv.conf
  bool search = true;                 // try the search domains of resolv.conf behind names with few dots
  // Limits.
  Duration timeout = {};             // for one server's answer to one question; 0: resolv.conf's, which is 5 s unless set
  int tries = 0;                     // rounds through the servers, at most 10; 0: resolv.conf's, which is 2 unless set
  std::size_t max_lookups = 256;     // names that are asked for at once; others wait for their turn
  std::size_t cache_entries = 1024;  // the least recently used goes first; 0: no cache
  Duration max_ttl = std::chrono::hours(1);          // answers are kept no longer, whatever their TTL
  Duration negative_ttl = std::chrono::seconds(5);   // of "no such name" without an SOA record to say how long
  Duration resolution_delay = std::chrono::milliseconds(50);  // how long a connection waits for the other family's answer
  // Files.
  std::string_view hosts = "/etc/hosts";  // empty: none
  std::string_view resolv_conf = "/etc/resolv.conf";
  std::string_view nsswitch_conf = "/etc/nsswitch.conf";
};

struct LookupOptions {
  int family = 0;        // AF_INET or AF_INET6: addresses of this family only
  bool passive = false;  // AI_PASSIVE, to listen on: "" is every interface, not the loopback one
  bool numeric = false;  // AI_NUMERICHOST: a name throws GaiError instead of being asked for
};

/// What getnameinfo() found, as text.
struct NameInfo {
  std::string host, service;
};

/// What a resolver has done since it was made.
struct ResolverStatistics {
  std::uint64_t hits = 0;     // names found in the cache
  std::uint64_t misses = 0;   // names that were asked for
  std::uint64_t shared = 0;   // names that somebody else was asking for just then
  std::uint64_t queries = 0;  // questions sent to a server: one a family, a server and a try
  std::uint64_t timeouts = 0; // of these, without an answer
  std::size_t cached = 0;     // names in the cache now
  friend bool operator==(const ResolverStatistics&, const ResolverStatistics&) = default;
};

/// Finds addresses of names and names of addresses, for one loop. A handle: copies share one cache.
///
/// Every loop has one that open_connection(), start_server(), getaddrinfo() and their kin use; it is made when a name
/// is first asked for. Others serve for other servers, or limits:
///
///     eddy::Resolver resolver({.nameservers = "127.0.0.1:5353", .timeout = 500ms});
///     auto addresses = co_await resolver.getaddrinfo("db.internal", 5432);
///
/// Tasks that ask for one name at one time share one lookup, which ends with the last of them: cancelling one does
/// nothing to the others. Answers are remembered for their TTL. The files are looked at again when they have changed.
class Resolver {
 public:
  /// For the running loop. Throws ValueError for servers that are no numeric addresses, tries outside of 0 to 10,
  /// negative times; RuntimeError outside of a loop.
  explicit Resolver(ResolverOptions options = {});
  explicit Resolver(std::shared_ptr<detail::ResolverCore> core) noexcept : core_(std::move(core)) {}

  /// The addresses of a host, the best first (RFC 6724). Numeric ones and "localhost" need no server. Throws GaiError:
  /// EAI_NONAME where there is no such name, EAI_NODATA for one without addresses (of this family), EAI_AGAIN where no
  /// server could tell, with the outcome of each. ValueError for a port outside of 0 to 65535.
  Coro<std::vector<Address>> getaddrinfo(std::string host, int port, LookupOptions options = {}) const;

  /// The name of an address and of its port. `flags` of <netdb.h>: NI_NUMERICHOST, NI_NUMERICSERV (neither asks
  /// anybody), NI_NAMEREQD (an address without a name throws GaiError), NI_NOFQDN, NI_DGRAM.
  Coro<NameInfo> getnameinfo(Address address, int flags = 0) const;

  void clear_cache() noexcept;
  ResolverStatistics statistics() const noexcept;
  /// Who would be asked for `host`, and why: "c-ares on the loop, because …". For people.
  std::string explain(std::string_view host = {}) const;

  /// For eddy's own layers.
  const std::shared_ptr<detail::ResolverCore>& core() const noexcept { return core_; }

 private:
  std::shared_ptr<detail::ResolverCore> core_;
};

/// The running loop's.
Resolver default_resolver();
/// From here on, open_connection() and its kin ask `resolver`. What is under way goes on with the one before. Throws
/// RuntimeError for one of another loop.
void set_default_resolver(Resolver resolver);

/// As of the loop's default resolver.
Coro<std::vector<Address>> getaddrinfo(std::string host, int port, LookupOptions options = {});
Coro<NameInfo> getnameinfo(Address address, int flags = 0);

}  // namespace eddy
