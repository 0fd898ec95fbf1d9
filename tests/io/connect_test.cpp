// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include "base/unique_fd.hpp"
#include "descriptor_count.hpp"
#include "io/sockets.hpp"
#include "support.hpp"

using eddy::Address;
using eddy::open_connection;
using eddy::testing::error_of;

namespace {

// A port on which nobody listens: held, so that nobody comes.
struct SilentPort {
  eddy::detail::UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int port;
  SilentPort() {
    const Address any("127.0.0.1", 0);
    EXPECT_EQ(::bind(fd.get(), static_cast<const sockaddr*>(any.data()), any.size()), 0);
    port = eddy::detail::local_of(fd.get()).port();
  }
};

// A listener whose queue is full, 127.0.0.2, and those that fill it.
struct DeafListener {
  eddy::detail::UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  std::vector<eddy::detail::UniqueFd> fillers;
  Address address;
  DeafListener() {
    const Address any("127.0.0.2", 0);
    EXPECT_EQ(::bind(fd.get(), static_cast<const sockaddr*>(any.data()), any.size()), 0);
    EXPECT_EQ(::listen(fd.get(), 0), 0);
    address = eddy::detail::local_of(fd.get());
    for (int i = 0; i < 4; ++i) {
      fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      static_cast<void>(::connect(fillers.back().get(), static_cast<const sockaddr*>(address.data()), address.size()));
    }
  }
};

}  // namespace

BACKEND_TEST(Connecting, IO_09_ToOneAddressThatRefusesSaysWhich) {
  SilentPort silent;
  const auto error = co_await error_of<eddy::ConnectionRefusedError>(open_connection("127.0.0.1", silent.port));
  EXPECT_EQ(error.what(), fmt::format("connect to 127.0.0.1:{}: Connection refused", silent.port));
  EXPECT_EQ(error.error_number(), ECONNREFUSED);
}

BACKEND_TEST(Connecting, IO_10_ToSeveralAddressesListsEachFailure) {
  SilentPort silent;
  const auto addresses = co_await eddy::getaddrinfo("localhost", silent.port);
  const auto error = co_await error_of<eddy::OSError>(open_connection("localhost", silent.port));
  std::string lines;
  for (const auto& address : addresses) lines += "\n  " + address.str() + ": ";
  const std::string text = error.what();
  if (addresses.size() == 1) {
    EXPECT_EQ(text, fmt::format("connect to {}: Connection refused", addresses[0].str()));
    co_return;
  }
  EXPECT_EQ(text.substr(0, text.find('\n')),
            fmt::format("connect to localhost:{} failed at each of its {} addresses", silent.port, addresses.size()));
  for (const auto& address : addresses) EXPECT_NE(text.find("\n  " + address.str() + ": "), text.npos) << text;
}

BACKEND_TEST(Connecting, ToASlowAddressStartsTheNextBesideIt) {
  using eddy::detail::UniqueFd;
  DeafListener deaf;
  auto server = co_await eddy::start_server([](eddy::StreamReader, eddy::StreamWriter) -> Coro<> { co_return; }, "127.0.0.1", 0);
  const std::vector<eddy::Address> addresses{deaf.address, server.address()};
  const auto before = open_descriptors();
  const auto began = std::chrono::steady_clock::now();
  const UniqueFd fd = co_await eddy::detail::connect_to_any("two.example:80", addresses, eddy::Address());
  EXPECT_EQ(eddy::detail::peer_of(fd.get()), server.address());
  EXPECT_GE(std::chrono::steady_clock::now() - began, 250ms);
  EXPECT_LE(open_descriptors(), before + 2);  // ours, and the server's end of it, if it has come to accepting
}

namespace {

// The peers of connections to these addresses, as text; in the order in which they were tried where none answers.
Coro<std::string> tried(std::vector<Address> addresses, int interleave) {
  auto error = eddy::testing::error_of<eddy::OSError>(
      eddy::detail::connect_to_any("x:1", std::move(addresses), Address(), eddy::Duration::max(), interleave));
  const auto failed = co_await std::move(error);
  std::string order, text = failed.what();
  for (auto at = text.find("\n  "); at != text.npos; at = text.find("\n  ", at + 1)) {
    order += (order.empty() ? "" : " ") + text.substr(at + 3, text.find(": ", at) - at - 3);
  }
  co_return order;
}

}  // namespace

BACKEND_TEST(Connecting, TheDelayBeforeTheNextAddressCanBeChosen) {
  DeafListener deaf;
  auto server = co_await eddy::start_server([](eddy::StreamReader, eddy::StreamWriter) -> Coro<> { co_return; }, "127.0.0.1", 0);
  const std::vector<Address> addresses{deaf.address, server.address()};
  const auto began = std::chrono::steady_clock::now();
  const auto fd = co_await eddy::detail::connect_to_any("two.example:80", addresses, Address(), 20ms);
  EXPECT_EQ(eddy::detail::peer_of(fd.get()), server.address());
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took, 20ms);
  EXPECT_LT(took, 240ms);
  // Without a delay, a deaf address is waited for.
  auto patient = eddy::timeout(50ms, eddy::detail::connect_to_any("two.example:80", addresses, Address(), eddy::Duration::max()));
  static_cast<void>(co_await error_of<eddy::TimeoutError>(std::move(patient)));
}

