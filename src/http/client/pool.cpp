// SPDX-License-Identifier: MIT
#include "http/client/pool.hpp"

#include <eddy/exceptions.hpp>
#include <eddy/http/client_errors.hpp>
#include <eddy/timeouts.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"
#include "io/stream_core.hpp"

namespace eddy::http::detail {
namespace {

// Open, and nothing came that nobody asked for.
bool is_quiet(Streams& streams) noexcept {
  const int fd = streams.writer.fileno();
  char byte = 0;
  return fd >= 0 && streams.reader.buffered().empty() && streams.writer.core().driver()->is_quiet() && ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

// --- leases -------------------------------------------------------------------------------------------

Lease::Lease(std::shared_ptr<Pool> pool, std::string key, Streams streams, bool reused)
    : pool_(std::move(pool)), key_(std::move(key)), streams_(std::move(streams)), reused_(reused) {
  pool_->busy_.insert(&streams_->writer.core());
}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  drop();
  pool_ = std::move(other.pool_);
  key_ = std::move(other.key_);
  streams_ = std::move(other.streams_);
  other.streams_.reset();
  reused_ = other.reused_;
  return *this;
}

void Lease::keep() {
  auto pool = std::move(pool_);
  if (!pool) return;
  pool->busy_.erase(&streams_->writer.core());
  pool->put_idle(key_, *std::exchange(streams_, std::nullopt));
}

void Lease::drop() noexcept {
  auto pool = std::move(pool_);
  if (!pool) return;
  pool->busy_.erase(&streams_->writer.core());
  streams_->writer.abort();
  streams_.reset();
  pool->free_slot(key_);
}

// --- slots --------------------------------------------------------------------------------------------

/// A slot without a connection yet; its end frees it.
class Pool::Slot {
 public:
  Slot(std::shared_ptr<Pool> pool, std::string key) noexcept : pool_(std::move(pool)), key_(std::move(key)) {}
  Slot(Slot&&) = delete;
  ~Slot() {
    if (pool_) pool_->free_slot(key_);
  }
  Lease fill(Streams streams, bool reused) {
    return Lease(std::exchange(pool_, nullptr), std::move(key_), std::move(streams), reused);
  }

 private:
  std::shared_ptr<Pool> pool_;
  std::string key_;
};

/// A place in the queue; what was granted and not taken, because the task was cancelled, goes back.
class Pool::Waiting {
 public:
  Waiting(std::shared_ptr<Pool> pool, std::string key) : pool_(std::move(pool)) {
    waiter_.key = std::move(key);
    place_ = pool_->waiters_.insert(pool_->waiters_.end(), &waiter_);
  }
  Waiting(Waiting&&) = delete;
  ~Waiting() {
    if (!waiter_.has_slot) {
      if (!pool_->closed_) pool_->waiters_.erase(place_);
    } else if (!taken_) {
      if (waiter_.streams) pool_->put_idle(waiter_.key, std::move(*waiter_.streams));
      else pool_->free_slot(waiter_.key);
    }
  }
  auto wait() { return waiter_.ready.wait(); }
  /// The connection that came with the slot, if one did.
  std::optional<Streams> take() noexcept {
    taken_ = true;
    return std::exchange(waiter_.streams, std::nullopt);
  }
  bool has_slot() const noexcept { return waiter_.has_slot; }

