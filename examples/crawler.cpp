// SPDX-License-Identifier: MIT
// A spider of one's own: the chapters of a small book, in order, with one link that leads nowhere.
//
//     $ ./crawler
//     1. A door (next: /2)
//     2. A river (next: /3)
//     3. A lamp (the last)
//     4 pages, 1 failed: /lost 404 Not Found
#include <eddy/crawl.hpp>
#include <eddy/eddy.hpp>
#include <eddy/http.hpp>

#include <iostream>
#include <map>
#include <string>

namespace crawl = eddy::crawl;
namespace http = eddy::http;
using eddy::Coro;

// The site, on a free port of this machine.
http::Application book() {
  http::Application app;
  const auto page = [&](std::string path, std::string html) {
    app.get(path, [html](http::Request&) -> Coro<http::Response> { co_return http::html_response(html); });
  };
  page("/", "<a href=1>1</a> <a href='/2'>2</a> <a href=3#top>3</a> <a href=lost>?</a>");
  page("/1", "<h1>A door</h1> <a rel=next href=2>next</a>");
  page("/2", "<h1>A river</h1> <a rel=next href=3>next</a>");
  page("/3", "<h1>A lamp</h1> <a href=/>all</a>");
  return app;
}

Coro<> crawl_book() {
  auto server = co_await http::serve(book(), {.port = 0});
  const auto start = "http://127.0.0.1:" + std::to_string(server.port());

  std::map<std::uint64_t, std::string> chapters;  // by the order of their links
  crawl::Spider spider(
      [&](crawl::Page& page) -> Coro<> {
        page.follow(page.html().select("a"));
        const auto title = page.html().select_one("h1");
        if (!title) co_return;
        const auto next = page.html().select_one("a[rel=next]");
        const auto url = next ? page.join(*next->attr("href")) : std::nullopt;
        chapters[page.sequence()] =
            title->text() + " (" + (url ? "next: " + std::string(url->path()) : "the last") + ")";
      },
      {.same_site = true, .delay = std::chrono::milliseconds(10)});
  spider.start(start);
  const auto stats = co_await spider.run();

  for (const auto& [number, text] : chapters) std::cout << number << ". " << text << '\n';
  std::cout << stats.pages << " pages, " << stats.failed << " failed:";
  for (const auto& [url, reason] : spider.errors()) std::cout << ' ' << url.substr(start.size()) << ' ' << reason;
  std::cout << '\n';
  co_await server.shutdown();
}

int main() { eddy::run(crawl_book()); }