BACKEND_TEST(Connecting, FamiliesComeInTurnAsFarAsWanted) {
  SilentPort silent;
  const std::vector<Address> addresses{Address("::1", silent.port), Address("::1", silent.port), Address("::1", silent.port),
                                       Address("127.0.0.1", silent.port), Address("127.0.0.2", silent.port)};
  const auto six = fmt::format("[::1]:{}", silent.port), one = fmt::format("127.0.0.1:{}", silent.port),
             two = fmt::format("127.0.0.2:{}", silent.port);
  auto order = co_await tried(addresses, 0);
  EXPECT_EQ(order, fmt::format("{0} {0} {0} {1} {2}", six, one, two));
  order = co_await tried(addresses, 1);
  EXPECT_EQ(order, fmt::format("{0} {1} {0} {2} {0}", six, one, two));
  order = co_await tried(addresses, 2);
  EXPECT_EQ(order, fmt::format("{0} {0} {1} {0} {2}", six, one, two));
  order = co_await tried(addresses, 9);
  EXPECT_EQ(order, fmt::format("{0} {0} {0} {1} {2}", six, one, two));
}

BACKEND_TEST(Connecting, OneFamilyCanBeAskedFor) {
  const auto error = co_await error_of<eddy::GaiError>(open_connection("127.0.0.1", 1, {.family = AF_INET6}));
  EXPECT_STREQ(error.what(), "cannot resolve '127.0.0.1': the address is of another family");
  auto make = [] { return std::make_unique<eddy::Protocol>(); };
  auto& loop = eddy::get_running_loop();
  auto connecting = loop.create_connection(make, "::1", 1, {.family = AF_INET});
  const auto other = co_await error_of<eddy::GaiError>(std::move(connecting));
  EXPECT_STREQ(other.what(), "cannot resolve '::1': the address is of another family");
}

BACKEND_TEST(Connecting, IO_09_RefusesBadPorts) {
  const auto high = co_await error_of<eddy::ValueError>(open_connection("localhost", 70000));
  EXPECT_STREQ(high.what(), "connect to localhost: port 70000 is outside of 0 to 65535");
  const auto low = co_await error_of<eddy::ValueError>(open_connection("localhost", -1));
  EXPECT_STREQ(low.what(), "connect to localhost: port -1 is outside of 0 to 65535");
}

BACKEND_TEST(Connecting, IO_11_FromALocalAddressBindsIt) {
  eddy::Queue<std::string> peers;
  auto handler = [&](eddy::StreamReader, eddy::StreamWriter writer) -> Coro<> {
    peers.put_nowait(writer.peer_address().host());
    co_return;
  };
  auto server = co_await eddy::start_server(handler, "127.0.0.1", 0);
  auto streams = co_await open_connection("127.0.0.1", server.port(), {.local = Address("127.0.0.2", 0)});
  EXPECT_EQ(co_await peers.get(), "127.0.0.2");
  SilentPort taken;
  const auto text = co_await error_of<eddy::OSError>(
      open_connection("127.0.0.1", server.port(), {.local = Address("127.0.0.1", taken.port)}));
  EXPECT_EQ(text.what(), fmt::format("bind to 127.0.0.1:{} in order to connect to 127.0.0.1:{}: Address already in use",
                                     taken.port, server.port()));
  server.close();
}

BACKEND_TEST(Connecting, IO_12_CancelledLeaksNoDescriptor) {
  // A listener whose queue is full: further connections stay on their way.
  auto listener = eddy::detail::listen_on(Address("127.0.0.1", 0), 0, true, false);
  const int port = eddy::detail::local_of(listener.get()).port();
  auto first = co_await open_connection("127.0.0.1", port);
  const auto before = open_descriptors();
  for (int i = 0; i < 350; ++i) {
    auto connect = [&]() -> Coro<> { co_await open_connection("127.0.0.1", port); };
    auto task = eddy::create_task(connect());
    co_await eddy::sleep(0s);
    co_await eddy::sleep(0s);
    task.cancel();
    try {
      co_await task;
    } catch (const eddy::CancelledError&) {
    }
  }
  co_await eddy::sleep(1ms);
  EXPECT_EQ(open_descriptors(), before);
}

BACKEND_TEST(Resolving, IO_25_NumericAddressesNeedsNoThread) {
  const auto addresses = co_await eddy::getaddrinfo("::1", 80);
  EXPECT_EQ(addresses.size(), 1u);
  EXPECT_EQ(addresses.at(0).str(), "[::1]:80");
}

BACKEND_TEST(Resolving, IO_25_FailuresHaveTheResolversCode) {
  const auto error = co_await error_of<eddy::GaiError>(eddy::getaddrinfo("no such host", 80));
  EXPECT_TRUE(std::string(error.what()).starts_with("cannot resolve 'no such host': ")) << error.what();
  EXPECT_EQ(error.error_number(), EAI_NONAME);
  EXPECT_STREQ(error.code().category().name(), "getaddrinfo");
  const auto zero = co_await error_of<eddy::GaiError>(eddy::getaddrinfo(std::string("a\0b", 3), 80));
  EXPECT_STREQ(zero.what(), "cannot resolve a name with a zero byte in it");
  EXPECT_EQ(zero.error_number(), EAI_NONAME);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, static_cast<void>(eddy::getaddrinfo("localhost", 65536))),
            "getaddrinfo: port 65536 is outside of 0 to 65535");
}
