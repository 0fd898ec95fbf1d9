// SPDX-License-Identifier: MIT
// The rule that costs the most when it breaks: an echoed message allocates nothing. Counted in the whole
// process, client included, at operator new and (but for sanitizers, which own it) at malloc.
#include <eddy/eddy.hpp>

#include <string>

#include "count_allocations.hpp"
#include "support.hpp"

namespace {

constexpr int kWarmUp = 100, kMessages = 1000;

Coro<> echo(eddy::StreamReader reader, eddy::StreamWriter writer) {
  for (;;) {
    auto bytes = co_await reader.read_view();
    if (bytes.empty()) break;
    writer.write(bytes);
    co_await writer.drain();
  }
}

Coro<> exchange(eddy::Streams& streams, const std::string& message, int count) {
  for (int i = 0; i < count; ++i) {
    streams.writer.write(message);
    co_await streams.writer.drain();
    EXPECT_EQ(co_await streams.reader.readexactly_view(message.size()), message);
  }
}

// What 1,000 echoes of `size` bytes on each of `connections` at once allocate, once warm.
struct Tls {
  eddy::tls::Context serving, trusting;
};
Coro<std::size_t> allocations_of(std::size_t size, std::size_t connections, const Tls* tls = nullptr) {
  const std::string message(size, 'x');
  auto server = co_await eddy::start_server(echo, "127.0.0.1", 0, {.tls = tls ? &tls->serving : nullptr});
  eddy::Barrier all_warm(connections);
  std::size_t before = 0, after = 0;
  auto client = [&]() -> Coro<> {
    auto streams = co_await eddy::open_connection("127.0.0.1", server.port(), {.tls = tls ? &tls->trusting : nullptr});
    co_await exchange(streams, message, kWarmUp);
    co_await all_warm.wait();
    co_await exchange(streams, message, kWarmUp);
    if (before == 0) before = allocations;
    co_await exchange(streams, message, kMessages);
    if (after == 0) after = allocations;
  };
  std::vector<Coro<>> clients;
  for (std::size_t i = 0; i < connections; ++i) clients.push_back(client());
  co_await eddy::gather(std::move(clients));
  server.close();
  co_return after - before;
}

}  // namespace

BACKEND_TEST(EchoAllocations, ASmallMessageAllocatesNothing) { EXPECT_EQ(co_await allocations_of(64, 1), 0u); }
BACKEND_TEST(EchoAllocations, ALargeMessageAllocatesNothing) { EXPECT_EQ(co_await allocations_of(16 * 1024, 1), 0u); }
BACKEND_TEST(EchoAllocations, ManyConnectionsAtOnceAllocateNothing) { EXPECT_EQ(co_await allocations_of(64, 40), 0u); }

namespace {

Coro<std::size_t> allocations_over_tls(std::size_t size, std::size_t connections, eddy::tls::Version version) {
  const auto identity = eddy::tls::self_signed("127.0.0.1");
  const Tls tls{eddy::tls::server(identity), eddy::tls::client({.ca_pem = identity.certificate_pem, .maximum_version = version})};
  co_return co_await allocations_of(size, connections, &tls);
}
// OpenSSL 3.0 writes a record with a WPACKET: four mallocs of 40 bytes. An echo is two records.
constexpr std::size_t kOfOpenssl = COUNTS_MALLOC ? 8 * kMessages : 0;

}  // namespace

BACKEND_TEST(EchoAllocations, AMessageOverTlsAllocatesNothingButWhatOpensslDoes) {
  for (auto version : {eddy::tls::Version::tls1_2, eddy::tls::Version::tls1_3}) {
    const auto small = co_await allocations_over_tls(64, 1, version);
    EXPECT_LE(small, kOfOpenssl);
    const auto large = co_await allocations_over_tls(16 * 1024, 1, version);
    EXPECT_LE(large, kOfOpenssl);
    const auto many = co_await allocations_over_tls(64, 10, version);
    EXPECT_LE(many, 10 * kOfOpenssl);
  }
}

TEST(EchoAllocations, TheCounterCounts) {
  const auto before = allocations;
  const std::string text(1000, 'x');
  EXPECT_GT(allocations, before) << text.size();
}
