// SPDX-License-Identifier: MIT
// open_connection() and name resolution.
#include <eddy/exceptions.hpp>
#include <eddy/streams.hpp>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>

#include "io/resolve.hpp"
#include "io/sockets.hpp"
#include "io/stream_core.hpp"
#include "io/tls_streams.hpp"

namespace eddy {
namespace {

struct Attempt {
  Address address;
  std::string outcome;  // "Connection refused"
  int error_number;
  std::exception_ptr error;
};

// One address: its own error. Several: one line each; of the family of the last.
[[noreturn]] void throw_no_connection(const std::string& host, int port, const std::vector<Attempt>& attempts) {
  if (attempts.size() == 1) std::rethrow_exception(attempts.front().error);
  auto text = fmt::format("connect to {}:{} failed at each of its {} addresses", host, port, attempts.size());
  for (const auto& attempt : attempts) text += fmt::format("\n  {}: {}", attempt.address.str(), attempt.outcome);
  throw_os_error(attempts.empty() ? ECONNREFUSED : attempts.back().error_number, text);
}

}  // namespace

Coro<std::vector<Address>> getaddrinfo(std::string host, int port) {
  detail::check_port("getaddrinfo", port);
  return detail::resolve(std::move(host), port, false);
}

Coro<detail::UniqueFd> detail::connect_to_host(std::string host, int port, ConnectionOptions options) {
  check_port("connect to " + host, port);
  auto addresses = co_await resolve(host, port, false);
  std::vector<Attempt> attempts;
  for (const auto& address : addresses) {
    try {
      auto fd = co_await connect_to(address, options.local);
      co_return fd;
    } catch (const OSError& e) {
      attempts.push_back({address, e.code().message(), e.error_number(), std::current_exception()});
    }
  }
  throw_no_connection(host, port, attempts);
}

namespace {

Coro<Streams> connect(std::string host, int port, ConnectionOptions options) {
  auto fd = co_await detail::connect_to_host(std::move(host), port, options);
  co_return detail::make_streams(detail::Loop::running(), fd.release(), options.limit);
}

Coro<Streams> connect_unix(std::string path, ConnectionOptions options) {
  const auto address = Address::from_path(path);
  const auto operation = "connect to " + address.str();
  detail::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw_os_error(errno, operation);
  const auto& local = options.local;
  if (local && ::bind(fd.get(), static_cast<const sockaddr*>(local.data()), local.size()) != 0) {
    throw_os_error(errno, fmt::format("bind to {} in order to {}", local.str(), operation));
  }
  co_await detail::connect_socket(fd.get(), address);
  co_return detail::make_streams(detail::Loop::running(), fd.release(), options.limit);
}

Coro<Streams> with_tls(Coro<Streams> plain, tls::Context context, std::string server_hostname, ConnectionOptions options) {
  auto streams = co_await std::move(plain);
  co_await detail::put_tls_on(streams.writer, std::move(context), std::move(server_hostname),
                              options.tls_handshake_timeout, options.tls_shutdown_timeout);
  co_return streams;
}

}  // namespace

Coro<Streams> open_connection(std::string host, int port, ConnectionOptions options) {
  if (!options.tls) return connect(std::move(host), port, options);
  detail::check_tls_side(*options.tls, false, "open_connection");
  std::string server_hostname(options.server_hostname.empty() ? host : options.server_hostname);
  return with_tls(connect(std::move(host), port, options), *options.tls, std::move(server_hostname), options);
}

Coro<Streams> open_unix_connection(std::string path, ConnectionOptions options) {
  if (!options.tls) return connect_unix(std::move(path), options);
  detail::check_tls_side(*options.tls, false, "open_unix_connection");
  if (options.server_hostname.empty()) {
    throw ValueError("open_unix_connection: a path names no host to verify; give .server_hostname beside .tls");
  }
  return with_tls(connect_unix(std::move(path), options), *options.tls, std::string(options.server_hostname), options);
}

}  // namespace eddy
