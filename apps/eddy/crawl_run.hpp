// SPDX-License-Identifier: MIT
// The crawl that `eddy crawl` and `eddy demo` share.
#pragma once

#include <cstddef>
#include <eddy/coro.hpp>

#include "crawl_plan.hpp"

/// How a crawl ended.
struct CrawlEnd {
  std::size_t pages = 0;
  std::size_t failed = 0;
  int signal = 0;  // that ended it; 0: none

  /// 0, 1 for failed URLs, 128 + signal.
  int status() const noexcept { return signal ? 128 + signal : failed > 0 ? 1 : 0; }
};

/// Crawls, shows the progress, and prints the summary, both on standard error. Ctrl-C ends it in good order; a second
/// one ends the program. `plan` lives until it has ended.
eddy::Coro<CrawlEnd> run_crawl(const CrawlPlan& plan);
