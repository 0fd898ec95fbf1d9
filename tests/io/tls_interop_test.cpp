// SPDX-License-Identifier: MIT
// Against programs of others: openssl s_client asks our server, our client asks openssl s_server and nginx. Without
// them these tests fail.
#include <eddy/eddy.hpp>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "io/tls_support.hpp"

using namespace tls_test;
using eddy::open_connection;
using eddy::start_server;
using eddy::StreamReader;
using eddy::StreamWriter;
namespace tls = eddy::tls;
namespace fs = std::filesystem;

namespace {

// What a shell command prints; runs on a thread, so that the loop can serve it.
std::string output_of(std::string command) {
  std::string text;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  char block[4096];
  while (const auto count = std::fread(block, 1, sizeof block, pipe)) text.append(block, count);
  ::pclose(pipe);
  return text;
}

// A directory with our identity in files, and a program that serves from it.
class Peer {
 public:
  Peer() {
    char name[] = "/tmp/eddy-tls-XXXXXX";
    root_ = ::mkdtemp(name);
    fs::permissions(root_, fs::perms::all);
    write("cert.pem", localhost().certificate_pem);
    write("key.pem", localhost().key_pem);
  }
  Peer(const Peer&) = delete;
  ~Peer() {
    if (process_ > 0) {
      ::kill(process_, SIGTERM);
      ::waitpid(process_, nullptr, 0);
    }
    fs::remove_all(root_);
  }

  std::string path(const std::string& name) const { return (root_ / name).string(); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(root_ / name) << text; }
  int port() const noexcept { return port_; }

  /// `command(port)` is a shell command that serves there.
  Coro<> serve(std::function<std::string(int)> command) {
    {
      auto probe = co_await start_server([](StreamReader, StreamWriter) -> Coro<> { co_return; }, "127.0.0.1", 0);
      port_ = probe.port();
      probe.close();
    }
    const auto line = "exec " + command(port_) + " >" + path("log") + " 2>&1 </dev/null";
    process_ = ::fork();
    if (process_ == 0) {
      ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 300; ++i) {
      bool listens = true;
      try {
        auto streams = co_await open_connection("127.0.0.1", port_);
        streams.writer.close();
      } catch (const eddy::ConnectionRefusedError&) {
        listens = false;
      }
      if (listens) co_return;
      co_await eddy::sleep(10ms);
    }
    throw std::runtime_error("nobody listens; is this program there? " + line);
  }

 private:
  fs::path root_;
  pid_t process_ = -1;
  int port_ = 0;
};

// Answers a line with what was agreed on.
Coro<> answer(StreamReader reader, StreamWriter writer) {
  auto line = co_await reader.readline();
  const auto info = tls::info(writer);
  writer.write("got " + line + "version " + info.version + "\nname " + info.server_name + "\n");
  if (info.peer_certificate) writer.write("client " + info.peer_certificate->subject + "\n");
  writer.close();
  co_await writer.wait_closed();
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

#define EXPECT_CONTAINS(text, part) EXPECT_TRUE(contains(text, part)) << "'" << (part) << "' is not in:\n" << (text)

template <class Body>
void in_real_time(Body body) {
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    eddy::run(eddy::timeout(30s, body()), {.backend = backend});
  }
}

}  // namespace

TEST(TlsInterop, OpensslAsksOurServer) {
  in_real_time([]() -> Coro<> {
    Peer files;
    const auto identity = tls::self_signed("client-1");
    files.write("client.pem", identity.certificate_pem + identity.key_pem);
    const auto context = serving({.client_certificates = tls::ClientCertificates::optional, .ca_pem = identity.certificate_pem});
    auto server = co_await start_server(answer, "127.0.0.1", 0, {.tls = &context});
    const auto base = "printf 'hello\\n' | openssl s_client -ign_eof -connect 127.0.0.1:" + std::to_string(server.port()) +
                      " -servername localhost -verify_return_error -verify_hostname localhost -CAfile " + files.path("cert.pem");
    for (const std::string version : {"1_2", "1_3"}) {
      const auto session = files.path("session" + version);
      auto text = co_await eddy::to_thread(&output_of, base + " -tls" + version + " -sess_out " + session);
      EXPECT_CONTAINS(text, "got hello\nversion TLSv1." + version.substr(2) + "\nname localhost\n");
      EXPECT_CONTAINS(text, "\nNew, TLSv1." + version.substr(2));
      EXPECT_CONTAINS(text, "Verification: OK");
      EXPECT_FALSE(contains(text, "unexpected eof")) << text;
      text = co_await eddy::to_thread(&output_of, base + " -tls" + version + " -sess_in " + session);
      EXPECT_CONTAINS(text, "\nReused, TLSv1." + version.substr(2));
      EXPECT_CONTAINS(text, "got hello");
      text = co_await eddy::to_thread(&output_of, base + " -tls" + version + " -cert " + files.path("client.pem"));
      EXPECT_CONTAINS(text, "client CN=client-1\n");
    }
    auto text = co_await eddy::to_thread(&output_of, base + " -tls1_1 -cipher ALL:@SECLEVEL=0");
    EXPECT_CONTAINS(text, "alert protocol version");
    server.close();
    co_await server.wait_closed();
  });
}

