// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "http/loopback.hpp"

namespace eddy::http {
namespace {

using namespace std::chrono_literals;
using namespace test;

Application small_app() {
  Application app;
  app.get("/", [](Request&) -> Coro<Response> { co_return text_response("hello"); });
  app.get("/users/{name}", [](Request& request) -> Coro<Response> {
    co_return text_response(request.path_param("name") + " " + request.query_param("q").value_or("-"));
  });
  app.post("/echo", [](Request& request) -> Coro<Response> { co_return text_response(co_await request.body()); });
  app.post("/ignore", [](Request&) -> Coro<Response> { co_return text_response("ignored"); });
  app.get("/slow", [](Request&) -> Coro<Response> {
    co_await sleep(50ms);
    co_return text_response("slow");
  });
  app.get("/big", [](Request&) -> Coro<Response> { co_return text_response(std::string(3'000'000, 'x')); });
  app.get("/teapot", [](Request&) -> Coro<Response> { throw HttpError(418, "short and stout"); co_return {}; });
  app.get("/broken", [](Request&) -> Coro<Response> { throw std::runtime_error("a bug"); co_return {}; });
  app.get("/stream", [](Request&) -> Coro<Response> {
    co_return stream_response([](ResponseWriter& out) -> Coro<> {
      for (int i = 0; i < 3; ++i) {
        co_await out.write("tick");
        co_await sleep(1ms);
      }
    });
  });
  return app;
}

Coro<HttpServer> start(Application app, ServeOptions options = {}) {
  options.port = 0;
  return serve(std::move(app), options);
}

std::string body_of(const std::string& response) { return response.substr(response.find("\r\n\r\n") + 4); }
std::string status_of(const std::string& response) { return response.substr(9, 3); }

TEST(Server, AnswersGetWithDateLengthAndType) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await start(small_app());
    auto answer = co_await raw(server.port(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n"
                                 "Connection: close\r\n\r\nhello"))
        << answer;
  });
}

TEST(Server, AnswersHeadWithTheHeadersOfGet) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await start(small_app());
    auto answer = co_await raw(server.port(), "HEAD /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_NE(answer.find("Content-Length: 3000000\r\n"), answer.npos);
    EXPECT_EQ(body_of(answer), "");
  });
}

TEST(Server, TellsUnknownPathsFromUnknownMethods) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await start(small_app());
    auto missing = co_await raw(server.port(), "GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(status_of(missing), "404");
    EXPECT_EQ(body_of(missing), R"({"detail":"Not Found"})");
    auto refused = co_await raw(server.port(), "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(status_of(refused), "405");
    EXPECT_NE(refused.find("\r\nAllow: GET, HEAD, OPTIONS\r\n"), refused.npos) << refused;
    auto options = co_await raw(server.port(), "OPTIONS /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(status_of(options), "204");
    EXPECT_NE(options.find("\r\nAllow: POST, OPTIONS\r\n"), options.npos) << options;
  });
}

TEST(Server, GivesPathAndQueryParametersDecoded) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await start(small_app());
    auto answer = co_await raw(server.port(), "GET /users/a%20b?q=c%26d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(body_of(answer), "a b c&d");
  });
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await start(small_app());
    std::string requests;
    for (int i = 0; i < 15; ++i) requests += "GET /users/u" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
    requests += "GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    auto answer = co_await raw(server.port(), requests);
    EXPECT_EQ(count(answer, "HTTP/1.1 200 OK"), 16);
    std::size_t at = 0;
    for (int i = 0; i < 15; ++i) {
      const auto next = answer.find("u" + std::to_string(i) + " -", at);
      EXPECT_NE(next, answer.npos) << i;
      EXPECT_GE(next, at);
      at = next;
    }
    EXPECT_TRUE(answer.ends_with("slow"));
  });
}

