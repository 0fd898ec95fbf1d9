// SPDX-License-Identifier: MIT
// A server that is told to stop lets those finish whom it serves, and cancels who takes too long.
//
//     $ ./graceful_stop
//     stopping
//     quick: done
//     slow: the server hung up
//     stopped: 2 accepted, 0 open

#include <eddy/eddy.hpp>

#include <chrono>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;
using eddy::Coro;

// Answers after as many milliseconds as the client asks for.
Coro<> work(eddy::StreamReader reader, eddy::StreamWriter writer) {
  auto line = co_await reader.readline();
  co_await eddy::sleep(std::chrono::milliseconds(std::stoi(line)));
  writer.write("done\n");
}

Coro<> ask(std::string name, int port, std::string milliseconds) {
  auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", port);
  writer.write(milliseconds + "\n");
  const auto answer = co_await reader.readline();
  std::printf("%s: %s", name.c_str(), answer.empty() ? "the server hung up\n" : answer.c_str());
}

Coro<> run() {
  auto server = co_await eddy::start_server(work, "127.0.0.1", 0, {.max_connections_per_peer = 10, .idle_timeout = 1min});
  auto quick = eddy::create_task(ask("quick", server.port(), "50"));
  auto slow = eddy::create_task(ask("slow", server.port(), "60000"));
  while (server.connections() < 2) co_await eddy::sleep(1ms);

  std::puts("stopping");
  co_await server.shutdown(300ms);
  co_await eddy::gather(quick, slow);
  const auto statistics = server.statistics();
  std::printf("stopped: %llu accepted, %zu open\n", static_cast<unsigned long long>(statistics.accepted), statistics.connections);
}

int main() { eddy::run(run()); }
