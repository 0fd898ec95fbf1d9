// SPDX-License-Identifier: MIT
#include <eddy/events.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/locks.hpp>
#include <eddy/streams.hpp>
#include <eddy/tasks.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <unordered_map>

#include "base/text.hpp"
#include "io/resolve.hpp"
#include "io/sockets.hpp"
#include "io/stream_core.hpp"
#include "io/tls_streams.hpp"

namespace eddy {
namespace detail {

// Accepts on its descriptors and runs the handler for each connection in a task.
class ServerCore final : public AcceptSink, public LoopResource, public std::enable_shared_from_this<ServerCore> {
 public:
  ServerCore(Loop& loop, std::shared_ptr<ConnectionHandler> handler, const ServerOptions& options, tls::Context tls)
      : loop_(loop), handler_(std::move(handler)), options_(options), tls_(std::move(tls)) {}

  void listen(const std::vector<Address>& addresses) {
    for (auto address : addresses) {
      // With port 0, all families share the port that the first was given.
      if (address.port() == 0 && !addresses_.empty()) address = Address(address.host(), addresses_.front().port());
      auto fd = listen_on(address, options_.backlog, options_.reuse_address, options_.reuse_port);
      addresses_.push_back(local_of(fd.get()));
      listeners_.push_back(loop_.backend->make_listener(fd.get(), *this));
      fd.release();
    }
    loop_.resources.push_back(static_cast<LoopResource&>(*this));
    loop_.io_opened();
    self_ = shared_from_this();
  }

  bool is_serving() const noexcept { return !listeners_.empty(); }
  std::size_t connections() const noexcept { return tasks_.size(); }
  const std::vector<Address>& addresses() const noexcept { return addresses_; }

  void close() noexcept {
    if (listeners_.empty()) return;
    static_cast<LoopResource&>(*this).unlink();
    stop_listening();
    notice();
    self_.reset();  // may be the end of this
  }
  void close_clients() {
    for (auto& task : tasks_) task.cancel();
  }
  std::string describe() const override { return fmt::format("the server at {}", addresses_.front().str()); }
  bool ends_with_loop() const noexcept override { return true; }
  bool is_over() const noexcept { return listeners_.empty() && tasks_.empty(); }
  Event& over() noexcept { return over_; }

 private:
  static constexpr Duration kPauseAfterFailure = std::chrono::seconds(1);

  void accepted(int fd) noexcept override {
    try {
      set_nodelay(fd);
      auto streams = make_streams(loop_, fd, options_.limit);
      const ContextEntry registered(context_);  // each connection gets a copy of start_server()'s context
      auto task = Task<>::start(loop_, serve(shared_from_this(), std::move(streams)), {}, {"", 0});
      remember(task);
      if (is_full()) pause(true);
    } catch (...) {
      report_current_exception(&loop_, "a connection was accepted and could not be served");
    }
  }

  // Out of descriptors or of memory: accepting at once again would only fail again, at full speed.
  void accept_failed(int error_number) noexcept override {
    loop_.report(fmt::format("accept on {} failed: {}; trying again in {}", addresses_.front().str(),
                             std::strerror(error_number), format_duration(kPauseAfterFailure.count())),
                 nullptr, nullptr);
    pause(true);
    resume_ = loop_.facade->call_later(kPauseAfterFailure, [weak = weak_from_this()] {
      if (auto self = weak.lock(); self && !self->is_full()) self->pause(false);
    });
  }

  bool is_full() const noexcept { return options_.max_connections && tasks_.size() >= options_.max_connections; }
  void pause(bool on) noexcept {
    for (auto& listener : listeners_) on ? listener->pause() : listener->resume();
  }

  static Coro<> serve(std::shared_ptr<ServerCore> self, Streams streams) {
    if (self->tls_) {
      const bool open = co_await shake_hands(*self, streams.writer);
      if (!open) co_return;
    }
    auto handler = self->handler_;
    auto coroutine = handler->handle(std::move(streams.reader), std::move(streams.writer));
    try {
      co_await std::move(coroutine);
    } catch (const BaseException&) {
      throw;
    } catch (...) {
      report_current_exception(&self->loop_, "a connection's handler threw");
    }
  }

