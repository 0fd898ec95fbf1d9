// SPDX-License-Identifier: MIT
// Crawls a site from one page on: each page's title, the number of its paragraphs and the text of the first are taken,
// and its links followed. Settings are the defaults: 8 pages of one host at once.
//
//     $ crawl_eddy URL
//     {"pages": 2000, "paragraphs": 40000, "letters": 310000, "seconds": 0.71, "cpu_us": 340.2}
//
// `cpu_us` is this process's CPU time a page, user and system.
#include <eddy/crawl.hpp>
#include <eddy/runners.hpp>

#include <cstdio>

#include "load/clocks.hpp"

namespace {

namespace crawl = eddy::crawl;
using eddy::Coro;

Coro<> crawl_site(const char* url) {
  std::size_t paragraphs = 0, letters = 0;
  crawl::Spider spider([&](crawl::Page& page) -> Coro<> {
    const auto& html = page.html();
    const auto all = html.select("div.text p");
    paragraphs += all.size();
    letters += html.select_one("h1")->text().size() + all[0].text().size();
    page.follow(html.select("a[href]"));
    co_return;
  });
  spider.start(url);
  const auto began = bench::now();
  const double cpu = bench::cpu_seconds();
  const auto stats = co_await spider.run();
  std::printf("{\"pages\": %zu, \"paragraphs\": %zu, \"letters\": %zu, \"seconds\": %.3f, \"cpu_us\": %.2f}\n", stats.pages,
              paragraphs, letters, static_cast<double>(bench::now() - began) / 1e9,
              (bench::cpu_seconds() - cpu) / static_cast<double>(stats.pages) * 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  eddy::run(crawl_site(argv[1]));
}
