// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/http/server.hpp>
#include <eddy/sockets.hpp>
#include <eddy/tls.hpp>
#include <fmt/format.h>

#include <optional>
#include <utility>

#include "http/server/connection.hpp"

namespace eddy::http {
namespace {

Coro<> serve_connection(std::shared_ptr<detail::ServerState> state, StreamReader reader, StreamWriter writer) {
  detail::Connection connection(*state, std::move(reader), std::move(writer));
  try {
    co_await connection.run();
  } catch (const OSError&) {  // the client has gone; what a handler threw was answered
  }
}

auto handler_of(std::shared_ptr<detail::ServerState> state) {
  return [state = std::move(state)](StreamReader reader, StreamWriter writer) {
    return serve_connection(state, std::move(reader), std::move(writer));
  };
}

Coro<HttpServer> start(std::shared_ptr<detail::ServerState> state, std::string host, ServerOptions options,
                       std::optional<tls::Context> tls) {
  auto handler = handler_of(state);
  const int port = state->options.port;
  if (tls) options.tls = &*tls;
  auto server = co_await start_server(handler, std::move(host), port, options);
  co_return HttpServer(std::move(server), state);
}

Coro<HttpServer> start_given(std::shared_ptr<detail::ServerState> state, Coro<eddy::Server> starting) {
  auto server = co_await std::move(starting);
  co_return HttpServer(std::move(server), state);
}

// Of the stream server below.
ServerOptions below_of(const ServeOptions& options) {
  ServerOptions below;
  below.backlog = options.backlog;
  below.reuse_port = options.reuse_port;
  below.max_connections = options.max_connections;
  below.max_connections_per_peer = options.max_connections_per_peer;
  below.tls_handshake_timeout = options.header_timeout;
  below.tls_shutdown_timeout = options.write_timeout;
  return below;
}

void check(const ServeOptions& options) {
  if (options.max_fields > HeaderView::kCapacity) {
    throw ValueError(fmt::format("serve: max_fields is {}; at most {} are kept", options.max_fields,
                                 HeaderView::kCapacity));
  }
}

Coro<> shut_down(std::shared_ptr<detail::ServerState> state, eddy::Server server, Duration grace) {
  state->closing = true;
  server.close();
  for (auto* node = state->connections.front(); node != state->connections.end(); node = node->next) {
    static_cast<detail::Connection*>(node)->begin_shutdown();
  }
  co_await server.shutdown(grace);
}

}  // namespace

Coro<HttpServer> serve(Application application, ServeOptions options) {
  check(options);
  std::string host(options.host);
  options.host = {};
  std::optional<tls::Context> tls;
  if (options.tls) tls = *options.tls;
  options.tls = nullptr;
  const auto below = below_of(options);
  return start(std::make_shared<detail::ServerState>(std::move(application), options), std::move(host), below, std::move(tls));
}

Coro<HttpServer> serve(Application application, Socket&& socket, ServeOptions options) {
  check(options);
  auto below = below_of(options);
  below.tls = std::exchange(options.tls, nullptr);
  options.host = {};
  auto state = std::make_shared<detail::ServerState>(std::move(application), options);
  auto starting = start_server(handler_of(state), std::move(socket), below);
  return start_given(std::move(state), std::move(starting));
}

Coro<> HttpServer::shutdown(Duration grace) { return shut_down(state_, server_, grace); }

void HttpServer::close() {
  state_->closing = true;
  server_.close();
  server_.close_clients();
}

Coro<> HttpServer::serve_forever() {
  auto self = *this;
  try {
    co_await self.server_.serve_forever();
  } catch (const BaseException&) {
    self.close();
    throw;
  }
}

Coro<> HttpServer::serve_forever(Duration grace) {
  auto self = *this;
  std::exception_ptr cancelled;
  try {
    co_await self.server_.serve_forever();
  } catch (const CancelledError&) {
    cancelled = std::current_exception();
  }
  co_await self.shutdown(grace);
  if (cancelled) std::rethrow_exception(cancelled);
}

}  // namespace eddy::http
