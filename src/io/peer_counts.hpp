// SPDX-License-Identifier: MIT
// How many connections each peer of a server has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>

namespace eddy::detail {

/// Whom a connection is counted for: an IPv4 address (IPv4-mapped IPv6 as well), the /64 of an IPv6 one, a user of a Unix
/// socket.
///
/// An IPv6 host has 2^64 addresses of its network at its command, so a limit by the whole address would bind nobody; those
/// who share a network count as one, as those behind one IPv4 address do. Of link-local addresses, whose /64 is every
/// host's on the link, all bits count.
struct PeerKey {
  std::uint64_t high = 0, low = 0;
  friend bool operator==(const PeerKey&, const PeerKey&) = default;
};

/// Nothing if the kernel cannot tell, which is so when the peer has gone already.
std::optional<PeerKey> peer_key(int fd) noexcept;
std::optional<PeerKey> peer_key(const void* sockaddr, std::size_t size) noexcept;

class PeerCounts {
 public:
  using Entry = std::pair<const PeerKey, std::size_t>;

  /// One more, or null if that were more than `most`. The entry stays until as many have left.
  Entry* enter(const PeerKey& key, std::size_t most);
  /// Null: it was not counted.
  void leave(Entry* entry) noexcept;
  std::size_t peers() const noexcept { return counts_.size(); }

 private:
  // Peers choose their keys, so the hash has a secret: chosen keys must not fall into one bucket.
  struct Hash {
    std::uint64_t secret;
    std::size_t operator()(const PeerKey& key) const noexcept;
  };
  static std::uint64_t new_secret() noexcept;

  std::unordered_map<PeerKey, std::size_t, Hash> counts_{0, Hash{new_secret()}};
};

}  // namespace eddy::detail
