// SPDX-License-Identifier: MIT
#include <eddy/tls.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "http/loopback.hpp"

namespace eddy::http {
namespace {

using namespace std::chrono_literals;
using namespace test;
namespace fs = std::filesystem;

class StaticFiles : public ::testing::Test {
 protected:
  StaticFiles() {
    char name[] = "/tmp/eddy-static-XXXXXX";
    root_ = ::mkdtemp(name);
    put("secret.txt", "secret");
    put("www/hello.txt", "hello");
    put("www/a b.html", "<p>");
    put("www/dir/index.html", "index");
    put("www/empty/x", "x");
    put("www/.hidden", "hidden");
    put("www/big.bin", std::string(700'000, 'B') + "end");
    fs::create_symlink("hello.txt", root_ / "www/inside");
    fs::create_symlink("../secret.txt", root_ / "www/outside");
    fs::create_symlink("/etc/passwd", root_ / "www/absolute");
    ::mkfifo((root_ / "www/pipe").c_str(), 0600);
  }
  ~StaticFiles() override { fs::remove_all(root_); }

  void put(const std::string& name, std::string_view text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
  }

  Coro<HttpServer> start(ServeOptions options = {}) {
    Application app;
    app.add_static("/files", (root_ / "www").string());
    options.port = 0;
    return serve(std::move(app), options);
  }
  /// A file that no socket's buffer has room for.
  std::string put_huge() {
    std::string text;
    for (int i = 0; text.size() < 20'000'000; ++i) text += std::to_string(i) + ' ';
    put("www/huge.bin", text);
    return text;
  }
  static Coro<Streams> ask_for_huge(const HttpServer& server) {
    auto streams = co_await open_connection("127.0.0.1", server.port());
    streams.writer.write("GET /files/huge.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    co_return streams;
  }
  /// Sent as it is: a client's URL parser would take the ".." away.
  static Coro<std::string> ask(const HttpServer& server, std::string target, std::string fields = {}, std::string method = "GET") {
    return raw(server.port(), method + " " + target + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + fields + "\r\n");
  }
  static std::string field(const std::string& answer, const std::string& name) {
    const auto at = answer.find("\r\n" + name + ": ");
    if (at == answer.npos) return {};
    const auto begin = at + name.size() + 4;
    return answer.substr(begin, answer.find("\r\n", begin) - begin);
  }
  static std::string status_of(const std::string& answer) { return answer.substr(9, 3); }
  static std::string body_of(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

  fs::path root_;
};

TEST_F(StaticFiles, AreServedWithTypeTagAndDate) {
  within_ten_seconds([&]() -> Coro<> {
    auto server = co_await start();
    auto answer = co_await ask(server, "/files/hello.txt");
    EXPECT_EQ(status_of(answer), "200");
    EXPECT_EQ(body_of(answer), "hello");
    EXPECT_EQ(field(answer, "Content-Type"), "text/plain; charset=utf-8");
    EXPECT_NE(field(answer, "Last-Modified"), "");
    EXPECT_TRUE(field(answer, "ETag").ends_with("-5\""));
    answer = co_await ask(server, "/files/a%20b.html");
    EXPECT_EQ(field(answer, "Content-Type"), "text/html; charset=utf-8");
    answer = co_await ask(server, "/files/inside");
    EXPECT_EQ(body_of(answer), "hello");
    answer = co_await ask(server, "/files/hello.txt", "", "HEAD");
    EXPECT_EQ(field(answer, "Content-Length"), "5");
    EXPECT_EQ(body_of(answer), "");
  });
}

TEST_F(StaticFiles, NeverLeaveTheFolder) {
  within_ten_seconds([&]() -> Coro<> {
    auto server = co_await start();
    for (const char* target : {"/files/../secret.txt", "/files/%2e%2e/secret.txt", "/files/..%2fsecret.txt", "/files/dir/../../secret.txt",
                               "/files//etc/passwd", "/files/%2fetc%2fpasswd", "/files/outside", "/files/absolute", "/files/.hidden",
                               "/files/hello.txt%00", "/files/pipe", "/files/hello.txt/", "/files/nothing", "/files/empty/"}) {
      auto answer = co_await ask(server, target);
      EXPECT_EQ(status_of(answer), "404") << target << "\n" << answer;
      EXPECT_EQ(answer.find("secret"), answer.npos) << target;
    }
  });
}

TEST_F(StaticFiles, FoldersShowTheirIndex) {
  within_ten_seconds([&]() -> Coro<> {
    auto server = co_await start();
    auto answer = co_await ask(server, "/files/dir/");
    EXPECT_EQ(body_of(answer), "index");
    EXPECT_EQ(field(answer, "Content-Type"), "text/html; charset=utf-8");
    answer = co_await ask(server, "/files/dir?x=1");
    EXPECT_EQ(status_of(answer), "301");
    EXPECT_EQ(field(answer, "Location"), "/files/dir/?x=1");
  });
}

TEST_F(StaticFiles, AnswerConditionsWith304) {
  within_ten_seconds([&]() -> Coro<> {
    auto server = co_await start();
    auto first = co_await ask(server, "/files/hello.txt");
    auto same = co_await ask(server, "/files/hello.txt", "If-None-Match: " + field(first, "ETag") + "\r\n");
    EXPECT_EQ(status_of(same), "304");
    EXPECT_EQ(body_of(same), "");
    EXPECT_EQ(field(same, "ETag"), field(first, "ETag"));
    auto since = co_await ask(server, "/files/hello.txt", "If-Modified-Since: " + field(first, "Last-Modified") + "\r\n");
    EXPECT_EQ(status_of(since), "304");
    auto changed = co_await ask(server, "/files/hello.txt",
                                "If-None-Match: \"x\"\r\nIf-Modified-Since: " + field(first, "Last-Modified") + "\r\n");
    EXPECT_EQ(status_of(changed), "200");
  });
}

TEST_F(StaticFiles, GiveOneRange) {
  within_ten_seconds([&]() -> Coro<> {
    auto server = co_await start();
    auto middle = co_await ask(server, "/files/hello.txt", "Range: bytes=1-3\r\n");
    EXPECT_EQ(status_of(middle), "206");
    EXPECT_EQ(field(middle, "Content-Range"), "bytes 1-3/5");
    EXPECT_EQ(body_of(middle), "ell");
    auto tail = co_await ask(server, "/files/big.bin", "Range: bytes=-3\r\n");
    EXPECT_EQ(body_of(tail), "end");
    auto beyond = co_await ask(server, "/files/hello.txt", "Range: bytes=9-\r\n");
    EXPECT_EQ(status_of(beyond), "416");
    EXPECT_EQ(field(beyond, "Content-Range"), "bytes */5");
    auto stale = co_await ask(server, "/files/hello.txt", "Range: bytes=1-3\r\nIf-Range: \"x\"\r\n");
    EXPECT_EQ(body_of(stale), "hello");
  });
}

TEST_F(StaticFiles, SendLargeFilesWhole) {
  within_ten_seconds([&]() -> Coro<> {
    auto server = co_await start();
    auto answer = co_await ask(server, "/files/big.bin");
    EXPECT_EQ(field(answer, "Content-Length"), "700003");
    EXPECT_TRUE(body_of(answer) == std::string(700'000, 'B') + "end");
    auto part = co_await ask(server, "/files/big.bin", "Range: bytes=100000-\r\n");
    EXPECT_EQ(field(part, "Content-Range"), "bytes 100000-700002/700003");
    EXPECT_TRUE(body_of(part) == std::string(600'000, 'B') + "end");
  });
}

TEST_F(StaticFiles, KeepTheirOrderInAPipeline) {
  const auto huge = put_huge();
  within_ten_seconds([&]() -> Coro<> {
    auto server = co_await start();
    std::string requests;
    for (const char* line : {"GET /files/hello.txt", "GET /files/huge.bin", "HEAD /files/huge.bin", "GET /files/big.bin", "GET /files/hello.txt"}) {
      requests += std::string(line) + " HTTP/1.1\r\nHost: a\r\n\r\n";
    }
    auto answers = co_await raw(server.port(), requests, true);
    const std::string bodies[] = {"hello", huge, "", std::string(700'000, 'B') + "end", "hello"};
    for (const auto& body : bodies) {
      EXPECT_EQ(status_of(answers), "200");
      EXPECT_TRUE(body_of(answers).starts_with(body));
      answers.erase(0, answers.find("\r\n\r\n") + 4 + body.size());
    }
    EXPECT_EQ(answers, "");
  });
}

TEST_F(StaticFiles, AreSentToASlowClientButNotToOneThatTakesNothing) {
  const auto huge = put_huge();
  within_ten_seconds([&]() -> Coro<> {
    auto server = co_await start({.write_timeout = 500ms});
    auto slow = co_await ask_for_huge(server);
    auto head = co_await slow.reader.readuntil("\r\n\r\n");
    std::string body;
    const auto began = std::chrono::steady_clock::now();
    while (body.size() < huge.size()) {
      auto piece = co_await slow.reader.readexactly(std::min<std::size_t>(huge.size() - body.size(), 1'000'000));
      body += piece;
      co_await eddy::sleep(60ms);
    }
    EXPECT_GT(std::chrono::steady_clock::now() - began, 1s);
    EXPECT_TRUE(body == huge);
    slow.writer.close();
    auto stuck = co_await ask_for_huge(server);
    while (server.connections() == 0) co_await eddy::sleep(1ms);
    while (server.connections() != 0) co_await eddy::sleep(1ms);
  });
}

TEST_F(StaticFiles, BreakTheConnectionIfTheyBecomeShorterMeanwhile) {
  const auto huge = put_huge();
  within_ten_seconds([&]() -> Coro<> {
    std::vector<std::string> reports;
    get_running_loop().set_exception_handler([&](const ExceptionContext& context) { reports.push_back(context.message); });
    auto server = co_await start();
    auto streams = co_await ask_for_huge(server);
    auto head = co_await streams.reader.readuntil("\r\n\r\n");
    fs::resize_file(root_ / "www/huge.bin", 19'000'000);
    std::size_t size = 0;
    try {
      for (;;) {
        auto piece = co_await streams.reader.read(1 << 20);
        if (piece.empty()) break;
        size += piece.size();
      }
    } catch (const OSError&) {  // reset
    }
    EXPECT_LT(size, huge.size());
    EXPECT_EQ(reports, std::vector<std::string>{"the body of GET /files/huge.bin broke off; the connection was closed"});
  });
}

TEST_F(StaticFiles, EndWithAClientThatGoesAwayOrAServerThatShutsDown) {
  put_huge();
  within_ten_seconds([&]() -> Coro<> {
    int reports = 0;
    get_running_loop().set_exception_handler([&](const ExceptionContext&) { ++reports; });
    const int before = descriptors();
    {
      auto server = co_await start();
      {
        auto gone = co_await ask_for_huge(server);
        auto head = co_await gone.reader.readuntil("\r\n\r\n");
      }
      while (server.connections() != 0) co_await eddy::sleep(1ms);
      auto waiting = co_await ask_for_huge(server);
      auto head = co_await waiting.reader.readuntil("\r\n\r\n");
      co_await server.shutdown(50ms);
      EXPECT_EQ(server.connections(), 0u);
      waiting.writer.abort();
    }
    co_await eddy::sleep(1ms);
    EXPECT_EQ(descriptors(), before);
    EXPECT_EQ(reports, 0);
  });
}

TEST_F(StaticFiles, AreFinishedByAShutdownThatGivesThemTime) {
  const auto huge = put_huge();
  within_ten_seconds([&]() -> Coro<> {
    auto server = co_await start();
    auto streams = co_await ask_for_huge(server);
    auto head = co_await streams.reader.readuntil("\r\n\r\n");
    auto ending = eddy::create_task(server.shutdown(5s));
    auto body = co_await streams.reader.readexactly(huge.size());
    EXPECT_TRUE(body == huge);
    co_await ending;
  });
}

TEST_F(StaticFiles, AreEncryptedOverTls) {
  within_ten_seconds([&]() -> Coro<> {
    const auto identity = tls::self_signed("localhost,127.0.0.1");
    const auto serving = tls::server(identity), trusting = tls::client({.ca_pem = identity.certificate_pem});
    auto server = co_await start({.tls = &serving});
    ClientSession session({.tls = &trusting});
    auto response = co_await session.get("https://127.0.0.1:" + std::to_string(server.port()) + "/files/big.bin");
    auto body = co_await response.read();
    EXPECT_TRUE(body == std::string(700'000, 'B') + "end");
  });
}

TEST_F(StaticFiles, SendWhatIsNotInThePageCache) {
  const int file = ::open((root_ / "www/big.bin").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  ASSERT_EQ(::fdatasync(file), 0);
  ASSERT_EQ(::posix_fadvise(file, 128 * 1024, 0, POSIX_FADV_DONTNEED), 0);  // its beginning stays
  ::close(file);
  within_ten_seconds([&]() -> Coro<> {
    auto server = co_await start();
    auto answer = co_await ask(server, "/files/big.bin");
    EXPECT_TRUE(body_of(answer) == std::string(700'000, 'B') + "end");
  });
}

TEST_F(StaticFiles, NeedAFolderThatExists) {
  Application app;
  try {
    app.add_static("/", "/nonexistent/x");
    FAIL();
  } catch (const FileNotFoundError& e) {
    EXPECT_STREQ(e.what(), "serve the files of '/nonexistent/x': No such file or directory");
  }
}

}  // namespace
}  // namespace eddy::http
