// SPDX-License-Identifier: MIT
#include "crawl/engine.hpp"

#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <eddy/exceptions.hpp>
#include <eddy/http/message.hpp>
#include <eddy/tasks.hpp>
#include <utility>

#include "crawl/retry.hpp"

namespace eddy::crawl {

namespace {

constexpr std::size_t kMaxRobotsBody = 2 << 20;  // Robots reads the first 500 KiB of it
constexpr int kMaxRobotsRedirects = 5;           // RFC 9309 2.3.1.2

bool is_redirect(int status) noexcept {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string status_text(int status) {
  const auto phrase = http::reason_phrase(status);
  return phrase.empty() ? "status " + std::to_string(status) : std::to_string(status) + ' ' + std::string(phrase);
}

std::string text_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  }
}

// Whether another try may mend it: what the network or the other side's operating system did.
bool is_passing(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const GaiError& e) {
    return e.error_number() == EAI_AGAIN;
  } catch (const OSError&) {
    return true;
  } catch (const EOFError&) {
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

FrontierOptions frontier_options(const SpiderOptions& options) {
  FrontierOptions result;
  result.user_agent = options.user_agent;
  result.per_host = options.per_host;
  result.delay = options.delay;
  result.obey_robots = options.obey_robots;
  result.same_site = options.same_site;
  result.max_pages = options.max_pages;
  result.max_depth = options.max_depth;
  result.max_urls = options.max_urls;
  result.max_url_length = options.max_url_length;
  return result;
}

void check(const SpiderOptions& options) {
  if (options.concurrency == 0) throw ValueError("spider: concurrency is 0, it must be at least 1");
  if (options.per_host == 0) throw ValueError("spider: per_host is 0, it must be at least 1");
  if (options.delay < Duration()) throw ValueError("spider: the delay is negative");
  if (options.timeout <= Duration()) throw ValueError("spider: the timeout must be above 0");
  if (!options.encoding.empty() && !known_charset(options.encoding)) throw UnknownCharsetError(options.encoding);
  http::check_field("User-Agent", options.user_agent);
}

}  // namespace

/// Sets the engine's event at a time, unless it is destroyed before.
class Engine::Wakeup {
 public:
  Wakeup(Engine& engine, std::optional<TimePoint> when) {
    if (when) timer_ = engine.loop_->call_at(*when, [&engine] { engine.changed_.set(); });
  }
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;
  ~Wakeup() { timer_.cancel(); }

 private:
  TimerHandle timer_;
};

/// Ends what dispatch() has counted as in flight.
class Engine::Visit {
 public:
  Visit(Engine& engine, const Request& request) noexcept : engine_(engine), request_(request) {}
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  ~Visit() {
    --engine_.stats_.in_flight;
    engine_.frontier_.finished(request_, engine_.now());
    engine_.changed_.set();
  }

 private:
  Engine& engine_;
  const Request& request_;
};

/// A stretch of the running task that stop() may break off.
class Engine::Breakable {
 public:
  explicit Breakable(Engine& engine) : tasks_(engine.breakable_) {
    place_ = tasks_.insert(tasks_.end(), current_task());
  }
  Breakable(const Breakable&) = delete;
  Breakable& operator=(const Breakable&) = delete;
  ~Breakable() { tasks_.erase(place_); }

