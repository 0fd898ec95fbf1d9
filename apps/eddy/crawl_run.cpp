// SPDX-License-Identifier: MIT
#include "crawl_run.hpp"

#include <signal.h>

#include <cstdio>
#include <eddy/crawl.hpp>
#include <eddy/events.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "crawl_report.hpp"

namespace {

namespace crawl = eddy::crawl;
using eddy::Coro;

std::optional<std::string> value_of(const eddy::html::Element& element, const ItemRule& rule) {
  if (rule.attribute.empty()) return element.text();
  const auto value = element.attr(rule.attribute);
  return value ? std::optional(std::string(*value)) : std::nullopt;
}

// Sets the rule's field; whether anything matched.
bool set_field(crawl::Item& item, crawl::Page& page, const ItemRule& rule) {
  std::vector<std::string> values;
  for (const auto& element : page.html().select(rule.selector)) {
    if (auto value = value_of(element, rule)) values.push_back(std::move(*value));
    if (!rule.all && !values.empty()) break;
  }
  const bool found = !values.empty();
  if (rule.all) item.set(rule.name, std::move(values));
  else if (found) item.set(rule.name, std::move(values.front()));
  else item.set_null(rule.name);
  return found;
}

/// What is done with each page, and where it goes.
class Collector {
 public:
  explicit Collector(const CrawlPlan& plan) : plan_(plan), feed_(plan.out, {.format = plan.format}) {
    if (plan.format == crawl::Format::csv) feed_.set_columns(columns());
    if (plan.book.empty()) return;
    book_ = std::make_unique<crawl::OrderedWriter>(
        plan.book, crawl::OrderedWriterOptions{.encoding = plan.book_encoding});
  }

  Coro<> read(crawl::Page& page) {
    if (!page.is_html()) co_return;
    for (const auto& links : plan_.follow) page.follow(page.html().select(links));
    crawl::Item item;
    item.set("url", page.url().str());
    if (!fill(item, page)) co_return;
    const std::string title(item.text("title"));
    const std::string text(item.text("text"));
    co_await page.item(std::move(item));
    if (!book_ || text.empty()) co_return;
    co_await book_->put(page.sequence(), "## " + title + "\n\n" + text + "\n\n", title);
  }
  Coro<> write(crawl::Item item) { return feed_.write(std::move(item)); }
  // A number of the book that will have no text must not be waited for.
  void url_ended(const crawl::Outcome& outcome) {
    if (book_ && outcome.kind != crawl::Outcome::Kind::redirected) book_->skip(outcome.sequence);
  }
  Coro<> close() {
    co_await feed_.close();
    if (book_) co_await book_->close();
  }

  std::size_t items() const noexcept { return feed_.items(); }
  std::size_t pieces() const noexcept { return book_ ? book_->pieces() : 0; }

 private:
  std::vector<std::string> columns() const {
    std::vector<std::string> names{"url"};
    for (const auto& rule : plan_.items) names.push_back(rule.name);
    if (plan_.items.empty()) names.push_back("title");
    return names;
  }
  bool fill(crawl::Item& item, crawl::Page& page) const {
    if (plan_.items.empty()) item.set("title", page.html().title());
    bool found = plan_.items.empty();
    for (const auto& rule : plan_.items) found = set_field(item, page, rule) || found;
    return found;
  }

  const CrawlPlan& plan_;
  crawl::Feed feed_;
  std::unique_ptr<crawl::OrderedWriter> book_;
};

/// Stops the spider at the first Ctrl-C or SIGTERM, and gives the signals back their default action, so that a
/// second one ends the program.
class StopOnSignal {
 public:
  explicit StopOnSignal(crawl::Spider& spider) {
    for (const int signal : {SIGINT, SIGTERM}) {
      eddy::get_running_loop().add_signal_handler(signal, [this, &spider, signal] {
        came_ = signal;
        spider.stop();
        remove();
      });
    }
  }
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
  ~StopOnSignal() { remove(); }

  int came() const noexcept { return came_; }

 private:
  void remove() {
    for (const int signal : {SIGINT, SIGTERM}) eddy::get_running_loop().remove_signal_handler(signal);
  }
  int came_ = 0;
};

crawl::SpiderOptions spider_options(const CrawlPlan& plan) {
  crawl::SpiderOptions options;
  options.user_agent = plan.user_agent;
  options.encoding = plan.encoding;
  options.obey_robots = plan.robots;
  options.same_site = plan.same_site;
  options.concurrency = plan.concurrency;
  options.per_host = plan.per_host;
  options.delay = plan.delay;
  options.timeout = plan.timeout;
  options.retry.tries = static_cast<int>(plan.retries);
  options.max_pages = plan.max_pages;
  options.max_depth = plan.max_depth;
  return options;
}

}  // namespace

Coro<CrawlEnd> run_crawl(const CrawlPlan& plan) {
  Collector collector(plan);
  crawl::Spider spider([&](crawl::Page& page) { return collector.read(page); }, spider_options(plan));
  spider.set_sink([&](crawl::Item item) { return collector.write(std::move(item)); });
  spider.set_listener([&](const crawl::Outcome& outcome) { collector.url_ended(outcome); });
  for (const auto& url : plan.urls) spider.start(url);

  StopOnSignal stop(spider);
  crawl::Stats stats;
  {
    const Progress progress(spider);
    stats = co_await spider.run();
  }
  co_await collector.close();
  print_summary(stats, spider.errors(), stop.came() != 0);
  if (plan.out != "-") std::fprintf(stderr, "items: %zu in %s\n", collector.items(), plan.out.c_str());
  if (!plan.book.empty()) std::fprintf(stderr, "book: %zu chapters in %s\n", collector.pieces(), plan.book.c_str());
  CrawlEnd end;
  end.pages = stats.pages;
  end.failed = stats.failed;
  end.signal = stop.came();
  co_return end;
}
