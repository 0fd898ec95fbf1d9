// SPDX-License-Identifier: MIT
#include <eddy/testing.hpp>

#include <iostream>

#include "snippets.hpp"

using namespace std::chrono_literals;
using eddy::Coro;
using eddy::StreamReader;
using eddy::StreamWriter;

static Coro<> greet(StreamReader reader, StreamWriter writer) {
  auto line = co_await reader.readline();
  writer.write("hello, " + line);
}

static Coro<> both_sides(const eddy::tls::Identity& identity) {
  // [server]
  auto serving = eddy::tls::server(identity);  // eddy::tls::load_identity("fullchain.pem", "key.pem")
  auto server = co_await eddy::start_server(greet, "127.0.0.1", 0, {.tls = &serving});
  // [/server]
  // [client]
  auto trusting = eddy::tls::client({.ca_pem = identity.certificate_pem});  // tls::client(): whom the system trusts
  auto [reader, writer] = co_await eddy::open_connection("localhost", server.port(), {.tls = &trusting});
  writer.write("world\n");
  std::cout << co_await reader.read();  // throws tls::TruncatedError if somebody cut the connection
  // [/client]
  // [errors]
  auto distrusting = eddy::tls::client();
  try {
    co_await eddy::open_connection("localhost", server.port(), {.tls = &distrusting});
  } catch (const eddy::tls::CertificateError& error) {
    std::cout << error.subject() << ": " << error.reason() << '\n';
  }
  // [/errors]
  // [reload]
  auto renewed = eddy::tls::self_signed("localhost");
  serving.reload(renewed);  // for connections from now on; the handle is shared with the server
  // [/reload]
  server.close();
}

static Coro<> upgrade(eddy::Streams server_side, eddy::Streams client_side, eddy::tls::Context serving,
                      eddy::tls::Context trusting) {
  auto serve = [&]() -> Coro<> {
    // [start_tls]
    auto line = co_await server_side.reader.readline();  // "STARTTLS\r\n"
    server_side.writer.write("220 go ahead\r\n");
    co_await server_side.writer.start_tls(serving);
    // [/start_tls]
  };
  auto ask = [&]() -> Coro<> {
    client_side.writer.write("STARTTLS\r\n");
    co_await client_side.reader.readline();
    // [start_tls_client]
    co_await client_side.writer.start_tls(trusting, {.server_hostname = "localhost"});
    // [/start_tls_client]
  };
  co_await eddy::gather(serve(), ask());
}

eddy::Coro<> tls_program() {
  const auto identity = eddy::tls::self_signed("localhost,127.0.0.1");
  co_await both_sides(identity);
  auto pair = eddy::testing::stream_pair();
  auto serving = eddy::tls::server(identity);
  auto trusting = eddy::tls::client({.ca_pem = identity.certificate_pem});
  co_await upgrade(std::move(pair.near), std::move(pair.far), serving, trusting);
}
