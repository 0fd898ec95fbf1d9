// SPDX-License-Identifier: MIT
// Takes connections on a port and passes their bytes on to another server, both ways. Where one side ends its stream, the
// other side sees that end, and may go on sending; a side that reads slowly holds the other back.
//
//     $ ./port_forwarder 8010 example.org 80 &
//     listening on 127.0.0.1:8010
//     $ curl -H 'Host: example.org' http://127.0.0.1:8010/
//
// Ctrl-C: no new connections; those that are open have five seconds to end.

#include <eddy/events.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/locks.hpp>
#include <eddy/runners.hpp>
#include <eddy/scopes.hpp>
#include <eddy/streams.hpp>
#include <eddy/taskgroups.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

using eddy::Coro;
using namespace std::chrono_literals;

// One way. A connection that breaks breaks the other one too.
Coro<> pass_on(eddy::Streams& from, eddy::Streams& to) {
  try {
    for (;;) {
      auto bytes = co_await from.reader.read_view();
      if (bytes.empty()) break;
      to.writer.write(bytes);
      co_await to.writer.drain();  // nothing more is read until there is room
    }
    to.writer.write_eof();
    co_await to.writer.drain();
  } catch (const eddy::ConnectionError&) {
    from.writer.abort();
    to.writer.abort();
  }
}

Coro<> forward(eddy::Streams near, eddy::Streams far) {
  co_await eddy::task_group([&](eddy::TaskGroup& group) -> Coro<> {
    group.create_task(pass_on(near, far));
    group.create_task(pass_on(far, near));
    co_return;
  });
}

Coro<> connect_and_forward(eddy::Streams near, std::string host, int port) {
  try {
    auto far = co_await eddy::open_connection(host, port);
    co_await forward(std::move(near), std::move(far));
  } catch (const eddy::OSError& error) {
    std::fprintf(stderr, "port_forwarder: %s\n", error.what());
  }
}

Coro<> serve(int port, std::string host, int target) {
  auto handler = [host, target](eddy::StreamReader reader, eddy::StreamWriter writer) {
    return connect_and_forward({std::move(reader), std::move(writer)}, host, target);
  };
  auto server = co_await eddy::start_server(handler, "127.0.0.1", port);
  eddy::Event stop("the end");
  for (int signal : {SIGINT, SIGTERM}) eddy::get_running_loop().add_signal_handler(signal, [&] { stop.set(); });
  std::printf("listening on %s\n", server.address().str().c_str());
  std::fflush(stdout);
  co_await stop.wait();
  server.close();
  auto ended = [&]() -> Coro<> { co_await server.wait_closed(); };
  co_await eddy::move_on_after(5s, ended);
  server.close_clients();
  co_await server.wait_closed();
}

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: port_forwarder PORT HOST PORT\n", stderr);
    return 2;
  }
  try {
    eddy::run(serve(std::atoi(argv[1]), argv[2], std::atoi(argv[3])));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "port_forwarder: %s\n", error.what());
    return 1;
  }
}
