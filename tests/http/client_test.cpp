// SPDX-License-Identifier: MIT
// The client against scripted servers: what they send, byte for byte, is in the test.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "http/loopback.hpp"

namespace eddy::http {
namespace {

using namespace std::chrono_literals;
using namespace test;

/// Answers each request on each connection with the next of `answers`; "" closes without an answer, and so
/// does the end of the list.
class Script {
 public:
  explicit Script(std::vector<std::string> answers) : answers_(std::move(answers)) {}

  Coro<> listen() {
    server_ = co_await scripted([this](StreamReader reader, StreamWriter writer) { return serve(reader, writer); });
    base_ = "http://127.0.0.1:" + std::to_string(server_->port());
  }
  std::string url(std::string_view path = "/") const { return base_ + std::string(path); }
  const std::vector<std::string>& heads() const { return heads_; }
  int connections() const { return connections_; }

 private:
  Coro<> serve(StreamReader reader, StreamWriter writer) {
    ++connections_;
    for (;;) {
      auto head = co_await read_head(reader);
      if (head.empty() || next_ == answers_.size()) co_return;
      heads_.push_back(head);
      const auto& answer = answers_[next_++];
      if (answer.empty()) co_return;
      writer.write(answer);
      if (answer.find("Connection: close") != answer.npos) co_return;
    }
  }

