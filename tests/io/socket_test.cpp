// SPDX-License-Identifier: MIT
// Socket by itself: the calls that block, or say that they would.
#include <eddy/exceptions.hpp>
#include <eddy/sockets.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <unistd.h>
#include <sys/socket.h>

#include <array>
#include <thread>

#include "descriptor_count.hpp"
#include "support.hpp"

using eddy::Address;
using eddy::Socket;

namespace {

struct Listening {
  Socket socket;
  Address address;
  explicit Listening(Socket s = Socket()) : socket(std::move(s)) {
    socket.set_option("SO_REUSEADDR", 1);
    socket.bind(Address("127.0.0.1", 0));
    socket.listen();
    address = socket.getsockname();
  }
};

std::array<char, 16> buffer;

}  // namespace

TEST(Sockets, BlockByDefaultAndSayWhatTheyAre) {
  Socket socket(AF_INET6, SOCK_DGRAM);
  EXPECT_TRUE(socket.get_blocking());
  EXPECT_FALSE(socket.timeout().has_value());
  EXPECT_EQ(socket.family(), AF_INET6);
  EXPECT_EQ(socket.type(), SOCK_DGRAM);
  EXPECT_EQ(socket.protocol(), IPPROTO_UDP);
  EXPECT_TRUE(::fcntl(socket.fileno(), F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(TEXT_OF(eddy::OSError, Socket(AF_INET, 77)), "make a socket of family 2, type 13: Invalid argument");
}

TEST(Sockets, ConnectAcceptSendAndReceive) {
  Listening server;
  Socket client;
  client.connect(server.address);
  auto accepted = server.socket.accept();
  EXPECT_EQ(accepted.address, client.getsockname());
  EXPECT_EQ(client.getpeername(), server.address);
  client.sendall("hello");
  EXPECT_EQ(accepted.socket.recv(100), "hello");
  std::array<std::byte, 3> three{};
  accepted.socket.send("abcdef");
  EXPECT_EQ(client.recv_into(three), 3u);
  EXPECT_EQ(static_cast<char>(three[2]), 'c');
  EXPECT_EQ(client.recv(100), "def");
  client.shutdown(SHUT_WR);
  EXPECT_EQ(accepted.socket.recv(100), "");
}

TEST(Sockets, NonBlockingOnesSayThatTheyWouldWait) {
  Listening server;
  server.socket.set_blocking(false);
  EXPECT_EQ(TEXT_OF(eddy::BlockingIOError, server.socket.accept()),
            fmt::format("accept on descriptor {}: Resource temporarily unavailable", server.socket.fileno()));
  auto [a, b] = eddy::socketpair();
  a.set_blocking(false);
  EXPECT_FALSE(a.get_blocking());
  EXPECT_EQ(a.timeout(), eddy::Duration());
  EXPECT_THROW(a.recv(10), eddy::BlockingIOError);
  EXPECT_EQ(a.try_recv(buffer), std::nullopt);
  b.send("ready");
  EXPECT_EQ(a.try_recv(buffer), 5u);
  b.close();
  EXPECT_EQ(a.try_recv(buffer), 0u);
  a.set_blocking(true);
  EXPECT_FALSE(a.timeout().has_value());
}

TEST(Sockets, TryDoesNotWaitOnABlockingOneEither) {
  auto [a, b] = eddy::socketpair();
  EXPECT_EQ(a.try_recv(buffer), std::nullopt);
  const std::string block(1 << 16, 'x');
  while (a.try_send(block)) {
  }
  EXPECT_EQ(a.try_send(block), std::nullopt);
}

TEST(Sockets, TimeOut) {
  auto [a, b] = eddy::socketpair();
  a.set_timeout(20ms);
  EXPECT_TRUE(a.get_blocking());
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(TEXT_OF(eddy::TimeoutError, a.recv(1)),
            fmt::format("receive from descriptor {}: timed out after 20ms", a.fileno()));
  EXPECT_GE(std::chrono::steady_clock::now() - began, 20ms);
  b.send("x");
  EXPECT_EQ(a.recv(1), "x");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, a.set_timeout(-1s)), "the timeout of a socket must not be negative and is -1s");
}

TEST(Sockets, ErrorsNameThePeerAndAreOfTheFamily) {
  Listening server;
  const auto address = server.address;
  Socket client;
  client.connect(address);
  auto accepted = server.socket.accept().socket;
  const linger at_once{1, 0};
  accepted.setsockopt(SOL_SOCKET, SO_LINGER, std::as_bytes(std::span(&at_once, 1)));
  accepted.close();  // a reset
  EXPECT_EQ(TEXT_OF(eddy::ConnectionResetError, client.recv(1)),
            fmt::format("receive from descriptor {}: Connection reset by peer", client.fileno()));
  EXPECT_EQ(TEXT_OF(eddy::BrokenPipeError, client.send("x")),
            fmt::format("send to descriptor {}: Broken pipe", client.fileno()));
  server.socket.close();
  Socket other;
  EXPECT_EQ(other.connect_ex(address), ECONNREFUSED);
  EXPECT_EQ(TEXT_OF(eddy::ConnectionRefusedError, Socket().connect(address)),
            fmt::format("connect to {}: Connection refused", address.str()));
  EXPECT_EQ(TEXT_OF(eddy::OSError, Socket().bind(Address("203.0.113.1", 80))),
            "bind to 203.0.113.1:80: Cannot assign requested address");
  EXPECT_EQ(TEXT_OF(eddy::OSError, Socket().getpeername()).substr(0, 27), "name the peer of descriptor");
}

