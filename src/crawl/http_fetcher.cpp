// SPDX-License-Identifier: MIT
#include <eddy/crawl/fetcher.hpp>

#include <eddy/http/client.hpp>

#include <utility>

namespace eddy::crawl {

PageTooLarge::PageTooLarge(std::size_t limit)
    : ValueError("body of more than " + std::to_string(limit) + " bytes"), limit_(limit) {}

struct HttpFetcher::Session {
  explicit Session(const HttpFetcherOptions& options) : client(session_options(options)) {}

  static http::SessionOptions session_options(const HttpFetcherOptions& options) {
    http::SessionOptions result;
    result.user_agent = options.user_agent;
    result.connections = options.connections;
    result.connections_per_host = options.connections_per_host;
    return result;
  }

  http::ClientSession client;
};

HttpFetcher::HttpFetcher(const HttpFetcherOptions& options) : session_(std::make_unique<Session>(options)) {}
HttpFetcher::~HttpFetcher() = default;

Coro<FetchedPage> HttpFetcher::fetch(const FetchOrder& order) {
  http::RequestOptions how;
  how.redirects = false;
  how.timeout = order.timeout;
  auto response = co_await session_->client.get(order.url, how);
  FetchedPage page;
  page.status = response.status();
  page.headers = response.headers();
  auto content = response.content();
  while (auto chunk = co_await content.next()) {
    if (page.body.size() + chunk->size() > order.max_bytes) throw PageTooLarge(order.max_bytes);
    page.body += *chunk;
  }
  co_return page;
}

}  // namespace eddy::crawl
