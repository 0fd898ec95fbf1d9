// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "http/loopback.hpp"

namespace eddy::http {
namespace {

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

  Coro<HttpServer> start() {
    Application app;
    app.add_static("/files", (root_ / "www").string());
    return serve(std::move(app), {.port = 0});
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
