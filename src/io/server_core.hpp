// SPDX-License-Identifier: MIT
// A listening server: accepts, keeps its limits, pauses when it is full or out of descriptors, closes. What is done with
// a connection is its heir's: a task with streams, a protocol with a transport.
#pragma once

#include <eddy/detail/context.hpp>
#include <eddy/events.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/locks.hpp>
#include <eddy/streams.hpp>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/peer_counts.hpp"
#include "io/unix_path.hpp"
#include "loop/backend.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {

/// What a server remembers of each of its connections.
struct Served : ListNode {
  PeerCounts::Entry* peer = nullptr;  // null: not counted
  std::int64_t still_for = 0;         // ns without a byte, as far as sweeps know; negative: it came after the last one
};

/// What a connection ends with at its server's idle_timeout.
class IdleTimeout final : public TimeoutError {
 public:
  IdleTimeout(const std::string& peer, Duration limit);
};

class ServerCore : public AcceptSink, public LoopResource, public std::enable_shared_from_this<ServerCore> {
 public:
  ServerCore(Loop& loop, const ServerOptions& options) : loop_(loop), options_(options) {}
  ServerCore(const ServerCore&) = delete;
  ServerCore& operator=(const ServerCore&) = delete;
  virtual ~ServerCore() = default;

  /// Throws OSError that names the address.
  void listen(const std::vector<Address>& addresses);
  /// `mode`: the file's permissions, -1: the umask's. `cleanup`: the file goes with the server. Throws OSError.
  void listen_unix(const Address& address, int mode, bool cleanup);
  /// On a socket that somebody else has bound.
  void listen_given(UniqueFd fd);

  std::size_t connections() const noexcept { return statistics_.connections; }
  const ServerStatistics& statistics() const noexcept { return statistics_; }
  virtual void close_clients() = 0;
  virtual void abort_clients() = 0;
  /// Cancels what works for connections; they close with it, and what they have not sent is lost.
  virtual void cut_off() = 0;

  bool is_serving() const noexcept { return !listeners_.empty(); }
  const std::vector<Address>& addresses() const noexcept { return addresses_; }
  void close() noexcept;
  bool is_over() const noexcept { return listeners_.empty() && connections() == 0; }
  Event& over() noexcept { return over_; }

 protected:
  /// Takes the descriptor over, also when it throws. Calls enter() when nothing can fail any more.
  virtual void serve(int fd, PeerCounts::Entry* peer) = 0;
  /// Calls expired() for each connection that is still.
  virtual void sweep() noexcept = 0;

  bool is_unix() const noexcept { return addresses_.front().family() == AF_UNIX; }
  void enter(List& connections, Served& connection, PeerCounts::Entry* peer) noexcept;
  /// A connection has ended. May be the end of this.
  void leave(Served& connection) noexcept;
  /// `moved`: bytes, since the last sweep.
  bool expired(Served& connection, bool moved) noexcept;

  Loop& loop_;
  ServerOptions options_;
  ContextRef context_{captured_context()};  // each connection gets a copy of the one that started the server

 private:
  void accepted(int fd) noexcept override;
  void accept_failed(int error_number) noexcept override;
  void loop_closed() noexcept override;
  std::string describe() const override;
  bool ends_with_loop() const noexcept override { return true; }

  bool is_full() const noexcept { return options_.max_connections && connections() >= options_.max_connections; }
  bool admit(int fd, PeerCounts::Entry*& peer);
  void refuse(int fd) noexcept;
  void take(UniqueFd fd);
  void begin();
  void pause(bool on) noexcept;
  void sweep_later();
  void stop_listening() noexcept;
  void notice() noexcept {
    if (is_over()) over_.set();
  }

  std::vector<Address> addresses_;
  SocketFile file_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  PeerCounts peers_;
  ServerStatistics statistics_;
  TimerHandle resume_;
  std::int64_t swept_at_ = 0;  // on the loop's clock
  std::int64_t elapsed_ = 0;   // that the sweep under way adds
  TimerHandle sweep_;  // while there are connections, if they may be idle only so long
  Event over_{"a server to close and its connections to end"};
  std::shared_ptr<ServerCore> self_;  // while it listens: the loop owns it, as it owns tasks
  std::shared_ptr<ServerCore> busy_;  // while it has connections
};

/// Server::shutdown().
Coro<> shut_down(std::shared_ptr<ServerCore> core, Duration grace);

}  // namespace eddy::detail
