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

namespace {

Coro<Streams> connect(std::string host, int port, ConnectionOptions options) {
  detail::check_port("connect to " + host, port);
  auto addresses = co_await detail::resolve(host, port, false);
  std::vector<Attempt> attempts;
  for (const auto& address : addresses) {
    try {
      auto fd = co_await detail::connect_to(address, options.local);
      co_return detail::make_streams(detail::Loop::running(), fd.release(), options.limit);
    } catch (const OSError& e) {
      attempts.push_back({address, e.code().message(), e.error_number(), std::current_exception()});
    }
  }
  throw_no_connection(host, port, attempts);
}

Coro<Streams> connect_with_tls(std::string host, int port, ConnectionOptions options, tls::Context context,
                               std::string server_hostname) {
  detail::check_tls_side(context, false, "open_connection");
  auto streams = co_await connect(std::move(host), port, options);
  co_await detail::put_tls_on(streams.writer, std::move(context), std::move(server_hostname),
                              options.tls_handshake_timeout, options.tls_shutdown_timeout);
  co_return streams;
}

}  // namespace

Coro<Streams> open_connection(std::string host, int port, ConnectionOptions options) {
  if (!options.tls) return connect(std::move(host), port, options);
  std::string server_hostname(options.server_hostname.empty() ? host : options.server_hostname);
  return connect_with_tls(std::move(host), port, options, *options.tls, std::move(server_hostname));
}

}  // namespace eddy
