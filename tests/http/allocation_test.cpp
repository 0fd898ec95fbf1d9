// SPDX-License-Identifier: MIT
// The hello server allocates nothing for a request on a kept connection.
#include <gtest/gtest.h>

#include "count_allocations.hpp"
#include "http/loopback.hpp"

namespace eddy::http {
namespace {

TEST(Allocation, AKeptConnectionNeedsNoneForAReadyResponse) {
  test::within_ten_seconds([]() -> Coro<> {
    Application app;
    app.get("/", [](Request&) -> Coro<Response> { co_return text_response("Hello, World!"); });
    auto server = co_await serve(std::move(app), {.port = 0});
    auto streams = co_await open_connection("127.0.0.1", server.port());
    std::size_t before = 0;
    for (int i = 0; i < 1100; ++i) {
      if (i == 100) before = allocations;
      streams.writer.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      auto answer = co_await streams.reader.read_view();
      if (!answer.ends_with("Hello, World!")) throw std::runtime_error("a wrong answer");
    }
    EXPECT_EQ(allocations - before, 0u);
  });
}

}  // namespace
}  // namespace eddy::http
