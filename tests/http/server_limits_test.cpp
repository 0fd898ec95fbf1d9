// SPDX-License-Identifier: MIT
// Limits and the graceful stop of the HTTP server, on every back end.
#include <eddy/sockets.hpp>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

#include "http/loopback.hpp"
#include "support.hpp"

namespace eddy::http {
namespace {

using testing::error_of;

int begun = 0;  // requests whose handler has come to wait

Application hello() {
  Application app;
  app.get("/", [](Request&) -> Coro<Response> { co_return text_response("hello"); });
  app.get("/slow", [](Request&) -> Coro<Response> {
    ++begun;
    co_await sleep(30ms);
    co_return text_response("slow");
  });
  app.get("/never", [](Request&) -> Coro<Response> {
    ++begun;
    co_await sleep(1h);
    co_return text_response("never");
  });
  app.post("/echo", [](Request& request) -> Coro<Response> { co_return text_response(co_await request.body()); });
  return app;
}

constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

Coro<HttpServer> start(ServeOptions options) {
  options.port = 0;
  return serve(hello(), options);
}

// Sends `bytes`, sends no more, and gives what comes until the server closes.
Coro<std::string> talk(int port, std::string bytes) {
  auto streams = co_await open_connection("127.0.0.1", port);
  streams.writer.write(bytes);
  co_return co_await streams.reader.read();
}

std::string status_of(const std::string& response) { return response.size() < 12 ? response : response.substr(9, 3); }

}  // namespace

BACKEND_TEST(HttpLimits, AHeadThatComesTooSlowlyIsAnswered408) {
  auto server = co_await start({.header_timeout = 30ms});
  auto slow = co_await talk(server.port(), "GET / HTTP/1.1\r\nHost:");
  EXPECT_EQ(status_of(slow), "408");
  auto silent = co_await talk(server.port(), "");
  EXPECT_EQ(silent, "");
  co_await server.shutdown(1s);
}

BACKEND_TEST(HttpLimits, AnIdleConnectionIsClosed) {
  auto server = co_await start({.idle_timeout = 30ms});
  auto answer = co_await talk(server.port(), kGet);
  EXPECT_EQ(status_of(answer), "200");
  EXPECT_TRUE(answer.ends_with("hello"));
  EXPECT_EQ(answer.find("Connection: close"), answer.npos);
  co_await server.shutdown(1s);
}

BACKEND_TEST(HttpLimits, ABodyThatComesTooSlowlyIsAnswered408) {
  auto server = co_await start({.body_timeout = 30ms, .linger_timeout = 20ms});
  auto answer = co_await talk(server.port(), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(status_of(answer), "408");
  co_await server.shutdown(1s);
}

BACKEND_TEST(HttpLimits, WhatAPeerOpensBeyondItsLimitIsReset) {
  auto server = co_await start({.max_connections_per_peer = 1});
  auto first = co_await open_connection("127.0.0.1", server.port());
  first.writer.write(kGet);
  auto line = co_await first.reader.readline();
  EXPECT_EQ(line, "HTTP/1.1 200 OK\r\n");
  co_await error_of<ConnectionResetError>(talk(server.port(), ""));
  EXPECT_EQ(server.statistics().refused, 1u);
  EXPECT_EQ(server.statistics().accepted, 1u);
  co_await server.shutdown(0s);
}

BACKEND_TEST(HttpShutdown, CancelledEndsTheGraceAndLeavesNothing) {
  begun = 0;
  auto server = co_await start({});
  auto asking = create_task(talk(server.port(), "GET /never HTTP/1.1\r\nHost: a\r\n\r\n"));
  while (begun == 0) co_await sleep(1ms);
  auto stopping = create_task(server.shutdown(1h));
  co_await sleep(5ms);
  EXPECT_FALSE(stopping.done());
  stopping.cancel();
  co_await error_of<CancelledError>(stopping);
  EXPECT_EQ(server.connections(), 0u);
  auto answer = co_await asking;
  EXPECT_EQ(answer, "");
}

BACKEND_TEST(HttpShutdown, OfServeForeverLetsRequestsFinish) {
  begun = 0;
  auto server = co_await start({});
  auto serving = create_task(server.serve_forever(10s));
  auto asking = create_task(talk(server.port(), "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"));
  while (begun == 0) co_await sleep(1ms);
  serving.cancel();
  co_await error_of<CancelledError>(serving);
  EXPECT_EQ(server.connections(), 0u);
  auto answer = co_await asking;
  EXPECT_TRUE(answer.ends_with("slow")) << answer;
}

BACKEND_TEST(HttpServers, ListenOnASocketThatIsGiven) {
  Socket socket;
  socket.bind(Address("127.0.0.1", 0));
  auto server = co_await serve(hello(), std::move(socket), {.idle_timeout = 20ms});
  auto answer = co_await talk(server.port(), kGet);
  EXPECT_TRUE(answer.ends_with("hello")) << answer;
  Socket datagrams(AF_INET, SOCK_DGRAM);
  const auto text = TEXT_OF(ValueError, static_cast<void>(serve(hello(), std::move(datagrams))));
  EXPECT_TRUE(text.starts_with("start_server: descriptor ") && text.ends_with(" is no stream socket")) << text;
  co_await server.shutdown(1s);
}

}  // namespace eddy::http
