// SPDX-License-Identifier: MIT
// What the HTTP peers do, with eddy's server: `/` greets, `/json` greets in JSON, `/file` sends the file.
//
//     $ http_eddy PORT FILE
#include <eddy/http.hpp>
#include <eddy/runners.hpp>

#include <boost/json/value.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace http = eddy::http;
using eddy::Coro;

Coro<> serve(int port, std::string file) {
  http::Application app;
  app.get("/", [](http::Request&) -> Coro<http::Response> { co_return http::text_response("Hello, World!"); });
  app.get("/json", [](http::Request&) -> Coro<http::Response> {
    co_return http::json_response({{"message", "Hello, World!"}});
  });
  app.add_static("/", std::filesystem::path(file).parent_path().string());
  auto server = co_await http::serve(std::move(app), {.port = port});
  co_await server.serve_forever();
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  eddy::run(serve(std::atoi(argv[1]), argv[2]));
}
