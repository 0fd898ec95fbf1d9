// SPDX-License-Identifier: MIT
#include "io/given_sockets.hpp"

#include <eddy/exceptions.hpp>
#include <eddy/streams.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "io/sockets.hpp"
#include "io/stream_core.hpp"
#include "io/tls_context.hpp"
#include "io/tls_streams.hpp"

namespace eddy {
namespace detail {
namespace {

UniqueFd take_stream_socket(Socket&& socket, const char* operation) {
  Socket taken = std::move(socket);
  if (taken.closed()) throw ValueError(fmt::format("{}: the socket is closed", operation));
  if (taken.type() != SOCK_STREAM) {
    throw ValueError(fmt::format("{}: descriptor {} is no stream socket", operation, taken.fileno()));
  }
  taken.set_blocking(false);
  return UniqueFd(taken.detach());
}

}  // namespace

UniqueFd take_listening(Socket&& socket, int backlog, const char* operation) {
  auto fd = take_stream_socket(std::move(socket), operation);
  int listening = 0;
  socklen_t size = sizeof listening;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size);
  if (!listening && ::listen(fd.get(), backlog) != 0) {
    throw_os_error(errno, fmt::format("{}: listen on {}", operation, local_of(fd.get()).str()));
  }
  return fd;
}

UniqueFd take_connected(Socket&& socket, const char* operation) {
  auto fd = take_stream_socket(std::move(socket), operation);
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(fd.get(), reinterpret_cast<sockaddr*>(&peer), &size) != 0) {
    throw_os_error(errno, fmt::format("{}: descriptor {}", operation, fd.get()));
  }
  if (peer.ss_family != AF_UNIX) set_nodelay(fd.get());
  return fd;
}

std::string given_host(const ConnectionOptions& options, const char* operation) {
  if (!options.tls) return {};
  check_tls_side(*options.tls, false, operation);
  const auto& settings = options.tls->core().settings();
  if (options.server_hostname.empty() && settings.verify && settings.check_hostname) {
    throw ValueError(fmt::format("{}: a socket names no host to verify; give .server_hostname beside .tls", operation));
  }
  return std::string(options.server_hostname);
}

namespace {

Coro<Streams> open_given(UniqueFd fd, ConnectionOptions options) {
  co_return make_streams(Loop::running(), fd.release(), options.limit);
}

Coro<Streams> open_given_with_tls(UniqueFd fd, ConnectionOptions options, tls::Context context, std::string host) {
  auto streams = make_streams(Loop::running(), fd.release(), options.limit);
  co_await put_tls_on(streams.writer, std::move(context), std::move(host), options.tls_handshake_timeout,
                      options.tls_shutdown_timeout);
  co_return streams;
}

}  // namespace
}  // namespace detail

Coro<Streams> open_connection(Socket&& socket, ConnectionOptions options) {
  auto fd = detail::take_connected(std::move(socket), "open_connection");
  auto host = detail::given_host(options, "open_connection");
  if (!options.tls) return detail::open_given(std::move(fd), options);
  return detail::open_given_with_tls(std::move(fd), options, *options.tls, std::move(host));
}

}  // namespace eddy
