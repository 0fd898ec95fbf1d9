// SPDX-License-Identifier: MIT
// Greets: the smallest server, and the one the benchmarks measure.
//
//     $ ./http_hello 8000 &
//     listening on http://127.0.0.1:8000
//     $ curl http://127.0.0.1:8000/
//     Hello, World!
#include <eddy/eddy.hpp>
#include <eddy/http.hpp>

#include <cstdio>
#include <cstdlib>

namespace http = eddy::http;

eddy::Coro<> serve(int port) {
  http::Application app;
  app.get("/", [](http::Request&) -> eddy::Coro<http::Response> { co_return http::text_response("Hello, World!"); });
  auto server = co_await http::serve(std::move(app), {.port = port});
  std::printf("listening on http://127.0.0.1:%d\n", server.port());
  std::fflush(stdout);
  co_await server.serve_forever();
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: http_hello PORT\n", stderr);
    return 2;
  }
  try {
    eddy::run(serve(std::atoi(argv[1])));
  } catch (const eddy::KeyboardInterrupt&) {
  }
}
