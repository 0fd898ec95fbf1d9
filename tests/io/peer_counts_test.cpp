// SPDX-License-Identifier: MIT
#include "io/peer_counts.hpp"

#include <eddy/addresses.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "support.hpp"

using eddy::Address;
using eddy::detail::peer_key;
using eddy::detail::PeerCounts;

namespace {

auto key_of(const char* host) {
  const Address address(host, 4711);
  return peer_key(address.data(), address.size());
}

}  // namespace

TEST(PeerKeys, AnIpv4AddressIsOnePeerAlsoWhereItIsMapped) {
  EXPECT_EQ(key_of("192.0.2.1"), key_of("::ffff:192.0.2.1"));
  EXPECT_NE(key_of("192.0.2.1"), key_of("192.0.2.2"));
  EXPECT_NE(key_of("0.0.0.1"), key_of("::1"));
}

TEST(PeerKeys, AnIpv6NetworkOf64BitsIsOnePeer) {
  EXPECT_EQ(key_of("2001:db8:1:2::1"), key_of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  EXPECT_NE(key_of("2001:db8:1:2::1"), key_of("2001:db8:1:3::1"));
}

TEST(PeerKeys, LinkLocalAddressesCountWhole) {
  EXPECT_NE(key_of("fe80::1"), key_of("fe80::2"));
  EXPECT_EQ(key_of("fe80::1"), key_of("fe80::1"));
}

TEST(PeerKeys, AUserOfAUnixSocketIsOnePeer) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const eddy::detail::UniqueFd near(ends[0]), far(ends[1]);
  const auto key = peer_key(near.get());
  ASSERT_TRUE(key);
  EXPECT_EQ(key->low, ::getuid());
  EXPECT_EQ(key, peer_key(far.get()));
  EXPECT_FALSE(peer_key(-1));
  EXPECT_FALSE(peer_key("", 0));
}

TEST(PeerCountsOfAServer, RefuseBeyondTheMostAndForgetWhoHasLeft) {
  PeerCounts counts;
  const auto one = *key_of("192.0.2.1"), other = *key_of("192.0.2.2");
  auto* first = counts.enter(one, 2);
  auto* second = counts.enter(one, 2);
  EXPECT_EQ(first, second);
  EXPECT_EQ(counts.enter(one, 2), nullptr);
  auto* third = counts.enter(other, 2);
  EXPECT_NE(third, nullptr);
  EXPECT_EQ(counts.peers(), 2u);
  counts.leave(first);
  EXPECT_NE(counts.enter(one, 2), nullptr);
  counts.leave(first);
  counts.leave(second);
  counts.leave(third);
  counts.leave(nullptr);
  EXPECT_EQ(counts.peers(), 0u);
}
