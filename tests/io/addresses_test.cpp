// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "support.hpp"

using eddy::Address;

TEST(Addresses, IO_22_AreReadAndWrittenBothWays) {
  EXPECT_EQ(Address("127.0.0.1", 80).str(), "127.0.0.1:80");
  EXPECT_EQ(Address("::1", 8080).str(), "[::1]:8080");
  EXPECT_EQ(Address("0:0::0001", 1).host(), "::1");
  EXPECT_EQ(Address("127.0.0.1", 80), Address("127.0.0.1", 80));
  EXPECT_FALSE(Address("127.0.0.1", 80) == Address("127.0.0.1", 81));
  EXPECT_FALSE(Address());
  EXPECT_EQ(Address().str(), "");
}

TEST(Addresses, ThatAreNotNumericAreRefused) {
  EXPECT_EQ(TEXT_OF(eddy::ValueError, Address("localhost", 1)),
            "address 'localhost' is not numeric; a name is resolved by getaddrinfo()");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, Address("127.0.0.1", 65536)), "address: port 65536 is outside of 0 to 65535");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, Address("127.0.0.1", -1)), "address: port -1 is outside of 0 to 65535");
}

TEST(Addresses, OfUnixSocketsAreTheirPath) {
  sockaddr_un path{};
  path.sun_family = AF_UNIX;
  std::strcpy(path.sun_path, "/run/x.sock");
  EXPECT_EQ(Address::from_data(&path, sizeof path).str(), "/run/x.sock");
  path.sun_path[0] = '\0';
  EXPECT_EQ(Address::from_data(&path, offsetof(sockaddr_un, sun_path) + 4).host(), "@run");
}
