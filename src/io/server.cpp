// SPDX-License-Identifier: MIT
// start_server() and start_unix_server(): a task for each connection.
#include <eddy/events.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/sockets.hpp>
#include <eddy/streams.hpp>
#include <eddy/tasks.hpp>

#include <memory>
#include <typeinfo>
#include <utility>

#include "base/unique_fd.hpp"
#include "io/given_sockets.hpp"
#include "io/resolve.hpp"
#include "io/server_core.hpp"
#include "io/sockets.hpp"
#include "io/stream_core.hpp"
#include "io/tls_streams.hpp"

namespace eddy {
namespace detail {
namespace {

// Runs the handler for each connection in a task. A connection is one as long as its handler runs or its stream still
// sends what the handler wrote last. A stream that the handler gave to somebody else is no longer the server's.
class StreamServer final : public ServerCore {
 public:
  StreamServer(Loop& loop, std::shared_ptr<ConnectionHandler> handler, const ServerOptions& options, tls::Context tls)
      : ServerCore(loop, options), handler_(std::move(handler)), tls_(std::move(tls)) {}

  void close_clients() override {
    for_each([](Client& client) {
      if (client.task()) client.task()->cancel_task(nullptr);
    });
  }
  void abort_clients() override {
    for_each([](Client& client) {
      if (client.stream) client.stream->abort();
    });
  }
  void cut_off() override {
    cut_ = true;
    for_each([](Client& client) {
      if (client.task()) client.task()->cancel_task(nullptr);
      else client.stream->abort();
    });
  }

 private:
  // One of `task` and `stream` is there at least.
  struct Client final : Served, DoneNode, StreamOwner, Pooled {
    StreamServer& server;  // kept by its connections, and with it what the handler captured
    StreamCore* stream = nullptr;  // null: it is closed

    explicit Client(StreamServer& owner) noexcept : DoneNode(kOps), server(owner) {}
    ~Client() {
      if (stream) stream->set_owner(nullptr);
    }
    /// Null: its handler has ended.
    TaskCore* task() const noexcept { return static_cast<TaskCore*>(target); }
    void begin(TaskCore& handler, StreamCore& core) noexcept {
      stream = &core;
      core.set_owner(this);
      attach(handler);
    }
    static void handler_done(ReadyNode& node, Dispatch) noexcept {
      auto& self = static_cast<Client&>(node);
      TaskCore& handler = *self.task();
      report_failure(handler);
      self.handler_ended();
      handler.release();
    }
    void handler_ended() noexcept {
      target = nullptr;
      if (!stream || !stream->is_closing()) return server.gone(*this);
      if (server.cut_) stream->abort();
    }
    void stream_closed() noexcept override {
      stream = nullptr;
      if (!task()) server.gone(*this);
    }
    static const DoneOps kOps;
  };

  template <class F>
  void for_each(F function) {
    for (auto* node = clients_.front(); node != clients_.end();) {
      auto& client = static_cast<Client&>(static_cast<Served&>(*node));
      node = node->next;
      function(client);
    }
  }

  void gone(Client& client) noexcept {
    leave(client);  // may be the end of this, not of the client
    delete &client;
  }

  void serve(int fd, PeerCounts::Entry* peer) override {
    UniqueFd owned(fd);
    auto client = std::make_unique<Client>(*this);
    auto streams = make_streams(loop_, owned.release(), options_.limit);
    auto& stream = streams.reader.core();
    const ContextEntry registered(context_);
    auto coroutine = tls_ ? handle_behind_tls(std::static_pointer_cast<StreamServer>(shared_from_this()), std::move(streams))
                          : handler_->handle(std::move(streams.reader), std::move(streams.writer));
    const auto task = Task<>::start(loop_, std::move(coroutine), {}, {"", 0});
    enter(clients_, *client, peer);
    client.release()->begin(task.core(), stream);
  }

  void sweep() noexcept override {
    for_each([this](Client& client) {
      if (!client.stream || !expired(client, client.stream->take_moved())) return;
      client.stream->fail(std::make_exception_ptr(IdleTimeout(client.stream->describe(), options_.idle_timeout)));
    });
  }

