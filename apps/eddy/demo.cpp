// SPDX-License-Identifier: MIT
// eddy demo: the built-in site, crawled by what `eddy crawl` runs.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <eddy/http/server.hpp>
#include <eddy/runners.hpp>
#include <exception>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "crawl_run.hpp"
#include "demo_site.hpp"

namespace {

using eddy::Coro;

std::vector<std::string> crawl_arguments(int port, const std::filesystem::path& out) {
  return {"crawl",
          "http://127.0.0.1:" + std::to_string(port) + "/",
          "--follow", "#list a, #foot a",
          "--item", "title=#chapter h1",
          "--item", "text=#content",
          "--same-site", "--robots",
          "--out", (out / "items.jsonl").string(),
          "--book", (out / "novel.md").string()};
}

// As a shell would take it.
std::string command_line(const std::vector<std::string>& arguments) {
  std::string line = "eddy";
  for (const auto& argument : arguments) {
    const bool plain = argument.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                                  "-_./:,+=%") == std::string::npos;
    line += plain ? " " + argument : " '" + argument + "'";
  }
  return line;
}

CrawlPlan plan_of(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  return parse_crawl(static_cast<int>(argv.size()), argv.data());
}

Coro<int> demo(std::filesystem::path out, int port) {
  eddy::http::ServeOptions options;
  options.port = port;
  auto server = co_await eddy::http::serve(demo_site(), options);
  const auto arguments = crawl_arguments(server.port(), out);
  std::fprintf(stderr, "the site: http://127.0.0.1:%d/, as long as this runs\n%s\n", server.port(),
               command_line(arguments).c_str());
  const auto plan = plan_of(arguments);
  const auto end = co_await run_crawl(plan);
  co_await server.shutdown();
  if (end.signal) co_return end.status();
  const auto facts = demo_site_facts();
  if (end.pages == facts.pages && end.failed == facts.failed) co_return 0;
  std::fprintf(stderr, "eddy demo: expected %zu pages and %zu failed URLs\n", facts.pages, facts.failed);
  co_return 1;
}

}  // namespace

int demo_command(int argc, char** argv) {
  CLI::App app("Serves a novel of 300 chapters with all the faults of the web on a free port, and crawls it.\n"
               "Its three broken links are meant to be: status 0 says that all else was found.",
               "eddy demo");
  std::string out = "eddy-demo";
  int port = 0;
  app.add_option("--out", out, "folder for novel.md and items.jsonl")->type_name("DIR")->capture_default_str();
  app.add_option("--port", port, "the site's port; 0: the system chooses")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    std::filesystem::create_directories(out);
    return eddy::run(demo(out, port));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "eddy demo: %s\n", error.what());
    return 1;
  }
}