  std::vector<std::string> answers_;
  std::vector<std::string> heads_;
  std::size_t next_ = 0;
  int connections_ = 0;
  std::optional<eddy::Server> server_;
  std::string base_;
};

std::string ok(std::string_view body, std::string_view fields = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields) + "\r\n" +
         std::string(body);
}
std::string redirect(int status, std::string_view location) {
  return "HTTP/1.1 " + std::to_string(status) + " Moved\r\nLocation: " + std::string(location) + "\r\nContent-Length: 0\r\n\r\n";
}

/// What the coroutine threw: its text, "" if nothing.
template <class E, class T>
Coro<std::string> error_of(Coro<T> coroutine) {
  std::string text;
  try {
    co_await std::move(coroutine);
  } catch (const E& e) {
    text = e.what();
  }
  co_return text;
}

TEST(Client, SendsNothingBeforeTheAwait) {
  within_ten_seconds([]() -> Coro<> {
    Script script({ok("hi")});
    co_await script.listen();
    ClientSession session;
    auto request = session.get(script.url());
    co_await sleep(5ms);
    EXPECT_EQ(script.connections(), 0);
    auto response = co_await std::move(request);
    auto text = co_await response.text();
    EXPECT_EQ(text, "hi");
    EXPECT_EQ(script.heads().at(0).substr(0, 16), "GET / HTTP/1.1\r\n");
  });
}

TEST(Client, CopiesWhatItWasGivenAtTheCall) {
  within_ten_seconds([]() -> Coro<> {
    Script script({ok("")});
    co_await script.listen();
    ClientSession session;
    Coro<ClientResponse> request;
    {
      std::string body = "a body that is longer than a small string";
      Headers headers{{"X-Own", "one"}};
      request = session.post(script.url("/p"), {.body = body, .headers = headers});
      body.assign(body.size(), '!');
      headers.clear();
    }
    auto response = co_await std::move(request);
    EXPECT_NE(script.heads().at(0).find("X-Own: one\r\n"), std::string::npos);
    EXPECT_NE(script.heads().at(0).find("Content-Length: 41\r\n"), std::string::npos) << script.heads().at(0);
  });
}

TEST(Client, KeepsOneConnectionForManyRequests) {
  within_ten_seconds([]() -> Coro<> {
    Script script(std::vector<std::string>(50, ok("x")));
    co_await script.listen();
    ClientSession session;
    for (int i = 0; i < 50; ++i) {
      auto response = co_await session.get(script.url());
      co_await response.read();
    }
    EXPECT_EQ(script.connections(), 1);
    EXPECT_EQ(session.connections(), 1u);
  });
}

TEST(Client, RetriesAnIdempotentRequestOnAStaleConnection) {
  within_ten_seconds([]() -> Coro<> {
    Script script({ok("1"), "", ok("2"), ok("3"), ""});
    co_await script.listen();
    ClientSession session;
    auto first = co_await session.get(script.url());
    co_await first.read();
    auto second = co_await session.get(script.url());  // the kept connection is closed without an answer
    auto text = co_await second.text();
    EXPECT_EQ(text, "2");
    EXPECT_EQ(script.connections(), 2);
    auto third = co_await session.get(script.url());
    co_await third.read();
    auto message = co_await error_of<ServerDisconnectedError>(session.post(script.url(), {.body = "x"}));
    EXPECT_EQ(message, "POST " + script.url() + ": the server closed the connection without an answer");
  });
}

TEST(Client, FollowsRedirectsByTheRules) {
  within_ten_seconds([]() -> Coro<> {
    Script other({ok("there")});
    co_await other.listen();
    Script script({redirect(302, "/b"), redirect(307, "c"), redirect(303, other.url("/d"))});
    co_await script.listen();
    ClientSession session;
    Headers headers{{"Authorization", "Bearer x"}, {"X-Own", "1"}};
    auto response = co_await session.put(script.url("/a/"), {.headers = headers});
    EXPECT_EQ(response.status(), 200);
    EXPECT_EQ(response.history().size(), 3u);
    EXPECT_EQ(response.history().at(1).status, 307);
    EXPECT_EQ(response.url().str(), other.url("/d"));
    EXPECT_EQ(response.method(), "GET");
    EXPECT_TRUE(script.heads().at(1).starts_with("PUT /b HTTP/1.1\r\n"));
    EXPECT_TRUE(script.heads().at(2).starts_with("PUT /c HTTP/1.1\r\n"));
    EXPECT_NE(script.heads().at(2).find("Authorization"), std::string::npos);
    EXPECT_EQ(other.heads().at(0).find("Authorization"), std::string::npos);
    EXPECT_NE(other.heads().at(0).find("X-Own: 1"), std::string::npos);
  });
}

TEST(Client, MakesAGetOfARedirectedPost) {
  within_ten_seconds([]() -> Coro<> {
    Script script({redirect(301, "/b"), ok("")});
    co_await script.listen();
    ClientSession session;
    auto response = co_await session.post(script.url("/a"), {.body = "x=1"});
    EXPECT_NE(script.heads().at(1).find("GET /b HTTP/1.1\r\n"), std::string::npos);  // behind the unread body
    EXPECT_EQ(script.heads().at(1).find("Content-Length"), std::string::npos);
  });
}

TEST(Client, GivesUpOnRedirectLoops) {
  within_ten_seconds([]() -> Coro<> {
    Script script(std::vector<std::string>(20, redirect(302, "/")));
    co_await script.listen();
    ClientSession session;
    auto message = co_await error_of<TooManyRedirectsError>(session.get(script.url()));
    EXPECT_EQ(message, "GET " + script.url() + ": more than 10 redirects");
  });
}

TEST(Client, TellsCutAndDamagedResponses) {
  within_ten_seconds([]() -> Coro<> {
    Script script({"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nabc",
                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                   "HTTP/1.1 200 OK\r\nContent-Len", "", "nonsense\r\n\r\n"});
    co_await script.listen();
    ClientSession session;
    auto cut = co_await session.get(script.url());
    auto message = co_await error_of<ServerDisconnectedError>(cut.read());
    EXPECT_EQ(message, "GET " + script.url() + ": the connection ended after 3 bytes of the body");
    auto damaged = co_await session.get(script.url());
    message = co_await error_of<BadResponseError>(damaged.read());
    EXPECT_TRUE(message.starts_with("GET " + script.url() + ": bad response body: ")) << message;
    RequestOptions soon;
    soon.read_timeout = 30ms;
    message = co_await error_of<RequestTimeoutError>(session.get(script.url(), soon));
    EXPECT_EQ(message, "GET " + script.url() + ": nothing came for 30ms");
    message = co_await error_of<ConnectionError>(session.get(script.url()));
    EXPECT_EQ(message, "GET " + script.url() + ": the server closed the connection without an answer");
    message = co_await error_of<BadResponseError>(session.get(script.url()));
    EXPECT_TRUE(message.starts_with("GET " + script.url() + ": bad response: ")) << message;
    EXPECT_EQ(session.connections(), 0u);
  });
}

TEST(Client, SkipsInterimResponses) {
  within_ten_seconds([]() -> Coro<> {
    Script script({"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok("done"),
                   "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", ok("last")});
    co_await script.listen();
    ClientSession session;
    auto first = co_await session.get(script.url());
    auto text = co_await first.text();
    EXPECT_EQ(text, "done");
    auto empty = co_await session.get(script.url());
    EXPECT_EQ(empty.status(), 204);
    auto head = co_await session.head(script.url());
    EXPECT_EQ(head.headers().at("content-length"), "5");
    auto last = co_await session.get(script.url());
    text = co_await last.text();
    EXPECT_EQ(text, "last");
    EXPECT_EQ(script.connections(), 1);
  });
}

TEST(Client, NamesWhichTimeItWas) {
  within_ten_seconds([]() -> Coro<> {
    Script silent({"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"});
    co_await silent.listen();
    ClientSession session;
    auto message = co_await error_of<TimeoutError>(session.get(silent.url(), {.timeout = 30ms}));
    EXPECT_EQ(message, "GET " + silent.url() + ": not done within 30ms");
    auto slow = co_await session.get(silent.url(), {.timeout = 60ms});
    message = co_await error_of<RequestTimeoutError>(slow.read());
    EXPECT_EQ(message, "GET " + silent.url() + ": not done within 60ms");
    EXPECT_EQ(session.connections(), 0u);
  });
}

TEST(Client, NamesTheRequestInErrorsAndKeepsTheirTypes) {
  within_ten_seconds([]() -> Coro<> {
    ClientSession session;
    auto message = co_await error_of<ConnectionRefusedError>(session.get("http://127.0.0.1:1/x"));
    EXPECT_EQ(message, "GET http://127.0.0.1:1/x: connect to 127.0.0.1:1: Connection refused");
    message = co_await error_of<UnsupportedSchemeError>(session.get("ftp://example.org/"));
    EXPECT_EQ(message, "GET ftp://example.org/: only http and https can be fetched, not 'ftp'");
    EXPECT_THROW(session.get("nonsense"), UrlError);
  });
}

TEST(Client, RaisesForStatus) {
  within_ten_seconds([]() -> Coro<> {
    Script script({"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"});
    co_await script.listen();
    ClientSession session;
    auto response = co_await session.get(script.url());
    try {
      response.raise_for_status();
      ADD_FAILURE();
    } catch (const ResponseError& e) {
      EXPECT_EQ(e.what(), "GET " + script.url() + ": 404 Not Found");
      EXPECT_EQ(e.status(), 404);
      EXPECT_EQ(e.url().str(), script.url());
    }
  });
}

TEST(Client, UndoesCompressionAndStopsBombs) {
  within_ten_seconds([]() -> Coro<> {
    GzipEncoder small, bomb;
    std::string packed, exploding;
    small.write("some text", packed);
    small.finish(packed);
    bomb.write(std::string(50'000'000, 'a'), exploding);
    bomb.finish(exploding);
    Script script({ok(packed, "Content-Encoding: gzip\r\n"), ok(exploding, "Content-Encoding: gzip\r\n"),
                   ok(packed.substr(0, packed.size() - 9), "Content-Encoding: gzip\r\n")});
    co_await script.listen();
    ClientSession session;
    auto plain = co_await session.get(script.url());
    auto text = co_await plain.text();
    EXPECT_EQ(text, "some text");
    auto blown = co_await session.get(script.url());
    auto message = co_await error_of<ContentDecodingError>(blown.read());
    EXPECT_TRUE(message.starts_with("GET " + script.url() + ": ")) << message;
    auto cut = co_await session.get(script.url());
    message = co_await error_of<ContentDecodingError>(cut.read());
    EXPECT_TRUE(message.starts_with("GET " + script.url() + ": ")) << message;
    EXPECT_NE(script.heads().at(0).find("Accept-Encoding: gzip, deflate, br\r\n"), std::string::npos);
  });
}

TEST(Client, LimitsWhatReadTakes) {
  within_ten_seconds([]() -> Coro<> {
    Script script({ok(std::string(5000, 'a'))});
    co_await script.listen();
    ClientSession session;
    auto response = co_await session.get(script.url(), {.max_body = 4999});
    auto message = co_await error_of<BodyTooLargeError>(response.read());
    EXPECT_EQ(message, "GET " + script.url() + ": the body has more than 4999 bytes, the limit");
  });
}

TEST(Client, DecodesTextByArgumentHeaderAndPage) {
  within_ten_seconds([]() -> Coro<> {
    Script script({ok("\xc4\xe3\xff!", "Content-Type: text/html\r\n"), ok("\xe9", "Content-Type: text/plain; charset=latin1\r\n"),
                   ok("<meta charset=gbk>\xc4\xe3"), ok("\xef\xbb\xbfmark"), ok("\xff")});
    co_await script.listen();
    ClientSession session;
    auto fetch = [&](std::string_view encoding, OnError on_error) -> Coro<std::string> {
      auto response = co_await session.get(script.url());
      co_return co_await response.text(encoding, on_error);
    };
    auto text = co_await fetch("gbk", OnError::ignore);
    EXPECT_EQ(text, "你!");
    text = co_await fetch("", OnError::replace);
    EXPECT_EQ(text, "é");
    text = co_await fetch("", OnError::strict);
    EXPECT_EQ(text, "<meta charset=gbk>你");
    text = co_await fetch("", OnError::replace);
    EXPECT_EQ(text, "mark");
    EXPECT_THROW(co_await fetch("utf-8", OnError::strict), UnicodeDecodeError);
  });
}

TEST(Client, RemembersCookies) {
  within_ten_seconds([]() -> Coro<> {
    Script script({ok("", "Set-Cookie: a=1; Path=/\r\n"), ok(""), ok("")});
    co_await script.listen();
    ClientSession session;
    for (int i = 0; i < 2; ++i) co_await session.get(script.url());
    EXPECT_EQ(script.heads().at(0).find("Cookie"), std::string::npos);
    EXPECT_NE(script.heads().at(1).find("Cookie: a=1\r\n"), std::string::npos);
  });
}

TEST(Client, SendsJsonFormsAndParameters) {
  within_ten_seconds([]() -> Coro<> {
    Application app;
    app.post("/", [](Request& request) -> Coro<Response> {
      auto body = co_await request.body();
      co_return text_response(std::string(request.header("content-type").value_or("")) + " " + body + " " +
                              std::string(request.query()));
    });
    auto server = co_await serve(std::move(app), {.port = 0});
    ClientSession session;
    boost::json::value value = {{"a", 1}};
    auto json = co_await session.post(base_of(server) + "/", {.json = value});
    auto text = co_await json.text();
    EXPECT_EQ(text, "application/json {\"a\":1} ");
    std::vector<std::pair<std::string, std::string>> pairs{{"q", "a b"}, {"r", "&"}};
    auto form = co_await session.post(base_of(server) + "/?x=1", {.form = pairs, .params = pairs});
    text = co_await form.text();
    EXPECT_EQ(text, "application/x-www-form-urlencoded q=a+b&r=%26 x=1&q=a+b&r=%26");
  });
}

TEST(Client, LimitsConnectionsPerHostAndServesInOrder) {
  within_ten_seconds([]() -> Coro<> {
    int now = 0, most = 0;
    std::string order;
    Application app;
    app.get("/{n}", [&](Request& request) -> Coro<Response> {
      most = std::max(most, ++now);
      order += request.path_param("n");
      co_await sleep(5ms);
      --now;
      co_return text_response("x");
    });
    auto server = co_await serve(std::move(app), {.port = 0});
    SessionOptions options;
    options.connections_per_host = 2;
    ClientSession session(options);
    auto fetch = [&](int n) -> Coro<> {
      auto response = co_await session.get(base_of(server) + "/" + std::to_string(n));
      co_await response.read();
    };
    std::vector<Task<>> tasks;
    for (int i = 0; i < 8; ++i) tasks.push_back(create_task(fetch(i)));
    co_await sleep(Duration());  // all have begun
    tasks[3].cancel();  // a waiter that leaves takes no slot along
    for (auto& task : tasks) {
      try {
        co_await task;
      } catch (const CancelledError&) {
      }
    }
    EXPECT_EQ(most, 2);
    EXPECT_EQ(order.size(), 7u) << order;
    EXPECT_EQ(order.substr(2), "24567");
    EXPECT_EQ(session.connections(), 2u);
  });
}

TEST(Client, EvictsIdleConnectionsAtTheTotalLimit) {
  within_ten_seconds([]() -> Coro<> {
    Script one({ok("1"), ok("1")}), two({ok("2")});
    co_await one.listen();
    co_await two.listen();
    SessionOptions options;
    options.connections = 1;
    ClientSession session(options);
    for (const auto& url : {one.url(), two.url(), one.url()}) {
      auto response = co_await session.get(url);
      co_await response.read();
      EXPECT_EQ(session.connections(), 1u);
    }
    EXPECT_EQ(one.connections(), 2);
  });
}

TEST(Client, ClosesIdleConnectionsInTime) {
  within_ten_seconds([]() -> Coro<> {
    Script script({ok("1")});
    co_await script.listen();
    SessionOptions options;
    options.idle_timeout = 20ms;
    ClientSession session(options);
    auto response = co_await session.get(script.url());
    co_await response.read();
    EXPECT_EQ(session.connections(), 1u);
    while (session.connections() != 0) co_await sleep(1ms);
  });
}

TEST(Client, CancellingClosesTheConnectionAndLeaksNothing) {
  within_ten_seconds([]() -> Coro<> {
    Script script({ok("warm"), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"});
    co_await script.listen();
    const int before = descriptors();
    {
      ClientSession session;
      auto warm = co_await session.get(script.url());
      co_await warm.read();
      auto fetch = [&]() -> Coro<> {
        auto response = co_await session.get(script.url());
        co_await response.read();
      };
      for (int turns = 0; turns < 12; ++turns) {
        auto task = create_task(fetch());
        for (int i = 0; i < turns; ++i) co_await sleep(Duration());
        task.cancel();
        try {
          co_await task;
        } catch (const CancelledError&) {
        } catch (const ConnectionError&) {
        }
      }
    }
    for (int i = 0; i < 200 && descriptors() != before; ++i) co_await sleep(1ms);
    EXPECT_EQ(descriptors(), before);
  });
}

TEST(Client, DroppingAnUnreadResponseClosesItsConnection) {
  within_ten_seconds([]() -> Coro<> {
    Script script({"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"});
    co_await script.listen();
    ClientSession session;
    {
      auto response = co_await session.get(script.url());
      EXPECT_EQ(session.connections(), 1u);
    }
    EXPECT_EQ(session.connections(), 0u);
  });
}

TEST(Client, AClosedSessionRefusesAndBreaksWhatIsUnderWay) {
  within_ten_seconds([]() -> Coro<> {
    Script script({"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"});
    co_await script.listen();
    ClientSession session;
    auto response = co_await session.get(script.url());
    session.close();
    auto message = co_await error_of<ConnectionError>(response.read());
    EXPECT_NE(message, "");
    message = co_await error_of<RuntimeError>(session.get(script.url()));
    EXPECT_EQ(message, "the session is closed");
  });
}

TEST(Client, AsksBeforeItSendsTheBody) {
  within_ten_seconds([]() -> Coro<> {
    Application app;
    app.post("/take", [](Request& request) -> Coro<Response> { co_return text_response(co_await request.body()); });
    app.post("/refuse", [](Request&) -> Coro<Response> { co_return text_response("no", 403); });
    auto server = co_await serve(std::move(app), {.port = 0});
    ClientSession session;
    auto taken = co_await session.post(base_of(server) + "/take", {.body = "data", .expect_continue = true});
    auto text = co_await taken.text();
    EXPECT_EQ(text, "data");
    auto refused = co_await session.post(base_of(server) + "/refuse", {.body = "data", .expect_continue = true});
    EXPECT_EQ(refused.status(), 403);
  });
}

TEST(Client, ReadsTheAnswerToABodyThatIsRefused) {
  within_ten_seconds([]() -> Coro<> {
    Application app;
    app.post("/", [](Request& request) -> Coro<Response> { co_return text_response(co_await request.body()); });
    auto server = co_await serve(std::move(app), {.port = 0, .max_body = 1000});
    ClientSession session;
    std::string body(20'000'000, 'b');
    auto refused = co_await session.post(base_of(server), {.body = body});
    EXPECT_EQ(refused.status(), 413);
    auto text = co_await refused.text();
    EXPECT_EQ(text, R"({"detail":"the body has 20000000 bytes; the limit is 1000"})");
    EXPECT_EQ(session.connections(), 0u);
  });
}

TEST(Client, StreamsABodyPieceByPiece) {
  within_ten_seconds([]() -> Coro<> {
    Application app;
    app.get("/", [](Request&) -> Coro<Response> { co_return text_response(std::string(2'000'000, 'z')); });
    auto server = co_await serve(std::move(app), {.port = 0});
    ClientSession session;
    auto response = co_await session.get(base_of(server));
    auto content = response.content();
    std::size_t pieces = 0, bytes = 0;
    while (auto piece = co_await content.next()) {
      ++pieces;
      bytes += piece->size();
    }
    EXPECT_EQ(bytes, 2'000'000u);
    EXPECT_GT(pieces, 3u);
    EXPECT_TRUE(content.at_end());
  });
}

}  // namespace
}  // namespace eddy::http