 private:
  std::shared_ptr<Pool> pool_;
  Waiter waiter_;
  std::list<Waiter*>::iterator place_;
  bool taken_ = false;
};

Coro<Lease> Pool::acquire(Endpoint endpoint, bool fresh) {
  auto self = shared_from_this();
  const auto key = endpoint.key();
  if (closed_) throw RuntimeError("the session is closed");
  std::optional<Streams> idle;
  if (!fresh) idle = take_idle(key);
  if (!idle && !try_open(key)) {
    Waiting waiting(self, key);
    co_await waiting.wait();
    if (!waiting.has_slot()) throw RuntimeError("the session was closed");
    idle = waiting.take();
    if (idle && (fresh || !is_quiet(*idle))) idle.reset();
  }
  Slot slot(self, key);
  if (idle) co_return slot.fill(std::move(*idle), true);
  const auto limit = limits_.connect.count() > 0 ? limits_.connect : Duration::max();
  std::optional<Streams> streams;
  const auto began = eddy::get_running_loop().time();
  try {
    streams = co_await eddy::timeout(limit, connect(endpoint));
  } catch (const TimeoutError&) {
    if (eddy::get_running_loop().time() - began < std::chrono::nanoseconds(limit)) throw;  // the system's
  }
  if (!streams) {
    throw RequestTimeoutError(fmt::format("no connection to {} within {}", key, eddy::detail::format_duration(limit.count())),
                              TimeoutKind::connect);
  }
  if (closed_) throw RuntimeError("the session was closed");
  co_return slot.fill(std::move(*streams), false);
}

Coro<Streams> Pool::connect(Endpoint endpoint) {
  if (!endpoint.secure) return open_connection(std::move(endpoint.host), endpoint.port);
  if (!tls_) tls_ = tls::client({.alpn = "http/1.1"});
  return open_connection(std::move(endpoint.host), endpoint.port, {.tls = &tls_});
}

std::optional<Streams> Pool::take_idle(const std::string& key) {
  auto& host = hosts_[key];
  while (!host.idle.empty()) {
    auto last = std::prev(host.idle.end());
    last->streams.writer.core().on_hangup(nullptr, nullptr);
    if (is_quiet(last->streams)) {
      std::optional<Streams> streams(std::move(last->streams));
      host.idle.erase(last);
      return streams;
    }
    erase(host, last);
  }
  return std::nullopt;
}

// Takes a slot if there is one, if need be that of an idle connection.
bool Pool::try_open(const std::string& key) {
  auto& host = hosts_[key];
  if (limits_.per_host && host.open >= limits_.per_host && !evict_oldest(&host)) return false;
  if (limits_.total && open_ >= limits_.total && !evict_oldest(nullptr)) return false;
  ++host.open;
  ++open_;
  return true;
}

bool Pool::evict_oldest(Host* only) noexcept {
  Host* oldest = nullptr;
  if (only) {
    oldest = only->idle.empty() ? nullptr : only;
  } else {
    for (auto& [key, host] : hosts_) {
      if (host.idle.empty()) continue;
      if (!oldest || host.idle.front().since < oldest->idle.front().since) oldest = &host;
    }
  }
  if (!oldest) return false;
  erase(*oldest, oldest->idle.begin());
  return true;
}

void Pool::erase(Host& host, std::list<Idle>::iterator idle) noexcept {
  idle->streams.writer.core().on_hangup(nullptr, nullptr);
  idle->streams.writer.close();  // over TLS: with a goodbye
  host.idle.erase(idle);
  --host.open;
  --open_;
}

void Pool::put_idle(const std::string& key, Streams streams) {
  const auto waiter = std::find_if(waiters_.begin(), waiters_.end(), [&](Waiter* w) { return w->key == key; });
  if (closed_) {
    streams.writer.abort();
    return free_slot(key);
  }
  if (waiter != waiters_.end()) {
    auto& first = **waiter;
    waiters_.erase(waiter);
    first.streams = std::move(streams);
    first.has_slot = true;
    return first.ready.set();
  }
  auto& host = hosts_[key];
  auto& idle = host.idle.emplace_back(*this, host, std::move(streams), eddy::get_running_loop().time());
  idle.streams.writer.core().on_hangup(&peer_gone, &idle);
  arm_sweep();
  serve_waiters();
}

void Pool::free_slot(const std::string& key) noexcept {
  const auto found = hosts_.find(key);
  if (found != hosts_.end()) {
    --found->second.open;
    if (found->second.open == 0 && found->second.idle.empty()) hosts_.erase(found);
  }
  --open_;
  serve_waiters();
}

void Pool::serve_waiters() noexcept {
  if (closed_) return;
  for (auto at = waiters_.begin(); at != waiters_.end();) {
    auto& waiter = **at;
    if (!try_open(waiter.key)) {
      ++at;
      continue;
    }
    at = waiters_.erase(at);
    waiter.has_slot = true;
    waiter.ready.set();
  }
}

// --- idle connections ---------------------------------------------------------------------------------

void Pool::peer_gone(void* idle) noexcept {
  auto& gone = *static_cast<Idle*>(idle);
  auto& pool = gone.pool;
  auto& host = gone.host;
  const auto at = std::find_if(host.idle.begin(), host.idle.end(), [&](const Idle& i) { return &i == &gone; });
  if (at != host.idle.end()) pool.erase(host, at);
  pool.serve_waiters();
}

void Pool::arm_sweep() {
  if (sweeping_ || limits_.idle.count() <= 0) return;
  sweeping_ = true;
  sweeper_ = eddy::get_running_loop().call_later(limits_.idle, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->sweep();
  });
}

void Pool::sweep() noexcept {
  sweeping_ = false;
  const auto now = eddy::get_running_loop().time();
  bool left = false;
  for (auto& [key, host] : hosts_) {
    while (!host.idle.empty() && now - host.idle.front().since >= std::chrono::nanoseconds(limits_.idle)) {
      erase(host, host.idle.begin());
    }
    left = left || !host.idle.empty();
  }
  std::erase_if(hosts_, [](const auto& entry) { return entry.second.open == 0; });
  if (left) arm_sweep();
  serve_waiters();
}

void Pool::close() noexcept {
  if (std::exchange(closed_, true)) return;
  sweeper_.cancel();
  for (auto& [key, host] : hosts_) {
    while (!host.idle.empty()) erase(host, host.idle.begin());
  }
  for (auto* waiter : waiters_) waiter->ready.set();
  waiters_.clear();
  for (auto* core : busy_) core->abort();
}

}  // namespace eddy::http::detail
