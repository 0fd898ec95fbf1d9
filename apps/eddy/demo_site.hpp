// SPDX-License-Identifier: MIT
// A site to crawl without a network: a novel as the web keeps such things.
#pragma once

#include <cstddef>
#include <eddy/http/application.hpp>
#include <string>

struct DemoSiteOptions {
  int chapters = 300;
  bool slow = true;  // pages take their time, two of them about a second
};

/// The novel's site, in GBK and without a charset in Content-Type:
///
///     /               redirects to /index.html
///     /index.html     `#list dd a`: the chapters in order, and three broken links
///     /book/N.html    `#chapter h1`, `#content`, a.prev, a.next, a.index; chapter 42 has damaged bytes
///     /chapter/7      where the index has chapter 7: redirects to /book/7.html
///     /book/lost.html 404, /book/broken.html 500, /book/gone.html 410
///     /private/       what /robots.txt forbids
eddy::http::Application demo_site(const DemoSiteOptions& options = {});

/// What a crawl that follows `#list a` under robots.txt finds.
struct DemoSiteFacts {
  std::size_t pages;   // index and chapters
  std::size_t failed;  // broken links
};
DemoSiteFacts demo_site_facts(const DemoSiteOptions& options = {});

/// Title and text of a chapter, UTF-8; the text's paragraphs are lines.
std::string demo_chapter_title(int number);
std::string demo_chapter_text(int number);