  // As in asyncio, a client that cannot do it is no news: what strangers send is not for the log.
  static Coro<bool> shake_hands(ServerCore& self, const StreamWriter& writer) {
    try {
      co_await put_tls_on(writer, self.tls_, {}, self.options_.tls_handshake_timeout, self.options_.tls_shutdown_timeout);
      co_return true;
    } catch (const OSError&) {
      if (self.loop_.debug.load(std::memory_order_relaxed)) {
        report_current_exception(&self.loop_, "a TLS handshake failed");
      }
    }
    co_return false;
  }

  void remember(const Task<>& task) {
    tasks_.push_back(task);
    indices_.emplace(&task.core(), tasks_.size() - 1);
    task.add_done_callback([self = shared_from_this()](Task<>& done) { self->forget(done); });
  }
  void forget(const Task<>& task) noexcept {
    const auto found = indices_.find(&task.core());
    if (found == indices_.end()) return;
    const auto index = found->second;
    indices_.erase(found);
    if (index + 1 != tasks_.size()) {
      tasks_[index] = std::move(tasks_.back());
      indices_[&tasks_[index].core()] = index;
    }
    tasks_.pop_back();
    if (options_.max_connections && tasks_.size() + 1 == options_.max_connections) pause(false);
    notice();
  }
  void notice() noexcept {
    if (is_over()) over_.set();
  }

  void stop_listening() noexcept {
    listeners_.clear();
    resume_.cancel();
    loop_.io_closed();
  }
  void loop_closed() noexcept override {
    stop_listening();
    self_.reset();
  }

  Loop& loop_;
  std::shared_ptr<ConnectionHandler> handler_;
  ServerOptions options_;
  tls::Context tls_;  // empty: plain
  std::vector<Address> addresses_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<Task<>> tasks_;
  std::unordered_map<const TaskCore*, std::size_t> indices_;  // where a task stands in tasks_
  TimerHandle resume_;
  ContextRef context_{captured_context()};
  Event over_{"a server to close and its connections to end"};
  std::shared_ptr<ServerCore> self_;  // while it listens: the loop owns it, as it owns tasks
};

namespace {

Coro<Server> listen(std::shared_ptr<ConnectionHandler> handler, std::string host, int port, ServerOptions options,
                    tls::Context tls) {
  check_port("listen on " + host, port);
  if (options.tls) check_tls_side(tls, true, "start_server");  // it points to somebody's who may be gone
  auto addresses = co_await resolve(host, port, true);
  auto core = std::make_shared<ServerCore>(Loop::running(), std::move(handler), options, std::move(tls));
  core->listen(addresses);
  co_return Server(std::move(core));
}

}  // namespace

Coro<Server> start_server(std::shared_ptr<ConnectionHandler> handler, std::string host, int port, ServerOptions options) {
  return listen(std::move(handler), std::move(host), port, options, options.tls ? *options.tls : tls::Context());
}

}  // namespace detail

Address Server::address() const { return core_->addresses().front(); }
std::vector<Address> Server::addresses() const { return core_->addresses(); }
bool Server::is_serving() const noexcept { return core_->is_serving(); }
std::size_t Server::connections() const noexcept { return core_->connections(); }
void Server::close() { core_->close(); }
void Server::close_clients() { core_->close_clients(); }

Coro<> Server::wait_closed() {
  auto core = core_;
  if (!core->is_over()) co_await core->over().wait();
}

Coro<> Server::serve_forever() {
  auto core = core_;
  struct Close {
    detail::ServerCore& core;
    explicit Close(detail::ServerCore& c) noexcept : core(c) {}
    ~Close() { core.close(); }
  } close(*core);
  co_await core->over().wait();
}

}  // namespace eddy
