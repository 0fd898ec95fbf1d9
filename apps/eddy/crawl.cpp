// SPDX-License-Identifier: MIT
// eddy crawl: fetch pages, follow links, write items.
#include <cstdio>
#include <eddy/runners.hpp>
#include <exception>

#include "commands.hpp"
#include "crawl_run.hpp"

int crawl_command(int argc, char** argv) {
  CrawlPlan plan;
  try {
    plan = parse_crawl(argc, argv);
  } catch (const HelpWanted& help) {
    std::fputs(help.what(), stdout);
    return 0;
  } catch (const UsageError& error) {
    std::fprintf(stderr, "eddy crawl: %s\n", error.what());
    return 2;
  }
  try {
    return eddy::run(run_crawl(plan)).status();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "eddy crawl: %s\n", error.what());
    return 1;
  }
}
