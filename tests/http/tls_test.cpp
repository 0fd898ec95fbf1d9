// SPDX-License-Identifier: MIT
// https, both sides; curl asks too, and without it these tests fail.
#include <eddy/tls.hpp>
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

template <class Error>
Coro<std::string> error_of(Coro<ClientResponse> request) {
  std::string text = "no error";
  try {
    co_await std::move(request);
  } catch (const Error& e) {
    text = e.what();
  }
  co_return text;
}

const tls::Identity& identity() {
  static const auto made = tls::self_signed("localhost,127.0.0.1");
  return made;
}
tls::Context trusting() { return tls::client({.ca_pem = identity().certificate_pem, .alpn = "http/1.1"}); }

Application app() {
  Application app;
  app.get("/", [](Request&) -> Coro<Response> { co_return text_response("hello"); });
  app.get("/big", [](Request&) -> Coro<Response> { co_return text_response(std::string(2'000'000, 'b')); });
  app.post("/size", [](Request& request) -> Coro<Response> {
    auto body = co_await request.body();
    co_return text_response(std::to_string(body.size()));
  });
  return app;
}

Coro<HttpServer> serve_app() {
  const auto context = tls::server(identity(), {.alpn = "http/1.1"});
  return serve(app(), {.port = 0, .tls = &context});
}

std::string secure_base(const HttpServer& server) { return "https://127.0.0.1:" + std::to_string(server.port()); }

std::string output_of(std::string command) {
  std::string text;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  char block[4096];
  while (const auto count = std::fread(block, 1, sizeof block, pipe)) text.append(block, count);
  const int status = ::pclose(pipe);
  if (status != 0) text += "<exit " + std::to_string(WEXITSTATUS(status)) + ">";
  return text;
}

TEST(Https, OurClientAsksOurServerAndKeepsTheConnection) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await serve_app();
    const auto context = trusting();
    ClientSession session({.tls = &context});
    for (int i = 0; i < 3; ++i) {
      auto response = co_await session.get(secure_base(server) + "/");
      auto text = co_await response.text();
      EXPECT_EQ(text, "hello");
      EXPECT_EQ(server.connections(), 1u);
    }
    auto response = co_await session.get(secure_base(server) + "/big");
    auto big = co_await response.read();
    EXPECT_EQ(big.size(), 2'000'000u);
    response = co_await session.post(secure_base(server) + "/size", {.body = std::string_view(big)});
    auto size = co_await response.text();
    EXPECT_EQ(size, "2000000");
    EXPECT_EQ(session.connections(), 1u);
    co_await server.shutdown();
  });
}

TEST(Https, AServerThatIsNotTrustedIsRefused) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await serve_app();
    ClientSession session;
    auto url = secure_base(server) + "/";
    auto message = co_await error_of<tls::CertificateError>(session.get(url));
    EXPECT_EQ(message, "GET " + url + ": TLS handshake with 127.0.0.1:" + std::to_string(server.port()) +
                           ": the certificate of 'CN=localhost' is refused: it is self-signed, and not among those that are trusted");
    EXPECT_EQ(session.connections(), 0u);
    co_await server.shutdown();
  });
}

TEST(Https, SchemesDoNotShareConnectionsAndAreToldApart) {
  within_ten_seconds([]() -> Coro<> {
    auto secure = co_await serve_app();
    const auto context = trusting();
    ClientSession session({.tls = &context});
    const auto plain_url = "http://127.0.0.1:" + std::to_string(secure.port()) + "/";
    co_await error_of<ServerDisconnectedError>(session.get(plain_url));
    auto plain = co_await serve(app(), {.port = 0});
    const auto wrong = "https://127.0.0.1:" + std::to_string(plain.port()) + "/";
    auto message = co_await error_of<tls::Error>(session.get(wrong));
    EXPECT_EQ(message, "GET " + wrong + ": TLS handshake with 127.0.0.1:" + std::to_string(plain.port()) +
                           ": wrong version number; does the peer speak TLS on this port?");
    co_await plain.shutdown();
    co_await secure.shutdown();
  });
}

// A kept connection that the server ended, with or without close_notify, is not the request's fault.
TEST(Https, AKeptConnectionThatWasClosedIsReplaced) {
  within_ten_seconds([]() -> Coro<> {
    const auto serving = tls::server(identity());
    int connections = 0;
    auto script = [&](StreamReader reader, StreamWriter writer) -> Coro<> {
      ++connections;
      co_await read_head(reader);
      writer.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      co_await writer.drain();
      try {
        co_await read_head(reader);
      } catch (const tls::TruncatedError&) {  // the session's end
      }
      if (connections == 1) writer.abort();
      else writer.close();
    };
    auto server = co_await start_server(script, "127.0.0.1", 0, {.tls = &serving});
    const auto context = trusting();
    ClientSession session({.tls = &context});
    const auto url = "https://127.0.0.1:" + std::to_string(server.port()) + "/";
    for (int i = 0; i < 3; ++i) {
      auto response = co_await session.get(url);
      auto text = co_await response.text();
      EXPECT_EQ(text, "ok");
    }
    EXPECT_EQ(connections, 3);
    session.close();
    server.close();
    co_await server.wait_closed();
  });
}

TEST(Https, CurlAsksOurServer) {
  within_ten_seconds([]() -> Coro<> {
    auto server = co_await serve_app();
    char name[] = "/tmp/eddy-https-XXXXXX";
    const std::filesystem::path root = ::mkdtemp(name);
    std::ofstream(root / "ca.pem") << identity().certificate_pem;
    const auto curl = "curl -sS --cacert " + (root / "ca.pem").string() + " ";
    for (const std::string version : {"--tlsv1.2 --tls-max 1.2 ", "--tlsv1.3 "}) {
      auto text = co_await to_thread(&output_of, curl + version + "-w ' %{num_connects}' " + secure_base(server) + "/ " + secure_base(server) + "/");
      EXPECT_EQ(text, "hello 1hello 0");
      text = co_await to_thread(&output_of, curl + version + "-o /dev/null -w '%{http_code} %{size_download}' " + secure_base(server) + "/big");
      EXPECT_EQ(text, "200 2000000");
      text = co_await to_thread(&output_of, "head -c 300000 /dev/zero | " + curl + version + "--data-binary @- " + secure_base(server) + "/size");
      EXPECT_EQ(text, "300000");
    }
    auto text = co_await to_thread(&output_of, "curl -sS " + secure_base(server) + "/");
    EXPECT_NE(text.find("self-signed certificate"), text.npos) << text;
    std::filesystem::remove_all(root);
    co_await server.shutdown();
  });
}

}  // namespace
}  // namespace eddy::http
