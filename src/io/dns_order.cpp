// SPDX-License-Identifier: MIT
#include "io/dns_order.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <iterator>

#include "base/unique_fd.hpp"
#include "io/sockets.hpp"

namespace eddy::detail {
namespace {

using Bytes = std::array<std::uint8_t, 16>;

// IPv4 as ::ffff:a.b.c.d.
Bytes bytes_of(const Address& address) noexcept {
  Bytes bytes{};
  if (address.family() == AF_INET6) {
    std::memcpy(bytes.data(), &static_cast<const sockaddr_in6*>(address.data())->sin6_addr, 16);
  } else if (address.family() == AF_INET) {
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(bytes.data() + 12, &static_cast<const sockaddr_in*>(address.data())->sin_addr, 4);
  }
  return bytes;
}

int common_prefix(const Bytes& a, const Bytes& b) noexcept {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (const auto difference = static_cast<std::uint8_t>(a[i] ^ b[i])) return static_cast<int>(i) * 8 + std::countl_zero(difference);
  }
  return 128;
}

// Section 2.1, the default policy table, the longest prefix first.
struct Policy {
  Bytes prefix;
  int length, precedence, label;
};
constexpr Policy kPolicies[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, 50, 0},  // ::1
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 35, 4},         // IPv4
    {{}, 96, 1, 3},                                                  // IPv4-compatible
    {{0x20, 0x01}, 32, 5, 5},                                        // Teredo
    {{0x20, 0x02}, 16, 30, 2},                                       // 6to4
    {{0x3f, 0xfe}, 16, 1, 12},                                       // 6bone
    {{0xfe, 0xc0}, 10, 1, 11},                                       // site-local
    {{0xfc}, 7, 3, 13},                                              // unique local
    {{}, 0, 40, 1},
};
const Policy& policy_of(const Bytes& bytes) noexcept {
  return *std::find_if(std::begin(kPolicies), std::end(kPolicies),
                       [&bytes](const Policy& policy) { return common_prefix(policy.prefix, bytes) >= policy.length; });
}

// Sections 3.1 and 3.2: 2 link-local, 5 site-local, 14 global; of multicast what it says.
int scope_of(const Bytes& bytes) noexcept {
  constexpr int kLink = 2, kSite = 5, kGlobal = 14;
  if (policy_of(bytes).label == 4) {
    const bool near = bytes[12] == 127 || (bytes[12] == 169 && bytes[13] == 254);
    return near ? kLink : kGlobal;
  }
  if (bytes[0] == 0xff) return bytes[1] & 15;
  if (policy_of(bytes).precedence == 50 || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)) return kLink;
  return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0xc0 ? kSite : kGlobal;
}

struct Key {
  bool unreachable, other_scope, other_label;
  int precedence, scope;
  bool is_v6;
  int prefix;
};
Key key_of(const Destination& destination) noexcept {
  const auto address = bytes_of(destination.address), source = bytes_of(destination.source);
  const bool reachable = static_cast<bool>(destination.source);
  const int scope = scope_of(address);
  const auto& policy = policy_of(address);
  const bool is_v6 = destination.address.family() == AF_INET6;
  // Beyond the network's part, bits in common mean nothing: no more than 64 count.
  return {!reachable, !reachable || scope != scope_of(source), !reachable || policy.label != policy_of(source).label,
          policy.precedence, scope, is_v6, reachable && is_v6 ? std::min(common_prefix(address, source), 64) : 0};
}

bool is_better(const Key& a, const Key& b) noexcept {
  if (a.unreachable != b.unreachable) return b.unreachable;      // 1
  if (a.other_scope != b.other_scope) return b.other_scope;      // 2
  if (a.other_label != b.other_label) return b.other_label;      // 5
  if (a.precedence != b.precedence) return a.precedence > b.precedence;  // 6
  if (a.scope != b.scope) return a.scope < b.scope;              // 8
  return a.is_v6 && b.is_v6 && a.prefix > b.prefix;              // 9; 10: as they came
}

// Connecting a datagram socket sends nothing and chooses the source.
Address source_for(const Address& address) noexcept {
  const UniqueFd fd(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), static_cast<const sockaddr*>(address.data()), address.size()) != 0) return {};
  return local_of(fd.get());
}

// connect() wants a port, any one.
Address with_some_port(Address address) noexcept {
  constexpr std::uint16_t kDiscard = 9;
  sockaddr_storage storage{};
  std::memcpy(&storage, address.data(), address.size());
  const auto port = htons(kDiscard);
  if (address.family() == AF_INET) reinterpret_cast<sockaddr_in&>(storage).sin_port = port;
  else reinterpret_cast<sockaddr_in6&>(storage).sin6_port = port;
  return Address::from_data(&storage, address.size());
}

}  // namespace

void order_destinations(std::vector<Destination>& destinations) {
  // They are few; and each stays behind those of its rank.
  const auto better = [](const Destination& a, const Destination& b) { return is_better(key_of(a), key_of(b)); };
  for (auto it = destinations.begin(); it != destinations.end(); ++it) {
    std::rotate(std::upper_bound(destinations.begin(), it, *it, better), it, std::next(it));
  }
}

void order_addresses(std::vector<Address>& addresses) {
  if (addresses.size() < 2) return;
  std::vector<Destination> destinations;
  for (const auto& address : addresses) destinations.push_back({address, source_for(with_some_port(address))});
  order_destinations(destinations);
  std::transform(destinations.begin(), destinations.end(), addresses.begin(),
                 [](const Destination& destination) { return destination.address; });
}

}  // namespace eddy::detail
