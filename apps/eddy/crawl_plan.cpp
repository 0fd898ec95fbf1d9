// SPDX-License-Identifier: MIT
#include "crawl_plan.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <eddy/charset.hpp>
#include <eddy/http/headers.hpp>
#include <eddy/http/url.hpp>
#include <optional>

namespace {

std::string quoted(std::string_view option, std::string_view text) {
  return std::string(option) + " '" + std::string(text) + "': ";
}

eddy::html::Selector parse_selector(std::string_view option, std::string_view css) {
  try {
    return eddy::html::Selector(css);
  } catch (const eddy::html::SelectorError& error) {
    throw UsageError(std::string(option) + ": " + error.what());
  }
}

bool is_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == ':' || c == '.';
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), fits);
}

void check_charset(std::string_view option, const std::string& label) {
  if (!label.empty() && !eddy::known_charset(label)) throw UsageError(quoted(option, label) + "no charset has this name");
}

void check_urls(const std::vector<std::string>& urls) {
  for (const auto& text : urls) {
    const auto url = eddy::http::Url::parse(text);
    if (!url || !url->is_http()) throw UsageError("'" + text + "' is no http or https URL");
  }
}

void check_book(const CrawlPlan& plan) {
  if (plan.book.empty()) return;
  bool title = false, text = false;
  for (const auto& item : plan.items) {
    title = title || (item.name == "title" && !item.all);
    text = text || (item.name == "text" && !item.all);
  }
  if (!title || !text) throw UsageError("--book: needs an --item called title and one called text");
  if (plan.book == plan.out) throw UsageError("--book: the items go to '" + plan.out + "' already");
}

}  // namespace

eddy::Duration parse_duration(std::string_view option, std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  std::optional<double> seconds;
  if (unit == "ms") seconds = 0.001;
  if (unit == "s" || unit.empty()) seconds = 1;
  if (unit == "m") seconds = 60;
  if (unit == "h") seconds = 3600;
  if (error != std::errc() || !seconds || !std::isfinite(number) || number < 0) {
    throw UsageError(quoted(option, text) + "not a length of time, such as 250ms, 1.5s or 2");
  }
  return eddy::Duration(std::chrono::duration<double>(number * *seconds));
}

std::size_t parse_count(std::string_view option, std::string_view text, std::size_t least) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > 1'000'000'000) {
    throw UsageError(quoted(option, text) + "not a whole number of at least " + std::to_string(least));
  }
  return number;
}

ItemRule parse_item(std::string_view text) {
  const auto equals = text.find('=');
  auto name = text.substr(0, equals);
  const bool all = name.ends_with("[]");
  if (all) name.remove_suffix(2);
  if (equals == std::string_view::npos || !is_name(name)) {
    throw UsageError(quoted("--item", text) + "expected NAME=CSS, NAME=CSS@ATTRIBUTE or NAME[]=CSS");
  }
  auto css = text.substr(equals + 1);
  std::string attribute;
  if (const auto at = css.rfind('@'); at != std::string_view::npos && is_name(css.substr(at + 1))) {
    attribute = css.substr(at + 1);
    css = css.substr(0, at);
  }
  return {std::string(name), parse_selector("--item", css), attribute, all};
}

CrawlPlan parse_crawl(int argc, char** argv) {
  CrawlPlan plan;
  CLI::App app("Fetches the URLs, follows the links that --follow selects, and writes one item for each HTML page.\n"
               "Status: 0 all pages came, 1 some failed, 2 called wrongly, 130 ended by Ctrl-C.",
               "eddy crawl");
  std::vector<std::string> follow, items;
  std::string concurrency, per_host, delay, timeout, max_pages, max_depth, retries, format;
  app.add_option("URL", plan.urls, "where to start")->required();
  app.add_option("--follow", follow, "follow these links of every page; may be repeated")->type_name("CSS");
  app.add_option("--item", items, "a field of the item: the text, or an attribute, of the first match; NAME[] takes "
                                  "all matches as a list. Default: title=title")->type_name("NAME=CSS[@ATTR]");
  app.add_option("--concurrency", concurrency, "pages at once [16]")->type_name("N");
  app.add_option("--per-host", per_host, "of these, of one host [8]")->type_name("N");
  app.add_option("--delay", delay, "between two requests to one host: 250ms, 1.5s, 2 [0]")->type_name("D");
  app.add_option("--timeout", timeout, "for one page [30s]")->type_name("D");
  app.add_option("--retries", retries, "more tries after 5xx, timeouts and lost connections [2]")->type_name("N");
  app.add_option("--max-pages", max_pages, "end after as many pages")->type_name("N");
  app.add_option("--max-depth", max_depth, "follow as many links in a row")->type_name("N");
  app.add_flag("--same-site", plan.same_site, "stay on the hosts of the URLs");
  app.add_flag("--robots", plan.robots, "obey robots.txt");
  app.add_option("--user-agent", plan.user_agent, "how to introduce oneself [eddy-crawl/" EDDY_VERSION "]")
      ->type_name("TEXT");
  app.add_option("--encoding", plan.encoding, "charset of the pages, whatever they say")->type_name("E");
  app.add_option("--out", plan.out, "where the items go; standard output if not given, or -")->type_name("FILE");
  app.add_option("--format", format, "jsonl or csv [jsonl]")->type_name("jsonl|csv");
  app.add_option("--book", plan.book, "write the items title and text as one text, in the order of the links")
      ->type_name("FILE");
  app.add_option("--book-encoding", plan.book_encoding, "charset of the book [utf-8]")->type_name("E");
  // One value each: what follows may be a URL.
  for (auto* option : app.get_options()) {
    if (option->get_name(false, true).starts_with("--") && option->get_items_expected_max() > 1) {
      option->type_size(1)->allow_extra_args(false);
    }
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    throw HelpWanted(app.help());
  } catch (const CLI::ParseError& error) {
    throw UsageError(std::string(error.what()) + "\n'eddy crawl --help' tells more");
  }

  check_urls(plan.urls);
  for (const auto& css : follow) plan.follow.push_back(parse_selector("--follow", css));
  for (const auto& item : items) plan.items.push_back(parse_item(item));
  if (!concurrency.empty()) plan.concurrency = parse_count("--concurrency", concurrency, 1);
  if (!per_host.empty()) plan.per_host = parse_count("--per-host", per_host, 1);
  if (!max_pages.empty()) plan.max_pages = parse_count("--max-pages", max_pages, 1);
  if (!max_depth.empty()) plan.max_depth = static_cast<int>(parse_count("--max-depth", max_depth, 0));
  if (!retries.empty()) plan.retries = parse_count("--retries", retries, 0);
  if (!delay.empty()) plan.delay = parse_duration("--delay", delay);
  if (!timeout.empty()) plan.timeout = parse_duration("--timeout", timeout);
  if (plan.timeout <= eddy::Duration()) throw UsageError(quoted("--timeout", timeout) + "must be above 0");
  if (format == "csv") plan.format = eddy::crawl::Format::csv;
  else if (!format.empty() && format != "jsonl") throw UsageError(quoted("--format", format) + "expected jsonl or csv");
  check_charset("--encoding", plan.encoding);
  check_charset("--book-encoding", plan.book_encoding);
  if (plan.user_agent.empty()) plan.user_agent = "eddy-crawl/" EDDY_VERSION;
  try {
    eddy::http::check_field("User-Agent", plan.user_agent);
  } catch (const eddy::ValueError& error) {
    throw UsageError(std::string("--user-agent: ") + error.what());
  }
  check_book(plan);
  return plan;
}
