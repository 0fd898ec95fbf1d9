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

namespace eddy {
namespace {

struct Attempt {
  Address address;
  std::exception_ptr error;
};

std::string outcome_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::system_error& e) {
    return e.code().message();
  } catch (const std::exception& e) {
    return e.what();
  }
}

// One address: its own error. Several: one line each; of the family of the last.
[[noreturn]] void throw_no_connection(const std::string& host, int port, const std::vector<Attempt>& attempts) {
  if (attempts.size() == 1) std::rethrow_exception(attempts.front().error);
  int error_number = ECONNREFUSED;
  auto text = fmt::format("connect to {}:{} failed at each of its {} addresses", host, port, attempts.size());
  for (const auto& [address, error] : attempts) {
    text += fmt::format("\n  {}: {}", address.str(), outcome_of(error));
    try {
      std::rethrow_exception(error);
    } catch (const OSError& e) {
      error_number = e.error_number();
    } catch (...) {
    }
  }
  throw_os_error(error_number, text);
}

}  // namespace

Coro<std::vector<Address>> getaddrinfo(std::string host, int port) {
  detail::check_port("getaddrinfo", port);
  return detail::resolve(std::move(host), port, false);
}

Coro<Streams> open_connection(std::string host, int port, ConnectionOptions options) {
  detail::check_port("connect to " + host, port);
  auto addresses = co_await detail::resolve(host, port, false);
  std::vector<Attempt> attempts;
  for (const auto& address : addresses) {
    std::exception_ptr error;
    try {
      auto fd = co_await detail::connect_to(address, options.local);
      co_return detail::make_streams(detail::Loop::running(), fd.release(), options.limit);
    } catch (const OSError&) {
      error = std::current_exception();
    }
    attempts.push_back({address, std::move(error)});
  }
  throw_no_connection(host, port, attempts);
}

}  // namespace eddy
