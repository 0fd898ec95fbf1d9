// SPDX-License-Identifier: MIT
// Sends every line back over TLS; and the client that asks.
//
//     $ ./tls_echo serve 8443 /tmp/certificate.pem &
//     listening on 127.0.0.1:8443
//     $ printf 'hello\n' | ./tls_echo ask 8443 /tmp/certificate.pem
//     TLSv1.3, TLS_AES_256_GCM_SHA384
//     hello
//
// The server makes its certificate when it starts and writes it where the client finds it. Ctrl-C ends it.

#include <eddy/exceptions.hpp>
#include <eddy/runners.hpp>
#include <eddy/streams.hpp>
#include <eddy/tls.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

using eddy::Coro;

Coro<> echo(eddy::StreamReader reader, eddy::StreamWriter writer) {
  try {
    for (;;) {
      auto bytes = co_await reader.read_view();
      if (bytes.empty()) break;
      writer.write(bytes);
      co_await writer.drain();
    }
  } catch (const eddy::OSError&) {
    // The peer went away, or went without a goodbye: there is nobody left to answer.
  }
}

Coro<> serve(int port, std::string certificate_file) {
  const auto identity = eddy::tls::self_signed("localhost,127.0.0.1");
  std::ofstream(certificate_file) << identity.certificate_pem;
  const auto context = eddy::tls::server(identity);
  auto server = co_await eddy::start_server(echo, "127.0.0.1", port, {.tls = &context});
  std::printf("listening on %s\n", server.address().str().c_str());
  std::fflush(stdout);
  co_await server.serve_forever();
}

Coro<> ask(int port, std::string certificate_file) {
  const auto context = eddy::tls::client({.ca_file = certificate_file});
  auto [reader, writer] = co_await eddy::open_connection("localhost", port, {.tls = &context});
  const auto info = eddy::tls::info(writer);
  std::cout << info.version << ", " << info.cipher << '\n';
  for (std::string line; std::getline(std::cin, line);) {
    writer.write(line + "\n");
    std::cout << co_await reader.readline();
  }
  writer.close();
  co_await writer.wait_closed();
}

int main(int argc, char** argv) {
  const std::string command = argc == 4 ? argv[1] : "";
  if (command != "serve" && command != "ask") {
    std::fputs("usage: tls_echo serve|ask PORT CERTIFICATE\n", stderr);
    return 2;
  }
  try {
    eddy::run(command == "ask" ? ask(std::atoi(argv[2]), argv[3]) : serve(std::atoi(argv[2]), argv[3]));
  } catch (const eddy::KeyboardInterrupt&) {
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tls_echo: %s\n", error.what());
    return 1;
  }
}
