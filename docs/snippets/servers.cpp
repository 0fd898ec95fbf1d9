// SPDX-License-Identifier: MIT
// The code of docs/reference/servers.md.
#include <sys/socket.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "snippets.hpp"

using namespace std::chrono_literals;
using eddy::Coro;
using eddy::StreamReader;
using eddy::StreamWriter;

namespace {

Coro<> handle(StreamReader reader, StreamWriter writer) {
  auto line = co_await reader.readline();
  writer.write(line);
}

// [limits]
Coro<eddy::Server> start() {
  eddy::ServerOptions options;
  options.max_connections = 10'000;       // later ones wait in the backlog
  options.max_connections_per_peer = 50;  // later ones are reset
  options.idle_timeout = 5min;            // no byte in either direction for so long
  options.limit = 16 * 1024;              // the longest line
  co_return co_await eddy::start_server(handle, "127.0.0.1", 0, options);
}
// [/limits]

// [stop]
Coro<> serve() {
  auto server = co_await start();
  co_await server.serve_forever(10s);  // Ctrl-C: no more connections, ten seconds for those that are open
}
// [/stop]

// [systemd]
Coro<eddy::Server> start_passed_or_own() {
  const char* count = std::getenv("LISTEN_FDS");
  if (count && std::string(count) == "1") {
    auto socket = eddy::Socket::from_fd(3);  // the first that systemd passes
    co_return co_await eddy::start_server(handle, std::move(socket));
  }
  co_return co_await eddy::start_server(handle, "127.0.0.1", 0);
}
// [/systemd]

Coro<std::string> ask(eddy::Address server) {
  eddy::Socket socket(server.family());
  socket.connect(server);
  // [given]
  auto streams = co_await eddy::open_connection(std::move(socket));
  // [/given]
  streams.writer.write("hello\n");
  co_return co_await streams.reader.readline();
}

}  // namespace

Coro<> servers_program() {
  auto server = co_await start();
  const auto answer = co_await ask(server.address());
  if (answer != "hello\n") throw std::logic_error("the answer was '" + answer + "'");
  co_await server.shutdown(1s);
  if (server.connections() != 0) throw std::logic_error("connections are left after shutdown()");
  auto serving = eddy::create_task(serve());
  co_await eddy::sleep(1ms);
  serving.cancel();
  try {
    co_await serving;
  } catch (const eddy::CancelledError&) {
  }
  if (std::getenv("LISTEN_FDS")) co_return;
  auto own = co_await start_passed_or_own();
  own.close();
}
