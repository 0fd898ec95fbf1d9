// SPDX-License-Identifier: MIT
// What a handler is asked.
#pragma once

#include <cstdint>
#include <eddy/addresses.hpp>
#include <eddy/coro.hpp>
#include <eddy/http/headers.hpp>
#include <eddy/http/message.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace boost::json {
class value;
}

namespace eddy::http {

namespace detail {
class Connection;
}

/// The body of a request, piece by piece: never more than one piece in memory.
///
///     while (auto chunk = co_await request.content().next()) count += chunk->size();
class RequestBody {
 public:
  /// The next bytes, or nothing at the end. A client that waits for `100 Continue` gets it now. Throws
  /// ContentTooLarge past the limit, RequestTimeout if the client is too slow, BadRequest if the framing is
  /// wrong or the client ends before the body does.
  Coro<std::optional<std::string>> next();
  /// The whole body was read.
  bool at_end() const noexcept;
  /// Replaces ServeOptions::max_body for this request.
  void set_limit(std::uint64_t bytes) noexcept;
  /// The fields behind a chunked body, once it was read.
  const Headers& trailers() const noexcept;

  explicit RequestBody(detail::Connection& connection) noexcept : connection_(&connection) {}

 private:
  detail::Connection* connection_;
};

/// A request as its handler sees it. All views live until the handler has returned.
class Request {
 public:
  Method method() const noexcept;
  /// "GET"; also of methods that `Method` does not name.
  std::string_view method_text() const noexcept;
  Version version() const noexcept;
  /// As it came: "/a%20b?x=1".
  std::string_view target() const noexcept;
  /// Without the query, still percent-encoded.
  std::string_view path() const noexcept;
  std::string_view query() const noexcept;
  /// Host and port the client asked for.
  std::string_view authority() const noexcept;

  /// The decoded value of `{name}` in the route. Throws KeyError, which names both, if there is none.
  std::string path_param(std::string_view name) const;
  /// The first value of `name` in the query, decoded; nothing if there is none.
  std::optional<std::string> query_param(std::string_view name) const;
  std::vector<std::pair<std::string, std::string>> query_params() const;

  const HeaderView& headers() const noexcept;
  /// The first value of a header; nothing if there is none.
  std::optional<std::string_view> header(std::string_view name) const noexcept { return headers().get(name); }
  std::optional<std::string_view> cookie(std::string_view name) const;
  /// The client's address; behind a proxy, the proxy's.
  Address peer() const;

  RequestBody& content() noexcept { return body_; }
  /// The whole body, up to ServeOptions::max_body. Throws as RequestBody::next() does.
  Coro<std::string> body();
  /// The body as UTF-8, decoded by the charset of its Content-Type. Throws BadRequest for bytes that the charset
  /// does not have, UnsupportedMediaType for a charset that nobody knows.
  Coro<std::string> text();
  /// The body as JSON. Throws BadRequest, which says where it is wrong.
  Coro<boost::json::value> json();
  /// The body as an HTML form (application/x-www-form-urlencoded). Throws UnsupportedMediaType for another type.
  Coro<std::vector<std::pair<std::string, std::string>>> form();

  /// The server is shutting down: handlers that run for long should come to an end.
  bool closing() const noexcept;

  /// For eddy's own layers.
  explicit Request(detail::Connection& connection) noexcept : connection_(&connection), body_(connection) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  detail::Connection& connection() const noexcept { return *connection_; }

 private:
  detail::Connection* connection_;
  RequestBody body_;
};

}  // namespace eddy::http
