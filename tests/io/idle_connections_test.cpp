// SPDX-License-Identifier: MIT
// What a connection costs in memory while its handler waits for bytes. Counted in the whole process, so the clients are
// bare sockets. `./dev bench idle` measures the same from outside, with 10,000 connections.
#include <eddy/eddy.hpp>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/unique_fd.hpp"
#include "support.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
constexpr std::size_t kMost = 2048;  // bytes a connection; frames of unoptimised coroutines are larger
#else
constexpr std::size_t kMost = 1536;
#endif

namespace {

using eddy::StreamReader;
using eddy::StreamWriter;

std::size_t heap_bytes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return __sanitizer_get_current_allocated_bytes();
#else
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

// As many as the hard limit allows, both ends being here: at most 1,000. select() takes descriptors below 1024 alone.
std::size_t connections_that_fit() {
  if (eddy::get_running_loop().backend_name() == "select") return 450;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return std::min<std::size_t>(1000, (limit.rlim_max - 100) / 2);
}

eddy::detail::UniqueFd client_of(const eddy::Address& address) {
  eddy::detail::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(fd.get(), static_cast<const sockaddr*>(address.data()), address.size()), 0);
  return fd;
}

// After the first tenth, which warms up what they share.
Coro<std::size_t> bytes_each(eddy::Server server) {
  const auto count = connections_that_fit();
  EXPECT_GE(count, 400u) << "RLIMIT_NOFILE is too low to say much";
  std::vector<eddy::detail::UniqueFd> clients;
  clients.reserve(count);
  std::size_t before = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i == count / 10) before = heap_bytes();
    clients.push_back(client_of(server.address()));
    while (server.connections() <= i) co_await eddy::sleep(eddy::Duration());
    if (i % 64 == 0) co_await eddy::sleep(1ms);  // their handlers come to wait
  }
  co_await eddy::sleep(5ms);
  const auto after = heap_bytes();
  server.close();
  clients.clear();
  co_await server.wait_closed();
  co_return (after - before) / (count - count / 10);
}

Coro<> read_lines(StreamReader reader, StreamWriter writer) {
  for (;;) {
    auto line = co_await reader.readline();
    if (line.empty()) break;
    writer.write(line);
    co_await writer.drain();
  }
}

Coro<> read_views(StreamReader reader, StreamWriter writer) {
  for (;;) {
    auto bytes = co_await reader.read_view();
    if (bytes.empty()) break;
    writer.write(bytes);
    co_await writer.drain();
  }
}

}  // namespace

BACKEND_TEST(IdleConnections, CostLittleWhileTheyWaitForALine) {
  auto server = co_await eddy::start_server(read_lines, "127.0.0.1", 0);
  const auto each = co_await bytes_each(server);
  EXPECT_LE(each, kMost);
  ::testing::Test::RecordProperty("bytes", static_cast<int>(each));
}

BACKEND_TEST(IdleConnections, CostLittleWhileTheyWaitForBytes) {
  auto server = co_await eddy::start_server(read_views, "127.0.0.1", 0, {.max_connections_per_peer = 100'000, .idle_timeout = 1h});
  const auto each = co_await bytes_each(server);
  EXPECT_LE(each, kMost);
  ::testing::Test::RecordProperty("bytes", static_cast<int>(each));
}