TEST(Server, SendsPipelinedAnswersBeforeASlowOne) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await start(small_app());
    auto streams = co_await open_connection("127.0.0.1", server.port());
    streams.writer.write("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    auto first = co_await streams.reader.read(65536);
    EXPECT_EQ(count(first, "hello"), 2);  // in one piece: one send
    EXPECT_EQ(count(first, "slow"), 0);
    auto second = co_await streams.reader.read(65536);
    EXPECT_EQ(count(second, "slow"), 1);
  });
}

TEST(Server, AnswersErrorsOfHandlersAndLivesOn) {
  within_ten_seconds([]() -> Coro<> {
    std::vector<std::string> reports;
    get_running_loop().set_exception_handler([&](const ExceptionContext& context) { reports.push_back(context.message); });
    auto server = co_await start(small_app());
    auto answer = co_await raw(server.port(),
                               "GET /broken HTTP/1.1\r\nHost: a\r\n\r\nGET /teapot HTTP/1.1\r\nHost: a\r\n\r\n"
                               "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(status_of(answer), "500");
    EXPECT_NE(answer.find(R"({"detail":"Internal Server Error"})"), answer.npos);
    EXPECT_NE(answer.find("HTTP/1.1 418"), answer.npos);
    EXPECT_NE(answer.find(R"({"detail":"short and stout"})"), answer.npos);
    EXPECT_TRUE(answer.ends_with("hello"));
    EXPECT_EQ(reports, std::vector<std::string>{"the handler of GET /broken threw; the client got 500"});
  });
}

TEST(Server, SendsContinueOnlyWhenTheHandlerReads) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await start(small_app());
    auto streams = co_await open_connection("127.0.0.1", server.port());
    streams.writer.write("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
    auto interim = co_await streams.reader.read(65536);
    EXPECT_EQ(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    streams.writer.write("hi");
    auto answer = co_await streams.reader.read();
    EXPECT_EQ(body_of(answer), "hi");
    auto unread = co_await raw(server.port(), "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(count(unread, "100 Continue"), 0);
    EXPECT_NE(unread.find("Connection: close"), unread.npos);
  });
}

TEST(Server, SkipsASmallUnreadBodyAndGoesOn) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await start(small_app());
    auto streams = co_await open_connection("127.0.0.1", server.port());
    streams.writer.write("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
    auto first = co_await streams.reader.read(65536);
    EXPECT_EQ(count(first, "ignored"), 1);
    streams.writer.write("56789GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    auto second = co_await streams.reader.read();
    EXPECT_TRUE(second.ends_with("hello"));
  });
}

TEST(Server, ReadsChunkedBodiesAndStreamsChunks) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await start(small_app());
    auto answer = co_await raw(server.port(),
                               "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
                               "GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_NE(answer.find("\r\n\r\nabcdeHTTP/1.1 200"), answer.npos) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n4\r\ntick\r\n4\r\ntick\r\n4\r\ntick\r\n0\r\n\r\n")) << answer;
    auto old = co_await raw(server.port(), "GET /stream HTTP/1.0\r\n\r\n");
    EXPECT_EQ(body_of(old), "tickticktick");
  });
}

TEST(Server, RefusesWhatIsTooLarge) {
  within_ten_seconds([]() -> Coro<> {
    ServeOptions options;
    options.max_body = 1000;
    auto server = co_await start(small_app(), options);
    const std::string long_text(40'000, 'a');
    auto target = co_await raw(server.port(), "GET /" + long_text + " HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(status_of(target), "414");
    auto block = co_await raw(server.port(), "GET / HTTP/1.1\r\nHost: a\r\nX: " + long_text + "\r\n\r\n");
    EXPECT_EQ(status_of(block), "431");
    auto body = co_await raw(server.port(), "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 40000\r\n\r\n" + long_text);
    EXPECT_EQ(status_of(body), "413");
    EXPECT_EQ(body_of(body), R"({"detail":"the body has 40000 bytes; the limit is 1000"})");
    auto chunked = co_await raw(server.port(), "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9c40\r\n" + long_text + "\r\n0\r\n\r\n");
    EXPECT_EQ(body_of(chunked), R"({"detail":"the body has more than 1000 bytes, the limit"})");
  });
}

TEST(Server, RefusesSmugglingAndClosesEachTime) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await start(small_app());
    for (const char* fields : {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 3\r\nContent-Length: 4\r\n",
                               "Transfer-Encoding: chunked, gzip\r\n", "Content-Length: +3\r\n", "Transfer-Encoding : chunked\r\n",
                               "X: a\r\n b\r\n"}) {
      auto answer = co_await raw(server.port(), std::string("POST /echo HTTP/1.1\r\nHost: a\r\n") + fields +
                                                    "\r\n0\r\n\r\nGET /broken HTTP/1.1\r\nHost: a\r\n\r\n");
      EXPECT_EQ(count(answer, "HTTP/1.1 "), 1) << fields << answer;
      EXPECT_TRUE(status_of(answer) == "400" || status_of(answer) == "501") << fields << answer;
      EXPECT_NE(answer.find("Connection: close\r\n"), answer.npos);
    }
  });
}

