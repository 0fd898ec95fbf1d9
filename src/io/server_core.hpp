// SPDX-License-Identifier: MIT
// A listening server: accepts, pauses when it is full or out of descriptors, closes. What is done with a connection
// is its heir's: a task with streams, a protocol with a transport.
#pragma once

#include <eddy/detail/context.hpp>
#include <eddy/events.hpp>
#include <eddy/locks.hpp>
#include <eddy/streams.hpp>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "io/unix_path.hpp"
#include "loop/backend.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {

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

  virtual std::size_t connections() const noexcept = 0;
  virtual void close_clients() = 0;

  bool is_serving() const noexcept { return !listeners_.empty(); }
  const std::vector<Address>& addresses() const noexcept { return addresses_; }
  void close() noexcept;
  bool is_over() const noexcept { return listeners_.empty() && connections() == 0; }
  Event& over() noexcept { return over_; }

 protected:
  /// Takes the descriptor over, also when it throws.
  virtual void serve(int fd) = 0;
  bool is_unix() const noexcept { return addresses_.front().family() == AF_UNIX; }
  /// A connection has ended, and is no longer counted.
  void connection_ended() noexcept;

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
  void take(UniqueFd fd);
  void begin();
  void pause(bool on) noexcept;
  void stop_listening() noexcept;
  void notice() noexcept {
    if (is_over()) over_.set();
  }

  std::vector<Address> addresses_;
  SocketFile file_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  TimerHandle resume_;
  Event over_{"a server to close and its connections to end"};
  std::shared_ptr<ServerCore> self_;  // while it listens: the loop owns it, as it owns tasks
};

}  // namespace eddy::detail
