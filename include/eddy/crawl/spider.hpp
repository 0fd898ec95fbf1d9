// SPDX-License-Identifier: MIT
// The crawler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/crawl/fetcher.hpp>
#include <eddy/crawl/page.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace eddy::crawl {

/// When a page is asked for again: after connection errors, timeouts, 408, 429 and 5xx but 501 and 505.
struct Retry {
  int tries = 2;                                      // beyond the first; 0: never
  Duration first_wait = std::chrono::milliseconds(500);  // before the second try …
  double factor = 2;                                  // … and this much longer before each later one
  // The longest wait. A server that asks for more (Retry-After) is not asked again.
  Duration max_wait = std::chrono::seconds(30);
};

/// How a spider behaves, and what it takes before it stops. All views are copied.
struct SpiderOptions {
  // Behaviour.
  std::string_view user_agent = "eddy-crawl/0.1";
  std::string_view encoding = {};  // of every page, whatever it says; empty: as browsers find out
  bool obey_robots = false;        // robots.txt (RFC 9309) and its Crawl-delay
  bool same_site = false;          // follow only to the hosts of start URLs, and those they redirect to
  std::size_t concurrency = 16;    // pages at once
  std::size_t per_host = 8;        // of these, of one host
  Duration delay = {};             // between the starts of two requests to one host
  Duration timeout = std::chrono::seconds(30);  // for one page
  Retry retry = {};
  // Limits: what a site that means ill, or has no end, can cost.
  std::size_t max_pages = 0;                // then the crawl ends; 0: no limit
  int max_depth = -1;                       // links from a start URL; -1: no limit
  std::size_t max_redirects = 10;           // in a row
  std::size_t max_page_bytes = 8 << 20;
  std::size_t max_links = 100'000;          // followed of one page
  std::size_t max_urls = 1'000'000;         // known; 16 bytes each, and what waits its own length besides
  std::size_t max_url_length = 4096;
  std::size_t max_errors = 100'000;         // kept with URL and reason; more are only counted
};

/// What happened so far.
struct Stats {
  std::size_t pages = 0;       // fetched with status 200 and read
  std::size_t failed = 0;      // URLs given up
  std::size_t queued = 0;      // wait for their turn
  std::size_t in_flight = 0;
  std::size_t items = 0;
  std::size_t requests = 0;    // sent, with retries, redirects and robots.txt
  std::size_t retries = 0;
  std::size_t redirects = 0;
  std::size_t duplicates = 0;  // links to what was seen
  std::size_t dropped = 0;     // links past a limit
  std::size_t forbidden = 0;   // by robots.txt
  std::uint64_t bytes = 0;     // of bodies, decoded
  std::size_t max_in_flight = 0;
  std::map<int, std::size_t> statuses;  // how many responses had which
  Duration elapsed;

  double pages_per_second() const noexcept;
};

/// How the way of one URL ended.
struct Outcome {
  enum class Kind {
    page,        ///< it was read
    failed,      ///< it was given up
    redirected,  ///< another URL is fetched in its place, with its sequence number
    dropped,     ///< it redirects to what was seen before or is not wanted
    forbidden,   ///< by robots.txt
  };
  Kind kind;
  std::string url;
  std::uint64_t sequence;
  /// Why it failed: "404 Not Found", "not done within 30s"; where it redirects to.
  std::string reason;

  Outcome(Kind k, std::string u, std::uint64_t n, std::string why)
      : kind(k), url(std::move(u)), sequence(n), reason(std::move(why)) {}
};

/// Crawls: takes the start URLs, gives every page to `parse`, which collects items and follows links.
///
///     crawl::Spider spider([](crawl::Page& page) -> Coro<> {
///       crawl::Item item;
///       item.set("url", page.url().str()).set("title", page.html().title());
///       co_await page.item(std::move(item));
///       page.follow(page.html().select("a[href]"));
///     }, {.same_site = true});
///     spider.start("http://example.org/");
///     const auto stats = co_await spider.run();
///     for (const auto& [url, reason] : spider.errors()) …
///
/// Every URL is fetched once, whatever links lead to it; what differs only behind '#' is one URL. A redirect is a
/// link too: its target counts as seen, and its status as no error. A page whose status is not 200, that cannot be
/// fetched, or whose `parse` throws, goes to errors(); the crawl goes on. Hosts take turns; memory is that of the
/// URLs, not of the pages. Belongs to one loop.
class Spider {
 public:
  using Parse = std::function<Coro<>(Page&)>;
  using Sink = std::function<Coro<>(Item)>;
  using Listener = std::function<void(const Outcome&)>;

  /// `parse` is kept, so a capturing lambda is fine. Throws ValueError for bad options, LookupError for an unknown
  /// encoding.
  explicit Spider(Parse parse, const SpiderOptions& options = {});
  ~Spider();
  Spider(const Spider&) = delete;
  Spider& operator=(const Spider&) = delete;

  /// Adds a start URL; also while it runs. False if it was seen. Throws http::UrlError; ValueError if it is not http.
  bool start(std::string_view url);
  /// Who gets the items; one that throws ends the crawl with that exception. Without one, items are only counted.
  void set_sink(Sink sink);
  /// Who is told of each URL's end, at once. Must not throw.
  void set_listener(Listener listener);

  /// Crawls until nothing is left. Once only. Cancelling it ends it at once.
  Coro<Stats> run(Fetcher& fetcher);
  /// Over HTTP.
  Coro<Stats> run();
  /// Ends it in good order: fetches are broken off, pages that have come are read, run() returns.
  void stop();
  bool stopped() const noexcept;

  Stats stats() const;
  /// URLs that were given up, each with its reason, in the order of their text.
  const std::map<std::string, std::string>& errors() const noexcept;
  std::set<std::string> error_urls() const;

 private:
  std::unique_ptr<Engine> engine_;
};

}  // namespace eddy::crawl