TEST(TlsInterop, RenegotiationIsRefused) {
  in_real_time([]() -> Coro<> {
    const auto context = serving();
    std::string told;
    auto handler = [&](StreamReader reader, StreamWriter) -> Coro<> {
      auto error = co_await eddy::testing::error_of<tls::Error>(reader.readline());
      told = error.reason();
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0, {.tls = &context});
    auto text = co_await eddy::to_thread(&output_of, "(printf 'R\\n'; sleep 0.3; printf 'hello\\n') | openssl s_client -tls1_2 -connect 127.0.0.1:" +
                                                         std::to_string(server.port()));
    EXPECT_CONTAINS(text, "RENEGOTIATING");
    EXPECT_CONTAINS(text, "no renegotiation");
    server.close();
    co_await server.wait_closed();
    EXPECT_EQ(told, "handshake failure (alert 40)");  // so the client takes the refusal
  });
}

TEST(TlsInterop, OurClientAsksOpenssl) {
  in_real_time([]() -> Coro<> {
    for (const std::string version : {"1_2", "1_3"}) {
      Peer peer;
      const auto identity = tls::self_signed("client-1");
      peer.write("client.pem", identity.certificate_pem);
      co_await peer.serve([&](int port) {
        return "openssl s_server -rev -accept " + std::to_string(port) + " -tls" + version + " -cert " + peer.path("cert.pem") +
               " -key " + peer.path("key.pem") + " -alpn http/1.1 -Verify 1 -verify_return_error -CAfile " + peer.path("client.pem");
      });
      const auto context = trusting({.identity = &identity, .alpn = "h2,http/1.1"});
      for (const bool reused : {false, true}) {
        auto streams = co_await open_connection("127.0.0.1", peer.port(), {.tls = &context, .server_hostname = "localhost"});
        streams.writer.write("abc\n");
        auto line = co_await streams.reader.readline();
        EXPECT_EQ(line, "cba\n");
        const auto info = tls::info(streams.writer);
        EXPECT_EQ(info.version, "TLSv1." + version.substr(2));
        EXPECT_EQ(info.alpn, "http/1.1");
        EXPECT_EQ(info.session_reused, reused);
        streams.writer.close();
        co_await streams.writer.wait_closed();
      }
    }
  });
}

TEST(TlsInterop, OurClientAsksNginx) {
  in_real_time([]() -> Coro<> {
    Peer peer;
    peer.write("big.txt", std::string(3'000'000, 'n'));
    co_await peer.serve([&](int port) {
      const auto root = peer.path("");
      peer.write("conf", "daemon off; worker_processes 1; pid " + root + "pid; error_log " + root + "error;\nevents {}\n"
                         "http { access_log off; client_body_temp_path " + root + "t1; proxy_temp_path " + root + "t2;\n"
                         "fastcgi_temp_path " + root + "t3; uwsgi_temp_path " + root + "t4; scgi_temp_path " + root + "t5;\n"
                         "server { listen 127.0.0.1:" + std::to_string(port) + " ssl; root " + root + ";\n"
                         "ssl_certificate " + root + "cert.pem; ssl_certificate_key " + root + "key.pem; } }\n");
      return "/usr/sbin/nginx -c " + peer.path("conf") + " -e " + peer.path("error");
    });
    for (auto version : {tls::Version::tls1_2, tls::Version::tls1_3}) {
      const auto context = trusting({.alpn = "http/1.1", .maximum_version = version});
      for (int i = 0; i < 2; ++i) {
        auto streams = co_await open_connection("127.0.0.1", peer.port(), {.tls = &context});
        streams.writer.write("GET /big.txt HTTP/1.0\r\n\r\n");
        auto response = co_await streams.reader.read();  // to a proper end
        EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n"));
        EXPECT_GT(response.size(), 3'000'000u);
        EXPECT_EQ(tls::info(streams.writer).alpn, "http/1.1");
        // nginx's tickets of TLS 1.3 come too late for a connection that ends at once, or in time.
        const bool reused = tls::info(streams.writer).session_reused;
        EXPECT_TRUE(version == tls::Version::tls1_3 || reused == (i == 1));
      }
    }
  });
}

// A shell that goes is a peer that says no goodbye.
TEST(TlsInterop, AKilledPeerIsATruncation) {
  in_real_time([]() -> Coro<> {
    std::optional<Peer> peer;
    peer.emplace();
    co_await peer->serve([&](int port) {
      return "openssl s_server -rev -accept " + std::to_string(port) + " -cert " + peer->path("cert.pem") + " -key " + peer->path("key.pem");
    });
    const auto context = trusting();
    auto streams = co_await open_connection("127.0.0.1", peer->port(), {.tls = &context});
    streams.writer.write("abc\n");
    auto line = co_await streams.reader.readline();
    EXPECT_EQ(line, "cba\n");
    peer.reset();
    co_await eddy::testing::error_of<tls::TruncatedError>(streams.reader.read());
  });
}
