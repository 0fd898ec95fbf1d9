// SPDX-License-Identifier: MIT
// open_connection().
#include <eddy/exceptions.hpp>
#include <eddy/staggered.hpp>
#include <eddy/streams.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <optional>
#include <vector>

#include "io/resolve.hpp"
#include "io/sockets.hpp"
#include "io/stream_core.hpp"
#include "io/tls_streams.hpp"

namespace eddy {
namespace {

// One address: its own error. Several: one line each; of the family of the last.
[[noreturn]] void throw_no_connection(const std::string& name, const std::vector<Address>& addresses,
                                      const std::vector<std::exception_ptr>& errors) {
  if (errors.size() == 1) std::rethrow_exception(errors.front());
  auto text = fmt::format("connect to {} failed at each of its {} addresses", name, errors.size());
  int error_number = ECONNREFUSED;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    try {
      std::rethrow_exception(errors[i]);
    } catch (const OSError& error) {  // anything else is no answer of a peer's and passes
      text += fmt::format("\n  {}: {}", addresses[i].str(), error.code().message());
      error_number = error.error_number();
    }
  }
  throw_os_error(error_number, text);
}

// RFC 8305, section 4: the families in turn, so that one that does not work costs one delay. `count`: of the first
// family before the other's first; 0: as they are.
std::vector<Address> interleaved(const std::vector<Address>& addresses, std::size_t count) {
  if (count == 0) return addresses;
  std::vector<Address> first, other;
  for (const auto& address : addresses) {
    (address.family() == addresses.front().family() ? first : other).push_back(address);
  }
  const auto ahead = static_cast<std::ptrdiff_t>(std::min(count - 1, first.size()));
  std::vector<Address> result(first.begin(), first.begin() + ahead);
  first.erase(first.begin(), first.begin() + ahead);
  for (std::size_t i = 0; i < first.size() || i < other.size(); ++i) {
    if (i < first.size()) result.push_back(first[i]);
    if (i < other.size()) result.push_back(other[i]);
  }
  return result;
}

}  // namespace

Coro<detail::UniqueFd> detail::connect_to_any(std::string name, std::vector<Address> addresses, Address local,
                                              Duration delay, int interleave) {
  if (addresses.size() == 1) {
    auto fd = co_await connect_to(addresses.front(), local);
    co_return fd;
  }
  addresses = interleaved(addresses, static_cast<std::size_t>(interleave));
  auto attempt = [local](const Address& remote) { return [remote, local] { return connect_to(remote, local); }; };
  std::vector<decltype(attempt(local))> attempts;
  for (const auto& address : addresses) attempts.push_back(attempt(address));
  auto race = co_await staggered_race(std::move(attempts), delay == Duration::max() ? std::nullopt : std::optional(delay));
  if (!race.value) throw_no_connection(name, addresses, race.exceptions);
  co_return std::move(*race.value);
}

Coro<detail::UniqueFd> detail::connect_to_host(std::string host, int port, ConnectionOptions options) {
  check_port("connect to " + host, port);
  if (options.interleave < 0) throw ValueError(fmt::format("connect to {}: interleave is {}: it must be 0 or more", host, options.interleave));
  if (options.happy_eyeballs_delay < Duration()) throw ValueError(fmt::format("connect to {}: happy_eyeballs_delay is negative", host));
  auto addresses = co_await resolve(nullptr, host, port, {.family = options.family}, Hurry::yes);
  auto name = fmt::format("{}:{}", host, port);
  auto fd = co_await connect_to_any(std::move(name), std::move(addresses), options.local, options.happy_eyeballs_delay,
                                 options.interleave);
  co_return fd;
}

Coro<detail::UniqueFd> detail::connect_to_path(std::string path, Address local) {
  const auto address = Address::from_path(path);
  const auto operation = "connect to " + address.str();
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw_os_error(errno, operation);
  if (local && ::bind(fd.get(), static_cast<const sockaddr*>(local.data()), local.size()) != 0) {
    throw_os_error(errno, fmt::format("bind to {} in order to {}", local.str(), operation));
  }
  co_await connect_socket(fd.get(), address);
  co_return fd;
}

namespace {

Coro<Streams> connect(std::string host, int port, ConnectionOptions options) {
  auto fd = co_await detail::connect_to_host(std::move(host), port, options);
  co_return detail::make_streams(detail::Loop::running(), fd.release(), options.limit);
}

Coro<Streams> connect_unix(std::string path, ConnectionOptions options) {
  auto fd = co_await detail::connect_to_path(std::move(path), options.local);
  co_return detail::make_streams(detail::Loop::running(), fd.release(), options.limit);
}

// The context and the name are copies: what the options point to may go before these coroutines run.
Coro<Streams> connect_with_tls(std::string host, int port, ConnectionOptions options, tls::Context context,
                               std::string server_hostname) {
  detail::check_tls_side(context, false, "open_connection");
  auto streams = co_await connect(std::move(host), port, options);
  co_await detail::put_tls_on(streams.writer, std::move(context), std::move(server_hostname),
                              options.tls_handshake_timeout, options.tls_shutdown_timeout);
  co_return streams;
}

Coro<Streams> connect_unix_with_tls(std::string path, ConnectionOptions options, tls::Context context,
                                    std::string server_hostname) {
  detail::check_tls_side(context, false, "open_unix_connection");
  if (server_hostname.empty()) {
    throw ValueError("open_unix_connection: a path names no host to verify; give .server_hostname beside .tls");
  }
  auto streams = co_await connect_unix(std::move(path), options);
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

Coro<Streams> open_unix_connection(std::string path, ConnectionOptions options) {
  if (!options.tls) return connect_unix(std::move(path), options);
  return connect_unix_with_tls(std::move(path), options, *options.tls, std::string(options.server_hostname));
}

}  // namespace eddy
