// SPDX-License-Identifier: MIT
#include "io/peer_counts.hpp"

#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <cstring>

namespace eddy::detail {
namespace {

constexpr std::uint64_t kMapped = 0xffff'0000'0000;  // ::ffff:0:0/96, as the low half
constexpr std::uint64_t kUser = ~std::uint64_t{0};   // the high half of a user's key: no address begins like that

std::uint64_t big_endian(const unsigned char* bytes) noexcept {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | bytes[i];
  return value;
}

PeerKey key_of(const sockaddr_in6& address) noexcept {
  const auto* bytes = address.sin6_addr.s6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) return {0, big_endian(bytes + 8)};
  if (IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr)) return {big_endian(bytes) | address.sin6_scope_id, big_endian(bytes + 8)};
  return {big_endian(bytes), 0};
}

// The last step of SplitMix64.
std::uint64_t mixed(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

std::optional<PeerKey> peer_key(const void* data, std::size_t size) noexcept {
  sockaddr_storage storage{};
  if (size > sizeof storage) return {};
  std::memcpy(&storage, data, size);
  if (storage.ss_family == AF_INET) {
    return PeerKey{0, kMapped | ntohl(reinterpret_cast<const sockaddr_in&>(storage).sin_addr.s_addr)};
  }
  if (storage.ss_family == AF_INET6) return key_of(reinterpret_cast<const sockaddr_in6&>(storage));
  return {};
}

std::optional<PeerKey> peer_key(int fd) noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  if (storage.ss_family != AF_UNIX) return peer_key(&storage, size);
  ucred user{};
  socklen_t length = sizeof user;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &user, &length) != 0) return {};
  return PeerKey{kUser, user.uid};
}

PeerCounts::Entry* PeerCounts::enter(const PeerKey& key, std::size_t most) {
  const auto [found, is_new] = counts_.try_emplace(key, std::size_t{0});
  if (found->second >= most) return nullptr;
  ++found->second;
  return &*found;
}

void PeerCounts::leave(Entry* entry) noexcept {
  if (!entry || --entry->second > 0) return;
  const auto key = entry->first;  // the entry goes with it
  counts_.erase(key);
}

std::size_t PeerCounts::Hash::operator()(const PeerKey& key) const noexcept {
  return mixed(mixed(key.high ^ secret) ^ key.low);
}

std::uint64_t PeerCounts::new_secret() noexcept {
  std::uint64_t secret = 0;
  if (::getrandom(&secret, sizeof secret, GRND_NONBLOCK) < 0) secret = reinterpret_cast<std::uintptr_t>(&secret);
  return secret;
}

}  // namespace eddy::detail
