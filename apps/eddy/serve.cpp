// SPDX-License-Identifier: MIT
#include <CLI/CLI.hpp>
#include <eddy/eddy.hpp>
#include <eddy/http.hpp>

#include <cstdio>
#include <exception>
#include <string>

#include "commands.hpp"
#include "demo_site.hpp"

namespace {

// `directory` empty: the demo site.
eddy::Coro<> serve(std::string directory, std::string host, int port) {
  auto app = directory.empty() ? demo_site() : eddy::http::Application();
  if (!directory.empty()) app.add_static("/", directory);
  eddy::http::ServeOptions options;
  options.host = host;
  options.port = port;
  auto server = co_await eddy::http::serve(std::move(app), options);
  std::printf("listening on http://%s\n", server.address().str().c_str());
  std::fflush(stdout);
  co_await server.serve_forever();
}

}  // namespace

int serve_command(int argc, char** argv) {
  CLI::App app("Serves the files of a folder over HTTP until Ctrl-C.", "eddy serve");
  std::string directory, host = "127.0.0.1";
  int port = 8000;
  bool demo = false;
  auto* folder = app.add_option("DIR", directory, "the folder; index.html answers for folders in it");
  app.add_flag("--demo", demo, "serve the built-in demo site instead")->excludes(folder);
  app.add_option("--port", port, "the port; 0: the system chooses")->capture_default_str();
  app.add_option("--host", host, "the address to listen on; '' for every interface")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (directory.empty() && !demo) {
    std::fputs("eddy serve: DIR is required, or --demo\n", stderr);
    return 2;
  }
  try {
    eddy::run(serve(directory, host, port));
  } catch (const eddy::KeyboardInterrupt&) {
  }
  return 0;
}