 private:
  std::list<AnyTask>& tasks_;
  std::list<AnyTask>::iterator place_;
};

Engine::Engine(Spider::Parse parse, const SpiderOptions& options)
    : parse_(std::move(parse)),
      user_agent_(options.user_agent),
      encoding_(options.encoding),
      options_((check(options), options)),
      frontier_(frontier_options(options), random_key()) {
  options_.user_agent = user_agent_;
  options_.encoding = encoding_;
}

bool Engine::start(std::string_view text) {
  http::Url url(text);
  if (!url.is_http()) throw ValueError("cannot crawl '" + std::string(text) + "': only http and https can be fetched");
  const auto added = frontier_.add(Request{std::move(url)}, now());
  if (added == Frontier::Added::too_long) {
    throw ValueError("cannot crawl a URL of " + std::to_string(text.size()) + " bytes, the limit is " +
                     std::to_string(options_.max_url_length) + " (SpiderOptions::max_url_length)");
  }
  changed_.set();
  return added == Frontier::Added::yes;
}

bool Engine::follow(const Request& from, http::Url url, const Follow& how) {
  Request request{std::move(url)};
  request.tag = how.tag;
  request.priority = how.priority;
  request.depth = from.depth + 1;
  const auto added = frontier_.add(std::move(request), now());
  if (added == Frontier::Added::seen) ++stats_.duplicates;
  if (added == Frontier::Added::full || added == Frontier::Added::too_long) ++stats_.dropped;
  if (added == Frontier::Added::yes) changed_.set();
  return added == Frontier::Added::yes;
}

Coro<> Engine::emit(Item item) {
  if (sink) {
    try {
      co_await sink(std::move(item));
    } catch (const std::exception&) {
      if (!fatal_) fatal_ = std::current_exception();
      stop();
      throw;
    }
  }
  ++stats_.items;
}

Coro<Stats> Engine::run(Fetcher& fetcher) {
  if (fetcher_) throw RuntimeError("a spider runs once: make another one");
  fetcher_ = &fetcher;
  loop_ = &get_running_loop();
  started_ = loop_->time();
  running_ = true;
  const auto body = [this](TaskGroup& group) { return dispatch(group); };
  co_await task_group(body);
  ended_ = loop_->time();
  running_ = false;
  if (fatal_) std::rethrow_exception(fatal_);
  co_return stats();
}

void Engine::stop() {
  stopped = true;
  changed_.set();
  for (const auto& task : breakable_) task.cancel();
}

Stats Engine::stats() const {
  auto result = stats_;
  result.queued = frontier_.size();
  if (loop_) result.elapsed = Duration((running_ ? loop_->time() : ended_) - started_);
  return result;
}

Coro<> Engine::dispatch(TaskGroup& group) {
  for (;;) {
    changed_.clear();
    while (!stopped && stats_.in_flight < options_.concurrency) {
      auto request = frontier_.take(now());
      for (const auto& refused : frontier_.forbidden()) {
        ++stats_.forbidden;
        tell(Outcome::Kind::forbidden, refused);
      }
      if (!request) break;
      stats_.max_in_flight = std::max(stats_.max_in_flight, ++stats_.in_flight);
      group.create_task(visit(std::move(*request)));
    }
    if (stats_.in_flight == 0 && (stopped || frontier_.empty())) co_return;
    co_await wait_for_change();
  }
}

Coro<> Engine::wait_for_change() {
  const bool may_start = !stopped && stats_.in_flight < options_.concurrency;
  Wakeup wakeup(*this, may_start ? frontier_.next_time() : std::nullopt);
  co_await changed_.wait();
}

Coro<> Engine::visit(Request request) {
  const Visit counted(*this, request);
  if (request.robots) co_await visit_robots(request);
  else co_await visit_page(request);
}

Coro<FetchedPage> Engine::fetch(const http::Url& url, std::size_t max_bytes) {
  const Breakable breakable(*this);
  FetchOrder order(url);
  order.timeout = options_.timeout;
  order.max_bytes = max_bytes;
  ++stats_.requests;
  auto fetched = co_await fetcher_->fetch(order);
  ++stats_.statuses[fetched.status];
  stats_.bytes += fetched.body.size();
  co_return fetched;
}

Coro<> Engine::visit_page(const Request& request) {
  FetchedPage fetched;
  std::exception_ptr error;
  try {
    fetched = co_await fetch(request.url, options_.max_page_bytes);
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  if (error) {
    fail_or_retry(request, error);
  } else if (is_redirect(fetched.status) && fetched.headers.contains("location")) {
    redirect(request, fetched);
  } else if (fetched.status != 200) {
    fail_or_retry(request, fetched);
  } else {
    co_await read(request, std::move(fetched));
  }
}

Coro<> Engine::read(const Request& request, FetchedPage fetched) {
  std::string reason;
  try {
    Page page(*this, request, std::move(fetched));
    co_await parse_(page);
    ++stats_.pages;
  } catch (const std::exception& error) {
    reason = error.what();
    if (reason.empty()) reason = "the page could not be read";
  }
  if (reason.empty()) tell(Outcome::Kind::page, request);
  else fail(request, reason);
}

void Engine::redirect(const Request& request, const FetchedPage& fetched) {
  const std::string location(fetched.headers.at("location"));
  const auto target = request.url.try_join(location);
  const auto status = status_text(fetched.status);
  if (!target || !target->is_http()) return fail(request, status + " to '" + location + "', which cannot be fetched");
  const auto url = target->without_fragment();
  const auto& way = request.redirects;
  if (url == request.url || std::find(way.begin(), way.end(), url.str()) != way.end()) {
    return fail(request, status + " in a circle, to " + url.str());
  }
  if (way.size() >= options_.max_redirects) {
    return fail(request, "more than " + std::to_string(options_.max_redirects) + " redirects");
  }
  ++stats_.redirects;
  const bool taken = frontier_.add_redirect(request, url, now()) == Frontier::Added::yes;
  tell(taken ? Outcome::Kind::redirected : Outcome::Kind::dropped, request, url.str());
}

void Engine::fail_or_retry(const Request& request, const FetchedPage& fetched) {
  std::optional<Duration> asked;
  if (const auto field = fetched.headers.get("retry-after")) {
    const auto now_date = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    asked = parse_retry_after(*field, now_date);
  }
  const auto wait = is_passing(fetched.status) ? retry_wait(options_.retry, request.tries + 1, asked) : std::nullopt;
  if (!wait) return fail(request, status_text(fetched.status));
  // Who says how long is overloaded as a whole.
  if (asked) frontier_.rest(request.url, now() + std::chrono::nanoseconds(*wait));
  again(request, *wait);
}

void Engine::fail_or_retry(const Request& request, const std::exception_ptr& error) {
  const auto wait = is_passing(error) ? retry_wait(options_.retry, request.tries + 1) : std::nullopt;
  if (wait) again(request, *wait);
  else fail(request, text_of(error));
}

void Engine::again(const Request& request, Duration wait) {
  ++stats_.retries;
  auto next = request;
  ++next.tries;
  frontier_.add_again(std::move(next), now() + std::chrono::nanoseconds(wait));
}

void Engine::fail(const Request& request, std::string reason) {
  // The client's errors begin with what was asked, which is known here.
  const auto asked = "GET " + request.url.str() + ": ";
  if (reason.starts_with(asked)) reason.erase(0, asked.size());
  ++stats_.failed;
  if (errors.size() < options_.max_errors) errors.emplace(request.url.str(), reason);
  tell(Outcome::Kind::failed, request, reason);
}

void Engine::tell(Outcome::Kind kind, const Request& request, const std::string& reason) {
  if (listener && !request.robots) listener(Outcome(kind, request.url.str(), request.sequence, reason));
}

Coro<> Engine::visit_robots(const Request& request) {
  Robots robots;
  std::string reason;
  for (int tries = 1;; ++tries) {
    bool passing = true;
    try {
      robots = co_await robots_of(request.url);
      break;
    } catch (const std::exception& error) {
      reason = error.what();
      passing = is_passing(std::current_exception());
    }
    const auto wait = passing ? retry_wait(options_.retry, tries) : std::nullopt;
    if (!wait) {
      // Nobody may guess what the site would have said (RFC 9309 2.3.1.4).
      robots = Robots::nothing_allowed();
      fail(request, reason);
      break;
    }
    ++stats_.retries;
    const Breakable breakable(*this);
    co_await sleep(*wait);
  }
  frontier_.set_robots(request.url, std::move(robots), now());
}

Coro<Robots> Engine::robots_of(const http::Url& first) {
  auto url = first;
  for (int redirects = 0; redirects <= kMaxRobotsRedirects; ++redirects) {
    const auto fetched = co_await fetch(url, kMaxRobotsBody);
    if (fetched.status >= 200 && fetched.status < 300) co_return Robots(fetched.body);
    if (fetched.status >= 500) throw ConnectionError(EPROTO, status_text(fetched.status));
    const auto location = fetched.headers.get("location");
    const auto target = is_redirect(fetched.status) && location ? url.try_join(*location) : std::nullopt;
    if (!target || !target->is_http()) break;
    url = *target;
  }
  co_return Robots();  // there is none: everything is allowed
}

}  // namespace eddy::crawl
