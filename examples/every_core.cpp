// SPDX-License-Identifier: MIT
// Sends every byte back, on every core: a loop a thread, one port.
//
//     $ ./every_core 8007 &
//     2 loops, listening on 127.0.0.1:8007
//     $ printf 'hello\n' | nc -q1 127.0.0.1 8007
//     hello
//
// Ctrl-C ends it: each loop unwinds.

#include <eddy/cores.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/sockets.hpp>
#include <eddy/streams.hpp>

#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>

using eddy::Coro;

Coro<> echo(eddy::StreamReader reader, eddy::StreamWriter writer) {
  try {
    for (;;) {
      auto bytes = co_await reader.read_view();
      if (bytes.empty()) break;
      writer.write(bytes);
      co_await writer.drain();
    }
  } catch (const eddy::ConnectionError&) {
    // The peer went away.
  }
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: every_core PORT\n", stderr);
    return 2;
  }
  try {
    // Port 0: the system chooses one, which this socket holds for all of them.
    eddy::Socket holder(AF_INET, SOCK_STREAM);
    holder.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1);
    holder.bind({"127.0.0.1", std::atoi(argv[1])});
    const int port = holder.getsockname().port();

    eddy::run_on_all_cores([port](eddy::Core core) -> Coro<> {
      auto server = co_await eddy::start_server(echo, "127.0.0.1", port, {.reuse_port = true});
      if (core.index() == 0) {
        std::printf("%d loops, listening on %s\n", core.count(), server.address().str().c_str());
        std::fflush(stdout);
      }
      co_await server.serve_forever();
    });
  } catch (const eddy::KeyboardInterrupt&) {
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "every_core: %s\n", error.what());
    return 1;
  }
}
