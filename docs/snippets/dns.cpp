// SPDX-License-Identifier: MIT
// The code of docs/reference/dns.md.
#include <netdb.h>
#include <sys/socket.h>

#include <iostream>

#include "snippets.hpp"

using namespace std::chrono_literals;
using eddy::Coro;

namespace {

// [lookup]
Coro<> show(std::string host) {
  try {
    for (const auto& address : co_await eddy::getaddrinfo(host, 80)) std::cout << address.str() << '\n';
  } catch (const eddy::GaiError& error) {
    if (error.error_number() == EAI_NONAME) std::cout << "there is no " << host << '\n';
    else std::cout << error.what() << '\n';  // "cannot resolve …", and a line a server
  }
}
// [/lookup]

// [resolver]
Coro<> use_other_servers() {
  eddy::Resolver resolver({.nameservers = "10.0.0.1,[fd00::1]:5353", .timeout = 500ms, .tries = 3});
  std::cout << resolver.explain() << '\n';
  eddy::set_default_resolver(resolver);  // open_connection() and the HTTP client of this loop ask it, too
  auto info = co_await eddy::getnameinfo(eddy::Address("127.0.0.1", 443), NI_NUMERICHOST | NI_NUMERICSERV);
  std::cout << info.host << ' ' << info.service << '\n';
}
// [/resolver]

// [connection]
Coro<> connect_patiently(std::string host) {
  auto [reader, writer] = co_await eddy::open_connection(
      host, 80, {.family = AF_INET, .happy_eyeballs_delay = 1s, .interleave = 0});
  writer.close();
}
// [/connection]

}  // namespace

Coro<> dns_program() {
  co_await show("localhost");
  co_await show("127.0.0.1");
  co_await use_other_servers();
  auto never = [](eddy::StreamReader, eddy::StreamWriter) -> Coro<> { co_return; };
  auto server = co_await eddy::start_server(never, "127.0.0.1", 0);
  server.close();
  try {
    co_await connect_patiently("no such host");
  } catch (const eddy::GaiError&) {
  }
}