  // The handler's coroutine is the task's own: one less for each connection.
  static void report_failure(TaskCore& task) noexcept {
    if (task.state != FutureState::failed || !(task.flags & kUnread)) return;
    task.flags &= static_cast<std::uint8_t>(~kUnread);
    if (*task.error.__cxa_exception_type() == typeid(IdleTimeout)) return;  // our own doing: not for the log
    Loop::of(*task.loop).report("a connection's handler threw", task.error, nullptr, &task);
  }

  static Coro<> handle_behind_tls(std::shared_ptr<StreamServer> self, Streams streams) {
    const bool open = co_await shake_hands(*self, streams.writer);
    if (!open) co_return;
    auto handler = self->handler_;
    auto coroutine = handler->handle(std::move(streams.reader), std::move(streams.writer));
    co_await std::move(coroutine);
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

  std::shared_ptr<ConnectionHandler> handler_;
  tls::Context tls_;  // empty: plain
  List clients_;
  bool cut_ = false;  // a connection whose handler has ended is aborted
};

constexpr DoneOps StreamServer::Client::kOps{
    &handler_done, [](DoneNode& node) noexcept { static_cast<Client&>(node).handler_ended(); }};

Coro<Server> listen(std::shared_ptr<ConnectionHandler> handler, std::string host, int port, ServerOptions options,
                    tls::Context tls) {
  check_port("listen on " + host, port);
  if (options.tls) check_tls_side(tls, true, "start_server");  // it points to somebody's who may be gone
  auto addresses = co_await resolve_passive(host, port);
  auto core = std::make_shared<StreamServer>(Loop::running(), std::move(handler), options, std::move(tls));
  core->listen(addresses);
  co_return Server(std::move(core));
}

Coro<Server> listen_unix(std::shared_ptr<ConnectionHandler> handler, Address address, int mode, bool cleanup,
                         ServerOptions options, tls::Context tls) {
  auto core = std::make_shared<StreamServer>(Loop::running(), std::move(handler), options, std::move(tls));
  core->listen_unix(address, mode, cleanup);
  co_return Server(std::move(core));
}

Coro<Server> listen_given(std::shared_ptr<ConnectionHandler> handler, UniqueFd fd, ServerOptions options, tls::Context tls) {
  auto core = std::make_shared<StreamServer>(Loop::running(), std::move(handler), options, std::move(tls));
  core->listen_given(std::move(fd));
  co_return Server(std::move(core));
}

}  // namespace

Coro<Server> start_server(std::shared_ptr<ConnectionHandler> handler, std::string host, int port, ServerOptions options) {
  return listen(std::move(handler), std::move(host), port, options, options.tls ? *options.tls : tls::Context());
}

Coro<Server> start_unix_server(std::shared_ptr<ConnectionHandler> handler, std::string path, UnixServerOptions options) {
  ServerOptions common;
  common.limit = options.limit;
  common.backlog = options.backlog;
  common.max_connections = options.max_connections;
  common.max_connections_per_peer = options.max_connections_per_peer;
  common.idle_timeout = options.idle_timeout;
  common.tls_handshake_timeout = options.tls_handshake_timeout;
  common.tls_shutdown_timeout = options.tls_shutdown_timeout;
  tls::Context tls;
  if (options.tls) {  // it points to somebody's who may be gone when this runs
    check_tls_side(*options.tls, true, "start_unix_server");
    tls = *options.tls;
  }
  return listen_unix(std::move(handler), Address::from_path(path), options.mode, options.cleanup_socket, common, std::move(tls));
}

Coro<Server> start_server(std::shared_ptr<ConnectionHandler> handler, Socket&& socket, ServerOptions options) {
  auto fd = take_listening(std::move(socket), options.backlog, "start_server");
  if (options.tls) check_tls_side(*options.tls, true, "start_server");
  return listen_given(std::move(handler), std::move(fd), options, options.tls ? *options.tls : tls::Context());
}

}  // namespace detail
}  // namespace eddy
