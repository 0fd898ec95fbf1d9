// SPDX-License-Identifier: MIT
// How a spider gets at pages: over HTTP, or from a test's memory.
#pragma once

#include <cstddef>
#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/http/headers.hpp>
#include <eddy/http/url.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace eddy::crawl {

/// One request, as a fetcher gets it.
struct FetchOrder {
  http::Url url;
  Duration timeout = std::chrono::seconds(30);  // for head and body together
  std::size_t max_bytes = 8 << 20;              // of the decoded body

  explicit FetchOrder(http::Url u) : url(std::move(u)) {}
};

/// What came back: any status, redirects too, which the spider follows itself.
struct FetchedPage {
  int status = 0;
  http::Headers headers;
  std::string body;

  FetchedPage() noexcept {}
};

/// A page longer than the limit: "body of more than 8388608 bytes".
class PageTooLarge : public ValueError {
 public:
  explicit PageTooLarge(std::size_t limit);
  std::size_t limit() const noexcept { return limit_; }

 private:
  std::size_t limit_;
};

/// Gets one URL. Must not follow redirects; throws what went wrong, TimeoutError past `order.timeout`.
class Fetcher {
 public:
  virtual ~Fetcher() = default;
  /// `order` lives until the coroutine has ended. Several run at the same time.
  virtual Coro<FetchedPage> fetch(const FetchOrder& order) = 0;
};

/// How `HttpFetcher` talks.
struct HttpFetcherOptions {
  std::string_view user_agent = "eddy-crawl/0.1";
  std::size_t connections = 64;         // at once, to all hosts
  std::size_t connections_per_host = 32;
};

/// Fetches over HTTP through one session: connections are kept open, cookies are kept.
class HttpFetcher final : public Fetcher {
 public:
  explicit HttpFetcher(const HttpFetcherOptions& options = {});
  ~HttpFetcher() override;
  Coro<FetchedPage> fetch(const FetchOrder& order) override;

 private:
  struct Session;
  std::unique_ptr<Session> session_;
};

}  // namespace eddy::crawl
