// SPDX-License-Identifier: MIT
// The spider's works: one coroutine hands requests out, one task a request fetches and reads.
#pragma once

#include <cstddef>
#include <eddy/crawl/spider.hpp>
#include <eddy/events.hpp>
#include <eddy/locks.hpp>
#include <eddy/taskgroups.hpp>
#include <exception>
#include <list>
#include <map>
#include <string>

#include "crawl/frontier.hpp"

namespace eddy::crawl {

class Engine {
 public:
  Engine(Spider::Parse parse, const SpiderOptions& options);

  bool start(std::string_view url);
  Coro<Stats> run(Fetcher& fetcher);
  void stop();
  Stats stats() const;

  // For pages.
  bool follow(const Request& from, http::Url url, const Follow& how);
  void drop_link() noexcept { ++stats_.dropped; }
  Coro<> emit(Item item);
  const SpiderOptions& options() const noexcept { return options_; }

  Spider::Sink sink;
  Spider::Listener listener;
  std::map<std::string, std::string> errors;
  bool stopped = false;

 private:
  class Wakeup;
  class Visit;
  class Breakable;

  TimePoint now() const { return loop_ ? loop_->time() : TimePoint(); }
  Coro<> dispatch(TaskGroup& group);
  Coro<> wait_for_change();
  Coro<> visit(Request request);
  Coro<> visit_page(const Request& request);
  Coro<> visit_robots(const Request& request);
  Coro<FetchedPage> fetch(const http::Url& url, std::size_t max_bytes);
  Coro<> read(const Request& request, FetchedPage fetched);
  Coro<Robots> robots_of(const http::Url& url);
  void redirect(const Request& request, const FetchedPage& fetched);
  void fail_or_retry(const Request& request, const FetchedPage& fetched);
  void fail_or_retry(const Request& request, const std::exception_ptr& error);
  void again(const Request& request, Duration wait);
  void fail(const Request& request, std::string reason);
  void tell(Outcome::Kind kind, const Request& request, const std::string& reason = {});

  Spider::Parse parse_;
  std::string user_agent_, encoding_;
  SpiderOptions options_;  // its views are of the two above
  Frontier frontier_;
  Stats stats_;
  EventLoop* loop_ = nullptr;
  Fetcher* fetcher_ = nullptr;
  TimePoint started_{}, ended_{};
  Event changed_;
  std::list<AnyTask> breakable_;  // tasks that fetch: stop() cancels them
  std::exception_ptr fatal_;      // what the sink threw
  bool running_ = false;
};

}  // namespace eddy::crawl