TEST(Server, EndsASlowHeadWith408AndAnIdleConnectionSilently) {
  within_ten_seconds([]() -> Coro<> {
    ServeOptions options;
    options.header_timeout = 40ms;
    options.idle_timeout = 40ms;
    auto server = co_await start(small_app(), options);
    auto slow = co_await raw(server.port(), "GET / HTTP/1.1\r\nHo");
    EXPECT_EQ(status_of(slow), "408");
    EXPECT_EQ(body_of(slow), R"({"detail":"the request's head came too slowly"})");
    auto idle = co_await raw(server.port(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(count(idle, "HTTP/1.1"), 1);
    auto silent = co_await raw(server.port(), "");
    EXPECT_EQ(silent, "");
  });
}

TEST(Server, EndsASlowBodyWith408) {
  within_ten_seconds([]() -> Coro<> {
    ServeOptions options;
    options.body_timeout = 40ms;
    options.linger_timeout = 40ms;
    auto server = co_await start(small_app(), options);
    auto answer = co_await raw(server.port(), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    EXPECT_EQ(status_of(answer), "408");
    EXPECT_EQ(body_of(answer), R"({"detail":"the body came too slowly: 3 bytes so far"})");
  });
}

TEST(Server, BreaksOffAClientThatDoesNotRead) {
  within_ten_seconds([]() -> Coro<> {
    ServeOptions options;
    options.write_timeout = 40ms;
    Application app;
    app.get("/", [](Request&) -> Coro<Response> { co_return text_response(std::string(30'000'000, 'x')); });
    auto server = co_await start(std::move(app), options);
    auto streams = co_await open_connection("127.0.0.1", server.port());
    streams.writer.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    while (server.connections() == 0) co_await sleep(1ms);
    while (server.connections() != 0) co_await sleep(1ms);
  });
}

TEST(Server, CancelsTheHandlerOfAClientThatGoesAway) {
  within_ten_seconds([]() -> Coro<> {
    Event began, cancelled;
    Application app;
    app.get("/", [&](Request&) -> Coro<Response> {
      began.set();
      try {
        co_await sleep(1h);
      } catch (const CancelledError&) {
        cancelled.set();
        throw;
      }
      co_return {};
    });
    auto server = co_await start(std::move(app));
    {
      auto streams = co_await open_connection("127.0.0.1", server.port());
      streams.writer.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      co_await began.wait();
    }
    co_await cancelled.wait();
    co_await server.shutdown();
    EXPECT_EQ(server.connections(), 0u);
  });
}

TEST(Server, AnswersAClientThatClosedItsSendingSide) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await start(small_app());
    auto answer = co_await raw(server.port(), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", true);
    EXPECT_EQ(body_of(answer), "hi");
    auto cut = co_await raw(server.port(), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhi", true);
    EXPECT_EQ(status_of(cut), "400");
    auto waits = co_await raw(server.port(), "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", true);
    EXPECT_EQ(waits, "");  // counts as gone, because its handler has to wait
  });
}

TEST(Server, SurvivesClientsThatLeaveAtEachStage) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await start(small_app());
    const std::string request = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    for (std::size_t length = 0; length <= request.size(); ++length) {
      auto streams = co_await open_connection("127.0.0.1", server.port());
      streams.writer.write(request.substr(0, length));
      if (length % 2) streams.writer.abort();
    }
    while (server.connections() != 0) co_await sleep(1ms);
    auto answer = co_await raw(server.port(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(body_of(answer), "hello");
  });
}

TEST(Server, ShutdownWaitsForRequestsInFlightAndClosesIdleConnections) {
  within_ten_seconds([]() -> Coro<> {
    Event began;
    Application app;
    app.get("/slow", [&](Request&) -> Coro<Response> {
      began.set();
      co_await sleep(50ms);
      co_return text_response("slow");
    });
    auto server = co_await start(std::move(app));
    auto idle = co_await open_connection("127.0.0.1", server.port());
    auto busy = create_task(raw(server.port(), "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"));
    co_await began.wait();
    co_await server.shutdown();
    auto answer = co_await busy;
    EXPECT_EQ(body_of(answer), "slow");
    EXPECT_NE(answer.find("Content-Length: 4\r\n"), answer.npos);
    auto rest = co_await idle.reader.read();
    EXPECT_EQ(rest, "");
    EXPECT_THROW(co_await open_connection("127.0.0.1", server.port()), ConnectionRefusedError);
  });
}

TEST(Server, ShutdownCancelsWhatOutlastsTheGrace) {
  within_ten_seconds([]() -> Coro<> {
    Event began;
    Application app;
    app.get("/", [&](Request&) -> Coro<Response> {
      began.set();
      co_await sleep(1h);
      co_return {};
    });
    auto server = co_await start(std::move(app));
    auto busy = create_task(raw(server.port(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    co_await began.wait();
    co_await server.shutdown(20ms);
    auto answer = co_await busy;
    EXPECT_EQ(answer, "");
  });
}

TEST(Server, RunsMiddlewaresAroundEverything) {
  within_ten_seconds([]() -> Coro<> {
    Application app = small_app();
    app.use([](Request& request, Next next) -> Coro<Response> {
      if (request.path() == "/secret") co_return text_response("no", 403);
      auto response = co_await next(request);
      response.header("X-Outer", "1");
      co_return response;
    });
    auto server = co_await start(std::move(app));
    auto found = co_await raw(server.port(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_NE(found.find("X-Outer: 1\r\n"), found.npos);
    auto missing = co_await raw(server.port(), "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(status_of(missing), "404");
    EXPECT_NE(missing.find("X-Outer: 1\r\n"), missing.npos);
    auto secret = co_await raw(server.port(), "GET /secret HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(status_of(secret), "403");
  });
}

TEST(Server, SendsBigBodiesWhole) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await start(small_app());
    auto answer = co_await raw(server.port(), "GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(body_of(answer), std::string(3'000'000, 'x'));
  });
}

TEST(Server, BreaksTheConnectionWhenAStreamFails) {
  within_ten_seconds([]() -> Coro<> {
    std::vector<std::string> reports;
    get_running_loop().set_exception_handler([&](const ExceptionContext& context) { reports.push_back(context.message); });
    Application app;
    app.get("/", [](Request&) -> Coro<Response> {
      co_return stream_response([](ResponseWriter& out) -> Coro<> {
        co_await out.write("some");
        throw std::runtime_error("no more");
      });
    });
    auto server = co_await start(std::move(app));
    auto answer = co_await raw(server.port(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(answer.find("0\r\n\r\n"), answer.npos);
    EXPECT_EQ(reports, std::vector<std::string>{"the body of GET / broke off; the connection was closed"});
  });
}

TEST(Server, RefusesMoreFieldsThanItCanKeep) {
  ServeOptions options;
  options.max_fields = 101;
  try {
    auto never = serve(Application(), options);
    FAIL();
  } catch (const ValueError& e) {
    EXPECT_STREQ(e.what(), "serve: max_fields is 101; at most 100 are kept");
  }
}

}  // namespace
}  // namespace eddy::http
