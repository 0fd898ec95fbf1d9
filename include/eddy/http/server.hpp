// SPDX-License-Identifier: MIT
// An application on a port.
#pragma once

#include <cstdint>
#include <eddy/addresses.hpp>
#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/http/application.hpp>
#include <eddy/streams.hpp>
#include <string_view>

namespace eddy::http {

/// Where and within which bounds an application is served.
struct ServeOptions {
  // Behaviour.
  std::string_view host = "127.0.0.1";  // a name or an address; "" for every interface
  int port = 8000;                      // 0: the system chooses
  bool reuse_port = false;              // several processes share the port
  int backlog = 1024;
  const tls::Context* tls = nullptr;    // https; null: plain; copied
  // Limits on what clients send. Defaults take what common clients send, and little more.
  std::size_t max_target = 16 * 1024;        // bytes of a request's target; past it 414
  std::size_t max_header_block = 32 * 1024;  // bytes of its header fields; past it 431
  std::size_t max_fields = 100;              // header fields, at most 100; past it 431
  std::uint64_t max_body = 16 << 20;         // bytes of its body; past it 413
  std::size_t max_connections = 10'000;      // beyond it, clients wait to be accepted; 0: no limit
  std::size_t max_connections_per_peer = 0;  // beyond it, new ones are reset, see eddy::ServerOptions; 0: no limit
  // Time limits, against clients that are slow on purpose or have gone without a word.
  Duration idle_timeout = std::chrono::seconds(75);    // between two requests; then the connection is closed
  Duration header_timeout = std::chrono::seconds(20);  // from a head's first byte to its last; then 408. Also of a TLS handshake
  Duration body_timeout = std::chrono::seconds(30);    // waiting for a body, beside what min_body_rate allows; then 408
  std::uint64_t min_body_rate = 240;                   // bytes a second a body must come with beyond body_timeout
  Duration write_timeout = std::chrono::seconds(60);   // a client that takes no byte of a response
  Duration linger_timeout = std::chrono::seconds(5);   // reading on after a refused request, so the answer arrives
};

namespace detail {
struct ServerState;
}

/// A running server: a handle, as `eddy::Server` is.
class HttpServer {
 public:
  HttpServer(eddy::Server server, std::shared_ptr<detail::ServerState> state) noexcept
      : server_(std::move(server)), state_(std::move(state)) {}

  int port() const { return server_.port(); }
  Address address() const { return server_.address(); }
  /// Open connections, idle ones too.
  std::size_t connections() const noexcept { return server_.connections(); }
  ServerStatistics statistics() const noexcept { return server_.statistics(); }

  /// Stops accepting, closes idle connections, lets requests in flight finish for up to `grace`, then cancels
  /// their handlers. Returns when all connections are closed. If this is cancelled, the grace is over: it still waits
  /// for what it cancels, then throws CancelledError.
  Coro<> shutdown(Duration grace = std::chrono::seconds(10));
  /// Stops accepting and cancels all handlers at once.
  void close();
  /// Waits until close() or shutdown() is done.
  Coro<> wait_closed() { return server_.wait_closed(); }
  /// Serves until it is cancelled, then closes.
  Coro<> serve_forever();
  /// Serves until it is cancelled, then does as shutdown(grace). A second cancellation ends the grace.
  Coro<> serve_forever(Duration grace);

 private:
  eddy::Server server_;
  std::shared_ptr<detail::ServerState> state_;
};

/// Starts to listen and serves `application` until the server is closed.
///
/// Throws OSError that names the address if it cannot listen, GaiError for an unknown host, ValueError for bad
/// limits. A client that goes away cancels its handler; one that only closes its sending side counts as gone
/// when its handler has to wait.
Coro<HttpServer> serve(Application application, ServeOptions options = {});
/// The same on a socket that is bound, of whatever family, and is taken over: see eddy::start_server(). Of the options,
/// `host`, `port` and `reuse_port` are not looked at.
Coro<HttpServer> serve(Application application, Socket&& socket, ServeOptions options = {});

}  // namespace eddy::http