TEST(Sockets, DatagramsHaveSenders) {
  Socket a(AF_INET, SOCK_DGRAM), b(AF_INET, SOCK_DGRAM);
  a.bind(Address("127.0.0.1", 0));
  b.bind(Address("127.0.0.1", 0));
  EXPECT_EQ(a.sendto("hello", b.getsockname()), 5u);
  const auto first = b.recvfrom(100);
  EXPECT_EQ(first.data, "hello");
  EXPECT_EQ(first.from, a.getsockname());
  b.sendto("0123456789", a.getsockname());
  std::array<char, 4> four{};
  const auto second = a.recvfrom_into(four);
  EXPECT_EQ(second.size, 4u);  // the rest of a datagram is lost
  EXPECT_EQ(second.from, b.getsockname());
}

TEST(Sockets, OptionsByNumberAndByName) {
  Socket socket;
  socket.setsockopt(IPPROTO_TCP, 1, 1);
  EXPECT_EQ(socket.option("TCP_NODELAY"), 1);
  socket.set_option("SO_KEEPALIVE", 1);
  EXPECT_EQ(socket.getsockopt(SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(socket.getsockopt(SOL_SOCKET, SO_LINGER, sizeof(linger)).size(), sizeof(linger));
  EXPECT_EQ(TEXT_OF(eddy::ValueError, socket.set_option("SO_NONSENSE", 1)),
            "socket option 'SO_NONSENSE' is none that eddy knows by name; setsockopt() takes numbers");
  EXPECT_EQ(TEXT_OF(eddy::OSError, socket.set_option("IPV6_V6ONLY", 1)),
            fmt::format("set IPV6_V6ONLY of descriptor {}: Protocol not available", socket.fileno()));
  EXPECT_EQ(TEXT_OF(eddy::OSError, static_cast<void>(socket.getsockopt(SOL_SOCKET, 9999))),
            fmt::format("get option 9999 of level 1 of descriptor {}: Protocol not available", socket.fileno()));
}

TEST(Sockets, OwnTheirDescriptor) {
  const auto before = open_descriptors();
  {
    auto [a, b] = eddy::socketpair();
    Socket moved = std::move(a);
    EXPECT_TRUE(a.closed());
    auto copy = b.dup();
    b = std::move(moved);
    EXPECT_EQ(open_descriptors(), before + 3);
    const int number = copy.detach();
    auto adopted = Socket::from_fd(number);
    EXPECT_EQ(adopted.fileno(), number);
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(TEXT_OF(eddy::OSError, Socket::from_fd(-1)), "take over descriptor -1 as a socket: Bad file descriptor");
}

TEST(Sockets, DescriptorsTravelWithBytes) {
  const auto before = open_descriptors();
  {
    auto [a, b] = eddy::socketpair();
    auto [c, d] = eddy::socketpair();
    EXPECT_EQ(a.send_fds("two", {c.fileno(), d.fileno()}), 3u);
    auto received = b.recv_fds(100, 2);
    EXPECT_EQ(received.data, "two");
    EXPECT_EQ(received.flags, 0);
    EXPECT_EQ(received.descriptors.size(), 2u);
    auto other = Socket::from_fd(received.descriptors.at(0).detach());
    other.send("through the copy");
    EXPECT_EQ(d.recv(100), "through the copy");

    a.send_fds("three", {c.fileno(), d.fileno(), c.fileno()});
    auto cut = b.recv_fds(100, 1);
    EXPECT_EQ(cut.data, "three");
    EXPECT_EQ(cut.descriptors.size(), 1u);
    EXPECT_EQ(cut.flags, MSG_CTRUNC);
    EXPECT_EQ(TEXT_OF(eddy::ValueError, a.send_fds("", {1})), "send descriptors: at least one byte has to go with them");
    EXPECT_EQ(TEXT_OF(eddy::ValueError, a.send_fds("x", std::vector<int>(254, 1))),
              "send descriptors: at most 253 travel together, not 254");
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Sockets, OfUnixKnowWhoIsAtTheOtherEnd) {
  auto [a, b] = eddy::socketpair();
  EXPECT_EQ(a.peer_credentials(), (eddy::PeerCredentials{::getpid(), ::getuid(), ::getgid()}));
  Socket alone(AF_UNIX);
  EXPECT_EQ(TEXT_OF(eddy::OSError, static_cast<void>(alone.peer_credentials())),
            fmt::format("get the credentials of the peer of descriptor {}: Transport endpoint is not connected",
                        alone.fileno()));
}

TEST(UnixAddresses, ArePathsOrAbstractNames) {
  EXPECT_EQ(Address::from_path("/tmp/x").str(), "/tmp/x");
  EXPECT_EQ(Address::from_path(std::string("\0name", 5)).str(), "@name");
  EXPECT_EQ(Address::from_path("").host(), "");
  EXPECT_EQ(Address::from_path("").family(), AF_UNIX);
  EXPECT_EQ(Address::from_path("/tmp/x").port(), 0);
  EXPECT_NE(Address::from_path("/tmp/x"), Address::from_path("/tmp/y"));
  const std::string longest(107, 'p'), longer(108, 'p');
  EXPECT_EQ(Address::from_path(longest).host(), longest);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, Address::from_path(longer)),
            fmt::format("unix address '{}' has 108 bytes; at most 107 are possible", longer));
  EXPECT_EQ(TEXT_OF(eddy::ValueError, Address::from_path(std::string("a\0b", 3))),
            "unix address: the path has a zero byte in it");
}

TEST(UnixAddresses, WithoutAPathLetTheSystemChoose) {
  Socket a(AF_UNIX), b(AF_UNIX);
  a.bind(Address::from_path(""));
  a.listen();
  EXPECT_EQ(a.getsockname().host().substr(0, 1), "@");
  b.connect(a.getsockname());
  EXPECT_EQ(a.accept().address.host(), "");
}
