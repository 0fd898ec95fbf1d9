// SPDX-License-Identifier: MIT
#include <eddy/crawl/spider.hpp>

#include <utility>

#include "crawl/engine.hpp"

namespace eddy::crawl {

double Stats::pages_per_second() const noexcept {
  const auto seconds = static_cast<double>(elapsed.count()) / 1e9;
  return seconds > 0 ? static_cast<double>(pages) / seconds : 0;
}

Spider::Spider(Parse parse, const SpiderOptions& options)
    : engine_(std::make_unique<Engine>(std::move(parse), options)) {}
Spider::~Spider() = default;

bool Spider::start(std::string_view url) { return engine_->start(url); }
void Spider::set_sink(Sink sink) { engine_->sink = std::move(sink); }
void Spider::set_listener(Listener listener) { engine_->listener = std::move(listener); }

Coro<Stats> Spider::run(Fetcher& fetcher) { return engine_->run(fetcher); }

Coro<Stats> Spider::run() {
  const auto& options = engine_->options();
  HttpFetcher fetcher({.user_agent = options.user_agent,
                       .connections = options.concurrency,
                       .connections_per_host = options.per_host});
  auto stats = co_await engine_->run(fetcher);
  co_return stats;
}

void Spider::stop() { engine_->stop(); }
bool Spider::stopped() const noexcept { return engine_->stopped; }
Stats Spider::stats() const { return engine_->stats(); }
const std::map<std::string, std::string>& Spider::errors() const noexcept { return engine_->errors; }

std::set<std::string> Spider::error_urls() const {
  std::set<std::string> urls;
  for (const auto& [url, reason] : errors()) urls.insert(url);
  return urls;
}

}  // namespace eddy::crawl
