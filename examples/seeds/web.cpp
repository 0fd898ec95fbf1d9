// SPDX-License-Identifier: MIT
// Table 1e, the row that needs a web server: it has one of its own.
#include <eddy/http.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

#include "seed.hpp"

namespace {

constexpr int kChapters = 12;

// Serves chapters that take 50 ms each, and counts the requests that are open.
struct Novel {
  int open = 0, most = 0;

  eddy::http::Application application() {
    eddy::http::Application app;
    app.get("/chapter/{n}", [this](eddy::http::Request& request) -> Coro<eddy::http::Response> {
      most = std::max(most, ++open);
      const std::string chapter(request.path_param("n"));
      co_await eddy::sleep(0.05_s);
      --open;
      co_return eddy::http::text_response("chapter " + chapter + "\n");
    });
    return app;
  }
};

void append(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::app) << text; }

Coro<> crawl(int port, const std::string& path) {
  eddy::http::ClientSession session;
  eddy::Semaphore three(3);
  auto fetch = [&](int n) -> Coro<std::string> {
    auto slot = co_await three;
    auto response = co_await session.get("http://127.0.0.1:" + std::to_string(port) + "/chapter/" + std::to_string(n));
    co_return co_await response.text();
  };
  std::vector<Coro<std::string>> fetches;
  for (int n = 1; n <= kChapters; ++n) fetches.push_back(fetch(n));
  const auto chapters = co_await eddy::gather(std::move(fetches));
  auto& loop = eddy::get_running_loop();
  for (const auto& chapter : chapters) co_await loop.run_in_executor(append, path, chapter);
}

}  // namespace

PLAIN_THREAD_SEED("SYN-20", "a crawler under Semaphore(3)", any_time, "3 open at most\n12 chapters in order True\ntask over") {
  const auto path = std::filesystem::temp_directory_path() / ("eddy-novel-" + std::to_string(::getpid()) + ".txt");
  std::filesystem::remove(path);
  Novel novel;
  auto main = [&]() -> Coro<> {
    auto server = co_await eddy::http::serve(novel.application(), {.port = 0});
    co_await crawl(server.port(), path.string());
    server.close();
    co_await server.wait_closed();
  };
  eddy::run(main());
  std::ostringstream expected, found;
  for (int n = 1; n <= kChapters; ++n) expected << "chapter " << n << '\n';
  found << std::ifstream(path).rdbuf();
  std::filesystem::remove(path);
  print(novel.most, "open at most");
  print(kChapters, "chapters in order", found.str() == expected.str());
  print("task over");
}
