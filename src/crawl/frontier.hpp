// SPDX-License-Identifier: MIT
// What is to be fetched, what was seen, and whose turn it is. Pure: it does no I/O, and time is what it is told.
//
// Each host has a queue of its own, so that a slow or thousandfold host holds nobody else back, and is in one of
// these places:
//
//     ready ----take()----> ready (at the end)      hosts take turns; O(1)
//       ^    \------------> resting until a time    a delay is kept; a heap, O(log hosts)
//       |     \-----------> neither                 no request left, `per_host` in flight, or its robots.txt is
//       '---- add(), finished(), set_robots(), or the time has come
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <eddy/clock.hpp>
#include <eddy/crawl/robots.hpp>
#include <eddy/http/url.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "crawl/fingerprint.hpp"

namespace eddy::crawl {

/// A URL on its way through the crawl.
struct Request {
  http::Url url;                       // without fragment
  std::string tag = {};                // the caller's
  std::vector<std::string> redirects = {};  // the URLs that led here, oldest first
  std::uint64_t sequence = 0;          // in order of discovery; a redirect's target inherits it
  int priority = 0;                    // the higher first
  int depth = 0;                       // links between it and a start URL
  int tries = 0;                       // that failed
  bool robots = false;                 // not a page: the host's robots.txt

  explicit Request(http::Url u) : url(std::move(u)) {}
};

struct FrontierOptions {
  std::string_view user_agent = {};       // copied
  std::size_t per_host = 8;               // requests in flight
  Duration delay = {};                    // between the starts of two requests to one host
  bool obey_robots = false;
  bool same_site = false;                 // only hosts of start URLs, and those they redirect to
  std::size_t max_pages = 0;              // 0: any number
  int max_depth = -1;                     // -1: any
  std::size_t max_urls = 1'000'000;       // seen; later ones are dropped
  std::size_t max_url_length = 4096;      // bytes
};

class Frontier {
 public:
  enum class Added { yes, seen, other_site, not_http, too_deep, too_long, full };

  Frontier(const FrontierOptions& options, const FingerprintKey& key);

  /// Takes a request in unless it was seen or is not wanted, and gives it the next sequence number. One with depth 0
  /// makes its host a site of the crawl.
  Added add(Request request, TimePoint now);
  /// The target of a redirect of `from`, in whose place it comes: first in turn, with its sequence number.
  Added add_redirect(const Request& from, http::Url target, TimePoint now);
  /// A request that failed, to be made again at `when`.
  void add_again(Request request, TimePoint when);

  /// The next request whose turn it is; it counts as in flight until finished(). Nothing if none may start now.
  std::optional<Request> take(TimePoint now);
  /// Requests that robots.txt forbids and take() has passed over since the last call.
  std::vector<Request> forbidden() { return std::exchange(forbidden_, {}); }
  /// When take() may have something that it does not have now, if nothing finishes before.
  std::optional<TimePoint> next_time() const;
  /// A request that was taken has ended.
  void finished(const Request& request, TimePoint now);

  /// No request to this URL's host starts before `when`.
  void rest(const http::Url& url, TimePoint when);
  /// What the host's robots.txt says; its requests wait for that if robots.txt is obeyed.
  void set_robots(const http::Url& url, Robots robots, TimePoint now);

  /// Nothing waits, and nothing may be asked for again. Requests in flight do not count.
  bool empty() const noexcept { return waiting_ == 0 && later_.empty(); }
  /// Requests that wait.
  std::size_t size() const noexcept { return waiting_ + later_.size(); }
  std::size_t seen() const noexcept { return seen_.size(); }
  /// Pages handed out, each URL counted once.
  std::size_t pages() const noexcept { return pages_; }
  std::size_t hosts() const noexcept { return hosts_.size(); }

 private:
  enum class Place : std::uint8_t { nowhere, ready, resting };
  enum class RobotsState : std::uint8_t { known, needed, asked };
  struct Before {  // a heap's order: the top is what comes first
    bool operator()(const Request& a, const Request& b) const noexcept;
  };
  struct Host {
    std::vector<Request> queue;  // a heap
    Robots robots;
    http::Url origin;
    TimePoint not_before = TimePoint::min();
    Duration delay;
    std::size_t in_flight = 0;
    Place place = Place::nowhere;
    RobotsState robots_state = RobotsState::known;
    explicit Host(const http::Url& url) : origin(url) {}
  };
  struct Resting {
    TimePoint until;
    Host* host;
    bool operator>(const Resting& other) const noexcept { return until > other.until; }
  };
  struct Later {
    TimePoint when;
    std::uint64_t order;
    Request request;
  };

  static std::string key_of(const http::Url& url);
  Host& host_of(const http::Url& url);
  Added check(const Request& request) const;
  void enqueue(Request request, TimePoint now);
  void place(Host& host, TimePoint now);
  void wake(TimePoint now);
  std::optional<Request> take_from(Host& host, TimePoint now);
  std::optional<Request> pop(Host& host);
  bool pages_left() const noexcept { return max_pages_ == 0 || pages_ < max_pages_; }
  void drop_all() noexcept;

  FrontierOptions options_;
  std::string user_agent_;
  FingerprintKey key_;
  std::size_t max_pages_;
  std::unordered_set<Fingerprint, FingerprintHash> seen_;
  std::unordered_set<std::string> sites_;                        // authorities
  std::unordered_map<std::string, std::unique_ptr<Host>> hosts_;  // by origin
  std::deque<Host*> ready_;
  std::priority_queue<Resting, std::vector<Resting>, std::greater<>> resting_;
  std::vector<Later> later_;  // a heap, the earliest on top
  std::vector<Request> forbidden_;
  std::uint64_t sequence_ = 0, order_ = 0;
  std::size_t waiting_ = 0;  // in the hosts' queues
  std::size_t pages_ = 0;
};

}  // namespace eddy::crawl
