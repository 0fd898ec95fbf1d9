// SPDX-License-Identifier: MIT
// Answers every line with itself, one task a connection. Here it serves one client of its own and ends.
//
//     $ ./echo_server
//     client: hello
//     client: goodbye
#include <eddy/eddy.hpp>

#include <iostream>

using eddy::Coro;

Coro<> echo(eddy::StreamReader reader, eddy::StreamWriter writer) {
  while (auto line = co_await reader.next()) {
    writer.write(*line);
    co_await writer.drain();
  }
}

Coro<> client(int port) {
  auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", port);
  for (auto* line : {"hello\n", "goodbye\n"}) {
    writer.write(line);
    std::cout << "client: " << co_await reader.readline();
  }
}

Coro<> main_program() {
  auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
  co_await client(server.port());
  server.close();
  co_await server.wait_closed();
}

int main() { eddy::run(main_program()); }
