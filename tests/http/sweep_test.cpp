// SPDX-License-Identifier: MIT
// A server and its client in one program, cancelled and failing at each of their awaits: nothing hangs, nothing is left.
#include <gtest/gtest.h>

#include "http/loopback.hpp"
#include <eddy/testing.hpp>

using eddy::Coro;
namespace http = eddy::http;

namespace {

struct Failure {};

Coro<> talk() {
  http::Application app;
  app.post("/echo", [](http::Request& request) -> Coro<http::Response> {
    auto body = co_await request.text();
    co_await eddy::sleep(std::chrono::milliseconds(1));
    co_return http::text_response(body);
  });
  auto server = co_await http::serve(std::move(app), {.port = 0});
  {
    http::ClientSession session;
    const std::string body(200'000, 'b');
    for (int i = 0; i < 2; ++i) {
      auto response = co_await session.post(http::test::base_of(server) + "/echo", {.body = body});
      const auto echoed = co_await response.text();
      EXPECT_EQ(echoed.size(), response.status() == 200 ? body.size() : 34u);  // or "500 Internal Server Error"
    }
  }
  server.close();
  co_await server.wait_closed();
}

}  // namespace

TEST(HttpLeavesNothing, CancelledEverywhere) {
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    EXPECT_GE(eddy::testing::cancel_everywhere(talk, {.cancel_rest = true, .backend = backend}), 10u);
  }
}

TEST(HttpLeavesNothing, FailingEverywhere) {
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    EXPECT_GE(eddy::testing::fail_everywhere(talk, Failure(), {.cancel_rest = true, .may_report = true, .backend = backend}), 10u);
  }
}
