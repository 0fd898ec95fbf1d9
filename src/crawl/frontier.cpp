// SPDX-License-Identifier: MIT
#include "crawl/frontier.hpp"

#include <algorithm>
#include <utility>

namespace eddy::crawl {

namespace {

bool is_new(const Request& request) noexcept { return request.tries == 0 && request.redirects.empty(); }

constexpr auto kLatestOnTop = [](const auto& a, const auto& b) noexcept {
  return a.when != b.when ? a.when > b.when : a.order > b.order;
};

}  // namespace

bool Frontier::Before::operator()(const Request& a, const Request& b) const noexcept {
  if (a.priority != b.priority) return a.priority < b.priority;
  if (a.depth != b.depth) return a.depth > b.depth;
  return a.sequence > b.sequence;
}

Frontier::Frontier(const FrontierOptions& options, const FingerprintKey& key)
    : options_(options), user_agent_(options.user_agent), key_(key), max_pages_(options.max_pages) {
  options_.per_host = std::max<std::size_t>(options_.per_host, 1);
}

Frontier::Host& Frontier::host_of(const http::Url& url) {
  auto& host = hosts_[url.origin()];
  if (!host) {
    host = std::make_unique<Host>(url.join("/"));
    host->delay = options_.delay;
    host->robots_state = options_.obey_robots ? RobotsState::needed : RobotsState::known;
  }
  return *host;
}

Frontier::Added Frontier::check(const Request& request) const {
  if (!request.url.is_http()) return Added::not_http;
  if (request.url.str().size() > options_.max_url_length) return Added::too_long;
  if (options_.max_depth >= 0 && request.depth > options_.max_depth) return Added::too_deep;
  const bool foreign = options_.same_site && !sites_.contains(std::string(request.url.authority()));
  return foreign ? Added::other_site : Added::yes;
}

Frontier::Added Frontier::add(Request request, TimePoint now) {
  if (!request.url.fragment().empty() || request.url.str().ends_with('#')) {
    request.url = request.url.without_fragment();
  }
  if (request.depth == 0) sites_.emplace(request.url.authority());
  const auto verdict = check(request);
  if (verdict != Added::yes) return verdict;
  const auto print = fingerprint(key_, "GET " + request.url.str());
  if (seen_.contains(print)) return Added::seen;
  if (seen_.size() >= options_.max_urls || !pages_left()) return Added::full;
  seen_.insert(print);
  request.sequence = sequence_++;
  enqueue(std::move(request), now);
  return Added::yes;
}

Frontier::Added Frontier::add_redirect(const Request& from, http::Url target, TimePoint now) {
  auto request = from;
  request.url = target.without_fragment();
  request.tries = 0;
  request.redirects.push_back(from.url.str());
  if (from.depth == 0) sites_.emplace(request.url.authority());
  const auto verdict = check(request);
  if (verdict != Added::yes) return verdict;
  if (!seen_.insert(fingerprint(key_, "GET " + request.url.str())).second) return Added::seen;
  enqueue(std::move(request), now);
  return Added::yes;
}

void Frontier::add_again(Request request, TimePoint when) {
  later_.push_back({when, order_++, std::move(request)});
  std::push_heap(later_.begin(), later_.end(), kLatestOnTop);
}

void Frontier::enqueue(Request request, TimePoint now) {
  auto& host = host_of(request.url);
  host.queue.push_back(std::move(request));
  std::push_heap(host.queue.begin(), host.queue.end(), Before());
  ++waiting_;
  place(host, now);
}

void Frontier::place(Host& host, TimePoint now) {
  if (host.place != Place::nowhere || host.queue.empty() || host.in_flight >= options_.per_host ||
      host.robots_state == RobotsState::asked) {
    return;
  }
  if (host.not_before > now) {
    host.place = Place::resting;
    resting_.push({host.not_before, &host});
  } else {
    host.place = Place::ready;
    ready_.push_back(&host);
  }
}

void Frontier::wake(TimePoint now) {
  while (!later_.empty() && later_.front().when <= now) {
    std::pop_heap(later_.begin(), later_.end(), kLatestOnTop);
    auto request = std::move(later_.back().request);
    later_.pop_back();
    enqueue(std::move(request), now);
  }
  while (!resting_.empty() && resting_.top().until <= now) {
    auto& host = *resting_.top().host;
    resting_.pop();
    host.place = Place::nowhere;
    place(host, now);
  }
}

std::optional<Request> Frontier::take(TimePoint now) {
  wake(now);
  while (!ready_.empty()) {
    auto& host = *ready_.front();
    ready_.pop_front();
    host.place = Place::nowhere;
    if (host.not_before <= now) {
      if (auto request = take_from(host, now)) return request;
    }
    place(host, now);
  }
  return std::nullopt;
}

std::optional<Request> Frontier::take_from(Host& host, TimePoint now) {
  std::optional<Request> request;
  if (host.robots_state == RobotsState::needed) {
    host.robots_state = RobotsState::asked;
    request.emplace(host.origin.join("/robots.txt"));
    request->robots = true;
  } else {
    request = pop(host);
    if (!request) return std::nullopt;
  }
  ++host.in_flight;
  host.not_before = std::max(host.not_before, now + std::chrono::nanoseconds(host.delay));
  place(host, now);
  const bool counts = !request->robots && is_new(*request);
  if (counts && ++pages_ == max_pages_) drop_all();
  return request;
}

std::optional<Request> Frontier::pop(Host& host) {
  while (!host.queue.empty()) {
    std::pop_heap(host.queue.begin(), host.queue.end(), Before());
    auto request = std::move(host.queue.back());
    host.queue.pop_back();
    --waiting_;
    if (!options_.obey_robots || host.robots.allows(user_agent_, request.url.target())) return request;
    forbidden_.push_back(std::move(request));
  }
  return std::nullopt;
}

// The last page was handed out: what is left has no use but for pages that were counted already.
void Frontier::drop_all() noexcept {
  for (auto& [origin, host] : hosts_) {
    waiting_ -= std::erase_if(host->queue, is_new);
    std::make_heap(host->queue.begin(), host->queue.end(), Before());
  }
}

std::optional<TimePoint> Frontier::next_time() const {
  std::optional<TimePoint> next;
  if (!later_.empty()) next = later_.front().when;
  if (!resting_.empty()) next = next ? std::min(*next, resting_.top().until) : resting_.top().until;
  return next;
}

void Frontier::finished(const Request& request, TimePoint now) {
  auto& host = host_of(request.url);
  --host.in_flight;
  place(host, now);
}

void Frontier::rest(const http::Url& url, TimePoint when) {
  auto& host = host_of(url);
  host.not_before = std::max(host.not_before, when);
}

void Frontier::set_robots(const http::Url& url, Robots robots, TimePoint now) {
  auto& host = host_of(url);
  host.robots = std::move(robots);
  host.robots_state = RobotsState::known;
  if (const auto delay = host.robots.crawl_delay(user_agent_)) host.delay = std::max(host.delay, *delay);
  host.not_before = std::max(host.not_before, now + std::chrono::nanoseconds(host.delay));
  place(host, now);
}

}  // namespace eddy::crawl
