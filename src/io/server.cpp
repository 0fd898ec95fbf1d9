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
#include "io/server_core.hpp"
#include "io/sockets.hpp"
#include "io/stream_core.hpp"
#include "io/tls_streams.hpp"

namespace eddy {
namespace detail {

namespace {
constexpr Duration kPauseAfterFailure = std::chrono::seconds(1);
}

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

void ServerCore::take(UniqueFd fd) {
  addresses_.push_back(local_of(fd.get()));
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

void ServerCore::accepted(int fd) noexcept {
  try {
    serve(fd);
    if (is_full()) pause(true);
  } catch (...) {
    report_current_exception(&loop_, "a connection was accepted and could not be served");
  }
}

// Out of descriptors or of memory: accepting at once again would only fail again, at full speed.
void ServerCore::accept_failed(int error_number) noexcept {
  loop_.report(fmt::format("accept on {} failed: {}; trying again in {}", addresses_.front().str(),
                           std::strerror(error_number), format_duration(kPauseAfterFailure.count())),
               nullptr, nullptr);
  pause(true);
  resume_ = loop_.facade->call_later(kPauseAfterFailure, [weak = weak_from_this()] {
    if (auto self = weak.lock(); self && !self->is_full()) self->pause(false);
  });
}

void ServerCore::connection_ended() noexcept {
  if (options_.max_connections && connections() + 1 == options_.max_connections) pause(false);
  notice();
}

std::string ServerCore::describe() const { return fmt::format("the server at {}", addresses_.front().str()); }

void ServerCore::pause(bool on) noexcept {
  for (auto& listener : listeners_) on ? listener->pause() : listener->resume();
}

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

// Runs the handler for each connection in a task.
class StreamServer final : public ServerCore {
 public:
  StreamServer(Loop& loop, std::shared_ptr<ConnectionHandler> handler, const ServerOptions& options, tls::Context tls)
      : ServerCore(loop, options), handler_(std::move(handler)), tls_(std::move(tls)) {}

  std::size_t connections() const noexcept override { return tasks_.size(); }
  void close_clients() override {
    for (auto& task : tasks_) task.cancel();
  }

 private:
  void serve(int fd) override {
    if (!is_unix()) set_nodelay(fd);
    auto streams = make_streams(loop_, fd, options_.limit);
    const ContextEntry registered(context_);
    auto self = std::static_pointer_cast<StreamServer>(shared_from_this());
    remember(Task<>::start(loop_, handle(std::move(self), std::move(streams)), {}, {"", 0}));
  }

  static Coro<> handle(std::shared_ptr<StreamServer> self, Streams streams) {
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
  static Coro<bool> shake_hands(StreamServer& self, const StreamWriter& writer) {
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
    auto self = std::static_pointer_cast<StreamServer>(shared_from_this());
    task.add_done_callback([self = std::move(self)](Task<>& done) { self->forget(done); });
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
    connection_ended();
  }

  std::shared_ptr<ConnectionHandler> handler_;
  tls::Context tls_;  // empty: plain
  std::vector<Task<>> tasks_;
  std::unordered_map<const TaskCore*, std::size_t> indices_;  // where a task stands in tasks_
};

Coro<Server> listen(std::shared_ptr<ConnectionHandler> handler, std::string host, int port, ServerOptions options,
                    tls::Context tls) {
  check_port("listen on " + host, port);
  if (options.tls) check_tls_side(tls, true, "start_server");  // it points to somebody's who may be gone
  auto addresses = co_await resolve(host, port, true);
  auto core = std::make_shared<StreamServer>(Loop::running(), std::move(handler), options, std::move(tls));
  core->listen(addresses);
  co_return Server(std::move(core));
}

}  // namespace

Coro<Server> start_server(std::shared_ptr<ConnectionHandler> handler, std::string host, int port, ServerOptions options) {
  return listen(std::move(handler), std::move(host), port, options, options.tls ? *options.tls : tls::Context());
}

Coro<Server> start_unix_server(std::shared_ptr<ConnectionHandler> handler, std::string path, UnixServerOptions options) {
  const auto address = Address::from_path(path);
  const ServerOptions common{.limit = options.limit, .backlog = options.backlog,
                             .max_connections = options.max_connections};
  auto core = std::make_shared<StreamServer>(Loop::running(), std::move(handler), common, tls::Context());
  core->listen_unix(address, options.mode, options.cleanup_socket);
  co_return Server(std::move(core));
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
