// SPDX-License-Identifier: MIT
// What a handler answers.
#pragma once

#include <cstdint>
#include <eddy/coro.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/http/cookies.hpp>
#include <eddy/http/headers.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace eddy::http {

namespace detail {
class Connection;
}

/// The sending end of a streamed response.
class ResponseWriter {
 public:
  /// Sends a piece of the body; returns when the connection can take more, so a slow client holds the handler
  /// back. Throws ConnectionError when the client has gone, ValueError past the length that was announced.
  /// `data` is copied as far as it must be: it need not outlive the call.
  Coro<> write(std::string_view data);

  /// For eddy's own layers.
  explicit ResponseWriter(detail::Connection& connection) noexcept : connection_(&connection) {}
  detail::Connection& connection() const noexcept { return *connection_; }

 private:
  detail::Connection* connection_;
};

namespace detail {

/// A body that is made while it is sent.
struct BodySource {
  virtual ~BodySource() = default;
  virtual Coro<> send(ResponseWriter& writer) = 0;
  std::int64_t length = -1;  // bytes; -1: not known before
};

template <class F>
struct CallableSource final : BodySource {
  explicit CallableSource(F f) : function(std::move(f)) {}
  Coro<> send(ResponseWriter& writer) override { return function(writer); }
  F function;
};

}  // namespace detail

/// What goes back to the client. Date, Content-Length, Transfer-Encoding and Connection are the server's
/// business: such fields among `headers()` are left out, but for `Connection: close`, which it obeys.
class Response {
 public:
  /// The Content-Type, unless `headers()` has one.
  enum class Kind : std::uint8_t { none, text, html, json, bytes };
  static constexpr std::size_t kKinds = 5;

  /// 200 without a body.
  Response() noexcept {}
  explicit Response(int status) noexcept : status_(status) {}
  Response(int status, std::string&& body, Kind kind = Kind::none) noexcept
      : body_(std::move(body)), status_(status), kind_(kind) {}
  Response(int status, const std::string& body, Kind kind = Kind::none) : body_(body), status_(status), kind_(kind) {}
  Response(int status, std::unique_ptr<detail::BodySource> source) noexcept
      : source_(std::move(source)), status_(status) {}

  int status() const noexcept { return status_; }
  void set_status(int status) noexcept { status_ = status; }
  Kind kind() const noexcept { return kind_; }

  Headers& headers() noexcept { return headers_; }
  const Headers& headers() const noexcept { return headers_; }
  /// Appends a header field. Throws ValueError if it cannot stand in a message.
  Response& header(std::string_view name, std::string_view value) & {
    headers_.add(name, value);
    return *this;
  }
  Response&& header(std::string_view name, std::string_view value) && {
    headers_.add(name, value);
    return std::move(*this);
  }
  /// Appends a Set-Cookie field. Throws ValueError for what cannot stand in one.
  void set_cookie(const Cookie& cookie) { headers_.add("Set-Cookie", write_set_cookie(cookie)); }

  const std::string& body() const noexcept { return body_; }
  void set_body(std::string body) noexcept { body_ = std::move(body); }
  /// Null unless the body is streamed.
  detail::BodySource* source() const noexcept { return source_.get(); }

 private:
  std::string body_;
  std::unique_ptr<detail::BodySource> source_;
  Headers headers_;
  int status_ = 200;
  Kind kind_ = Kind::none;
};

/// "text/plain; charset=utf-8".
inline Response text_response(std::string body, int status = 200) noexcept {
  return Response(status, std::move(body), Response::Kind::text);
}
/// "text/html; charset=utf-8".
inline Response html_response(std::string body, int status = 200) noexcept {
  return Response(status, std::move(body), Response::Kind::html);
}
/// "application/octet-stream".
inline Response bytes_response(std::string body, int status = 200) noexcept {
  return Response(status, std::move(body), Response::Kind::bytes);
}
/// A redirect to `location`. Throws ValueError if it cannot stand in a header.
Response redirect_response(std::string_view location, int status = 302);

/// How a streamed response is announced.
struct StreamOptions {
  int status = 200;
  std::string_view content_type = "application/octet-stream";  // copied
  std::int64_t length = -1;  // bytes of the body if they are known; -1: sent in chunks
};

/// A body made piece by piece: `function(ResponseWriter&)`, a coroutine that runs after the head was sent.
///
///     return http::stream_response([](http::ResponseWriter& out) -> Coro<> {
///       for (int i = 0; i < 10; ++i) co_await out.write("tick\n");
///     });
///
/// It is kept until it ends. What it throws is reported and breaks the connection, so that the client can
/// tell that the body is not whole.
template <class F>
Response stream_response(F function, StreamOptions options = {}) {
  auto source = std::make_unique<detail::CallableSource<F>>(std::move(function));
  source->length = options.length;
  Response response(options.status, std::move(source));
  response.headers().add("Content-Type", options.content_type);
  return response;
}

}  // namespace eddy::http
