// SPDX-License-Identifier: MIT
// What `eddy crawl` is asked to do, read from its arguments.
#pragma once

#include <cstddef>
#include <eddy/clock.hpp>
#include <eddy/crawl/feed.hpp>
#include <eddy/html/selector.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// Wrong arguments: the command ends with status 2.
class UsageError : public std::runtime_error { using runtime_error::runtime_error; };
/// `--help`; what() is the text.
class HelpWanted : public std::runtime_error { using runtime_error::runtime_error; };

/// One `--item NAME=CSS[@ATTR]`.
struct ItemRule {
  std::string name;
  eddy::html::Selector selector;
  std::string attribute;  // empty: the text
  bool all = false;       // NAME[]: every match, not the first one
};

struct CrawlPlan {
  std::vector<std::string> urls;
  std::vector<eddy::html::Selector> follow;
  std::vector<ItemRule> items;  // none: the title
  std::size_t concurrency = 16;
  std::size_t per_host = 8;
  std::size_t max_pages = 0;
  std::size_t retries = 2;
  int max_depth = -1;
  eddy::Duration delay = {};
  eddy::Duration timeout = std::chrono::seconds(30);
  bool same_site = false;
  bool robots = false;
  std::string user_agent;
  std::string encoding;
  std::string out = "-";
  eddy::crawl::Format format = eddy::crawl::Format::jsonl;
  std::string book;  // empty: none
  std::string book_encoding = "utf-8";
};

/// "250ms", "1.5s", "2" (seconds), "3m", "1h". Throws UsageError: "--delay 'abc': …".
eddy::Duration parse_duration(std::string_view option, std::string_view text);
/// A whole number of at least `least`. Throws UsageError.
std::size_t parse_count(std::string_view option, std::string_view text, std::size_t least);
/// "NAME=CSS", "NAME=CSS@ATTR", "NAME[]=CSS". Throws UsageError.
ItemRule parse_item(std::string_view text);

/// Reads the arguments of `eddy crawl`. Throws UsageError, HelpWanted.
CrawlPlan parse_crawl(int argc, char** argv);
