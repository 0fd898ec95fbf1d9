// SPDX-License-Identifier: MIT
// The connections of a session: in use, idle, waited for.
//
// A slot is the right to have one connection open. Whoever frees one serves the waiters at once, in order, so
// a slot is never free while somebody could use it, and newcomers cannot overtake.
#pragma once

#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/events.hpp>
#include <eddy/locks.hpp>
#include <eddy/streams.hpp>
#include <eddy/tls.hpp>

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace eddy::http::detail {

class Pool;

/// Where a connection leads.
struct Endpoint {
  std::string host;
  int port = 0;
  bool secure = false;  // over TLS
  std::string key() const { return (secure ? "https://" : "") + host + ':' + std::to_string(port); }
};

/// A connection in use, with its slot. Its end closes it, unless keep() gave it back.
class Lease {
 public:
  Lease() noexcept = default;
  Lease(std::shared_ptr<Pool> pool, std::string key, Streams streams, bool reused);
  Lease(Lease&& other) noexcept = default;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { drop(); }

  explicit operator bool() const noexcept { return pool_ != nullptr; }
  StreamReader& reader() noexcept { return streams_->reader; }
  StreamWriter& writer() noexcept { return streams_->writer; }
  /// It carried another request before.
  bool reused() const noexcept { return reused_; }

  void keep();
  void drop() noexcept;

 private:
  std::shared_ptr<Pool> pool_;
  std::string key_;
  std::optional<Streams> streams_;
  bool reused_ = false;
};

class Pool : public std::enable_shared_from_this<Pool> {
 public:
  struct Limits {
    std::size_t total, per_host;  // 0: none
    Duration connect, idle;
  };
  /// `tls`: for https; if it is empty, one that trusts whom the system does is made for the first who needs it.
  Pool(const Limits& limits, tls::Context tls) noexcept : limits_(limits), tls_(std::move(tls)) {}

  /// An idle connection, a new one, or a wait for either. `fresh`: not an idle one.
  Coro<Lease> acquire(Endpoint endpoint, bool fresh);

  void close() noexcept;
  bool closed() const noexcept { return closed_; }
  std::size_t open() const noexcept { return open_; }

 private:
  friend class Lease;
  struct Host;
  struct Idle {
    Idle(Pool& p, Host& h, Streams s, TimePoint t) : pool(p), host(h), streams(std::move(s)), since(t) {}
    Pool& pool;
    Host& host;
    Streams streams;
    TimePoint since;
  };
  struct Host {
    std::list<Idle> idle;  // the one used last at the end
    std::size_t open = 0;  // slots
  };
  struct Waiter {
    std::string key;
    Event ready;
    bool has_slot = false;
    std::optional<Streams> streams;  // if an idle connection came with the slot
  };
  class Slot;
  class Waiting;

  std::optional<Streams> take_idle(const std::string& key);
  bool try_open(const std::string& key);
  bool evict_oldest(Host* only) noexcept;
  void erase(Host& host, std::list<Idle>::iterator idle) noexcept;
  void put_idle(const std::string& key, Streams streams);
  void free_slot(const std::string& key) noexcept;
  void serve_waiters() noexcept;
  void sweep() noexcept;
  void arm_sweep();
  static void peer_gone(void* idle) noexcept;

  Coro<Streams> connect(Endpoint endpoint);

  Limits limits_;
  tls::Context tls_;
  std::unordered_map<std::string, Host> hosts_;
  std::list<Waiter*> waiters_;  // in order of arrival
  std::unordered_set<eddy::detail::StreamCore*> busy_;
  std::size_t open_ = 0;
  TimerHandle sweeper_;
  bool sweeping_ = false;
  bool closed_ = false;
};

}  // namespace eddy::http::detail
