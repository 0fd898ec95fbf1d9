// SPDX-License-Identifier: MIT
// Crawling: a spider that takes pages, follows links and collects items.
//
//     eddy::crawl::Spider spider([](eddy::crawl::Page& page) -> eddy::Coro<> {
//       std::cout << page.html().title() << '\n';
//       page.follow(page.html().select("a[href]"));
//       co_return;
//     }, {.same_site = true});
//     spider.start("http://example.org/");
//     eddy::run(spider.run());
#pragma once

#include <eddy/crawl/feed.hpp>
#include <eddy/crawl/fetcher.hpp>
#include <eddy/crawl/item.hpp>
#include <eddy/crawl/map_ordered.hpp>
#include <eddy/crawl/ordered_writer.hpp>
#include <eddy/crawl/page.hpp>
#include <eddy/crawl/robots.hpp>
#include <eddy/crawl/spider.hpp>
