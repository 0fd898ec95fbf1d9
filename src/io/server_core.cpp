// SPDX-License-Identifier: MIT
#include "io/server_core.hpp"

#include <eddy/exceptions.hpp>
#include <eddy/timeouts.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/text.hpp"
#include "io/sockets.hpp"

namespace eddy {
namespace detail {

namespace {

constexpr Duration kPauseAfterFailure = std::chrono::seconds(1);
constexpr int kSweeps = 4;  // in an idle_timeout: a connection ends at most a quarter late

}  // namespace

IdleTimeout::IdleTimeout(const std::string& peer, Duration limit)
    : TimeoutError(fmt::format("no byte came from {} or went there for {}, the server's idle_timeout", peer,
                               format_duration(limit.count()))) {}

void ServerCore::listen(const std::vector<Address>& addresses) {
  for (auto address : addresses) {
    // With port 0, all families share the port that the first was given.
    if (address.port() == 0 && !addresses_.empty()) address = Address(address.host(), addresses_.front().port());
    take(listen_on(address, options_.backlog, options_.reuse_address, options_.reuse_port));
  }
  begin();
}

void ServerCore::listen_unix(const Address& address, int mode, bool cleanup) {
  auto fd = listen_on_path(address, options_.backlog, mode);
  SocketFile file(address);
  take(std::move(fd));
  if (cleanup) file_ = std::move(file);
  begin();
}

void ServerCore::listen_given(UniqueFd fd) {
  take(std::move(fd));
  begin();
}

void ServerCore::take(UniqueFd fd) {
  addresses_.push_back(local_of(fd.get()));
  if (!is_unix()) set_nodelay(fd.get());  // which Linux hands on to each accepted socket: a call less for each
  listeners_.push_back(loop_.backend->make_listener(fd.get(), *this));
  fd.release();
}

void ServerCore::begin() {
  loop_.resources.push_back(static_cast<LoopResource&>(*this));
  loop_.io_opened();
  self_ = shared_from_this();
}

void ServerCore::close() noexcept {
  if (listeners_.empty()) return;
  static_cast<LoopResource&>(*this).unlink();
  stop_listening();
  notice();
  self_.reset();  // may be the end of this
}

// --- accepting ----------------------------------------------------------------------------------------

void ServerCore::accepted(int fd) noexcept {
  PeerCounts::Entry* peer = nullptr;
  try {
    if (!admit(fd, peer)) return refuse(fd);
  } catch (...) {  // no memory for its count: it goes without
  }
  const auto before = statistics_.accepted;
  try {
    serve(fd, peer);
  } catch (...) {
    if (statistics_.accepted == before) {
      peers_.leave(peer);
      ++statistics_.failed;
    }
    report_current_exception(&loop_, "a connection was accepted and could not be served");
  }
  if (is_full()) pause(true);
}

bool ServerCore::admit(int fd, PeerCounts::Entry*& peer) {
  if (options_.max_connections_per_peer == 0) return true;
  const auto key = peer_key(fd);
  if (!key) return true;
  peer = peers_.enter(*key, options_.max_connections_per_peer);
  return peer != nullptr;
}

// With a reset: nothing stays behind here (TIME_WAIT), and the peer's next write or read says what happened.
void ServerCore::refuse(int fd) noexcept {
  ++statistics_.refused;
  const linger reset{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  ::close(fd);
}

// Out of descriptors or of memory: accepting at once again would only fail again, at full speed.
void ServerCore::accept_failed(int error_number) noexcept {
  ++statistics_.failed;
  loop_.report(fmt::format("accept on {} failed: {}; trying again in {}", addresses_.front().str(),
                           std::strerror(error_number), format_duration(kPauseAfterFailure.count())),
               nullptr, nullptr);
  pause(true);
  resume_ = loop_.facade->call_later(kPauseAfterFailure, [weak = weak_from_this()] {
    if (auto self = weak.lock(); self && !self->is_full()) self->pause(false);
  });
}

void ServerCore::pause(bool on) noexcept {
  for (auto& listener : listeners_) on ? listener->pause() : listener->resume();
}

// --- connections --------------------------------------------------------------------------------------

void ServerCore::enter(List& connections, Served& connection, PeerCounts::Entry* peer) noexcept {
  connection.peer = peer;
  connections.push_back(connection);
  ++statistics_.accepted;
  if (statistics_.connections++ == 0) busy_ = shared_from_this();
  if (options_.idle_timeout.count() <= 0) return;
  if (statistics_.connections == 1) sweep_later();
  connection.still_for = swept_at_ - loop_.time();
}

void ServerCore::leave(Served& connection) noexcept {
  connection.unlink();
  peers_.leave(connection.peer);
  const auto keep = --statistics_.connections == 0 ? std::move(busy_) : nullptr;
  if (keep) sweep_.cancel();
  if (options_.max_connections && connections() + 1 == options_.max_connections) pause(false);
  notice();
}

// No timer a connection and none moved a message: what moved is noted in one byte, which is looked at a few times in an
// idle_timeout. A loop that was busy for long has not looked at the kernel, which may have bytes of everybody: that time
// counts as two sweeps at most.
void ServerCore::sweep_later() {
  swept_at_ = loop_.time();
  const auto pause = Duration::nanoseconds(std::max<std::int64_t>(options_.idle_timeout.count() / kSweeps, 1'000'000));
  sweep_ = loop_.facade->call_later(pause, [weak = weak_from_this(), most = 2 * pause.count()] {
    const auto self = weak.lock();
    if (!self) return;
    self->elapsed_ = std::min(self->loop_.time() - self->swept_at_, most);
    self->sweep();
    if (self->connections() > 0) self->sweep_later();
  });
}

bool ServerCore::expired(Served& connection, bool moved) noexcept {
  connection.still_for = moved ? 0 : connection.still_for + elapsed_;
  if (connection.still_for < options_.idle_timeout.count()) return false;
  connection.still_for = 0;
  ++statistics_.timed_out;
  return true;
}

// --- the end ------------------------------------------------------------------------------------------

std::string ServerCore::describe() const { return fmt::format("the server at {}", addresses_.front().str()); }

void ServerCore::stop_listening() noexcept {
  file_.remove();  // before another server can take the path
  listeners_.clear();
  resume_.cancel();
  loop_.io_closed();
}

void ServerCore::loop_closed() noexcept {
  stop_listening();
  self_.reset();
}

namespace {
Coro<> until_over(std::shared_ptr<ServerCore> core) {
  if (!core->is_over()) co_await core->over().wait();
}
}  // namespace

Coro<> shut_down(std::shared_ptr<ServerCore> core, Duration grace) {
  core->close();
  std::exception_ptr cancelled;
  try {
    co_await timeout(grace, until_over(core));
  } catch (const TimeoutError&) {
  } catch (const CancelledError&) {
    cancelled = std::current_exception();
  }
  if (!core->is_over()) {
    core->cut_off();
    co_await until_over(core);
  }
  if (cancelled) std::rethrow_exception(cancelled);
}

}  // namespace detail

Address Server::address() const { return core_->addresses().front(); }
std::vector<Address> Server::addresses() const { return core_->addresses(); }
bool Server::is_serving() const noexcept { return core_->is_serving(); }
std::size_t Server::connections() const noexcept { return core_->connections(); }
ServerStatistics Server::statistics() const noexcept { return core_->statistics(); }
void Server::close() { core_->close(); }
void Server::close_clients() { core_->close_clients(); }
void Server::abort_clients() { core_->abort_clients(); }
Coro<> Server::shutdown(Duration grace) { return detail::shut_down(core_, grace); }
Coro<> Server::wait_closed() { return detail::until_over(core_); }

Coro<> Server::serve_forever() {
  auto core = core_;
  struct Close {
    detail::ServerCore& core;
    explicit Close(detail::ServerCore& c) noexcept : core(c) {}
    ~Close() { core.close(); }
  } close(*core);
  co_await core->over().wait();
}

Coro<> Server::serve_forever(Duration grace) {
  auto core = core_;
  std::exception_ptr cancelled;
  try {
    co_await core->over().wait();
  } catch (const CancelledError&) {
    cancelled = std::current_exception();
  }
  co_await detail::shut_down(core, grace);
  if (cancelled) std::rethrow_exception(cancelled);
}

}  // namespace eddy
