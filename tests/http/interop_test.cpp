// SPDX-License-Identifier: MIT
// Against programs of others: curl asks our server, our client asks nginx. Without them these tests fail.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "http/loopback.hpp"

namespace eddy::http {
namespace {

using namespace test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// What a shell command prints; runs on a thread, so that the loop can serve it.
std::string output_of(std::string command) {
  std::string text;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  char block[4096];
  while (const auto count = std::fread(block, 1, sizeof block, pipe)) text.append(block, count);
  const int status = ::pclose(pipe);
  if (status != 0) text += "<exit " + std::to_string(WEXITSTATUS(status)) + ">";
  return text;
}

Application echo_app() {
  Application app;
  app.any("/echo", [](Request& request) -> Coro<Response> {
    auto body = co_await request.body();
    co_return text_response(std::string(request.method_text()) + " " + std::to_string(body.size()));
  });
  app.get("/stream", [](Request&) -> Coro<Response> {
    co_return stream_response([](ResponseWriter& out) -> Coro<> {
      for (int i = 0; i < 100; ++i) co_await out.write(std::string(1000, 'x'));
    });
  });
  return app;
}

TEST(InteropCurl, GetsPostsAndStreams) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await serve(echo_app(), {.port = 0});
    const auto base = base_of(server);
    auto text = co_await to_thread(&output_of, "curl -sS " + base + "/echo");
    EXPECT_EQ(text, "GET 0");
    text = co_await to_thread(&output_of, "head -c 3000000 /dev/zero | curl -sS --data-binary @- " + base + "/echo");
    EXPECT_EQ(text, "POST 3000000");
    text = co_await to_thread(&output_of, "head -c 300000 /dev/zero | curl -sS -T - " + base + "/echo");  // chunked
    EXPECT_EQ(text, "PUT 300000");
    text = co_await to_thread(&output_of, "curl -sS -o /dev/null -w '%{http_code} %{size_download}' " + base + "/stream");
    EXPECT_EQ(text, "200 100000");
    text = co_await to_thread(&output_of, "curl -sS --http1.0 -o /dev/null -w '%{http_code} %{size_download}' " + base + "/stream");
    EXPECT_EQ(text, "200 100000");
    text = co_await to_thread(&output_of, "curl -sS -w ' %{num_connects}' " + base + "/echo " + base + "/echo");
    EXPECT_EQ(text, "GET 0 1GET 0 0");
    text = co_await to_thread(&output_of, "head -c 20000000 /dev/zero | curl -sS -o /dev/null -w '%{http_code}' --data-binary @- " + base + "/echo");
    EXPECT_EQ(text, "413");
  });
}

/// nginx on a free port with files of its own.
class Nginx {
 public:
  Nginx() {
    char name[] = "/tmp/eddy-nginx-XXXXXX";
    root_ = ::mkdtemp(name);
    fs::create_directory(root_ / "www");
    fs::permissions(root_, fs::perms::all);
    std::ofstream(root_ / "www/index.html") << "<h1>nginx</h1>";
    std::ofstream(root_ / "www/big.txt") << std::string(500'000, 'n');
  }
  ~Nginx() {
    if (process_ > 0) {
      ::kill(process_, SIGTERM);
      ::waitpid(process_, nullptr, 0);
    }
    fs::remove_all(root_);
  }

  Coro<> start() {
    {
      auto probe = co_await start_server([](StreamReader, StreamWriter) -> Coro<> { co_return; }, "127.0.0.1", 0);
      port_ = probe.port();
      probe.close();
    }
    const auto root = root_.string();
    std::ofstream(root_ / "conf") << "daemon off; worker_processes 1; pid " << root << "/pid; error_log " << root << "/error;\n"
                                  << "events {}\nhttp { access_log off; gzip on; gzip_types text/plain; gzip_min_length 1;\n"
                                  << "client_body_temp_path " << root << "/t1; proxy_temp_path " << root << "/t2;\n"
                                  << "fastcgi_temp_path " << root << "/t3; uwsgi_temp_path " << root << "/t4; scgi_temp_path " << root << "/t5;\n"
                                  << "types { text/html html; text/plain txt; }\n"
                                  << "server { listen 127.0.0.1:" << port_ << "; root " << root << "/www;\n"
                                  << "location /old { return 301 /; }\nlocation /hello { return 200 'Hello, World!'; } } }\n";
    process_ = ::fork();
    if (process_ == 0) {
      ::execl("/usr/sbin/nginx", "nginx", "-c", (root + "/conf").c_str(), "-e", (root + "/error").c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 300; ++i) {  // until it listens
      bool listens = true;
      try {
        co_await open_connection("127.0.0.1", port_);
      } catch (const ConnectionRefusedError&) {
        listens = false;
      }
      if (listens) co_return;
      co_await sleep(10ms);
    }
    throw std::runtime_error("nginx does not listen: is /usr/sbin/nginx there?");
  }
  std::string url(std::string_view path) const { return "http://127.0.0.1:" + std::to_string(port_) + std::string(path); }

 private:
  fs::path root_;
  pid_t process_ = -1;
  int port_ = 0;
};

TEST(InteropNginx, ServesOurClient) {
  within_ten_seconds([]() -> Coro<> {
    Nginx nginx;
    co_await nginx.start();
    ClientSession session;
    auto page = co_await session.get(nginx.url("/"));
    auto text = co_await page.text();
    EXPECT_EQ(text, "<h1>nginx</h1>");
    auto big = co_await session.get(nginx.url("/big.txt"));
    EXPECT_EQ(big.headers().at("content-encoding"), "gzip");  // and chunked
    text = co_await big.text();
    EXPECT_TRUE(text == std::string(500'000, 'n'));
    auto moved = co_await session.get(nginx.url("/old"));
    EXPECT_EQ(moved.history().size(), 1u);
    EXPECT_EQ(moved.status(), 200);
    co_await moved.read();
    auto head = co_await session.head(nginx.url("/big.txt"));
    EXPECT_EQ(head.status(), 200);
    auto missing = co_await session.get(nginx.url("/none"));
    EXPECT_EQ(missing.status(), 404);
    co_await missing.read();
    EXPECT_EQ(session.connections(), 1u);
  });
}

}  // namespace
}  // namespace eddy::http
