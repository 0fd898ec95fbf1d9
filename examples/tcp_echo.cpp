// SPDX-License-Identifier: MIT
// Sends every byte back to where it came from.
//
//     $ ./tcp_echo 8007 &
//     listening on 127.0.0.1:8007
//     $ printf 'hello\n' | nc -q1 127.0.0.1 8007
//     hello
//
// Ctrl-C ends it.

#include <eddy/exceptions.hpp>
#include <eddy/runners.hpp>
#include <eddy/streams.hpp>

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
    // The peer went away: there is nobody left to answer.
  }
}

Coro<> serve(int port) {
  auto server = co_await eddy::start_server(echo, "127.0.0.1", port);
  std::printf("listening on %s\n", server.address().str().c_str());
  std::fflush(stdout);
  co_await server.serve_forever();
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: tcp_echo PORT\n", stderr);
    return 2;
  }
  try {
    eddy::run(serve(std::atoi(argv[1])));
  } catch (const eddy::KeyboardInterrupt&) {
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tcp_echo: %s\n", error.what());
    return 1;
  }
}
