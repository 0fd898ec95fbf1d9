// SPDX-License-Identifier: MIT
// Asking servers.
#pragma once

#include <cstdint>
#include <eddy/charset.hpp>
#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/http/client_errors.hpp>
#include <eddy/http/cookies.hpp>
#include <eddy/http/headers.hpp>
#include <eddy/http/message.hpp>
#include <eddy/http/url.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace boost::json {
class value;
}

namespace eddy::tls {
class Context;
}

namespace eddy::http {

namespace detail {
struct ResponseState;
struct SessionState;
}

/// A view of something that options mention, or of nothing: made implicitly from the thing itself.
template <class T>
class OptionalRef {
 public:
  constexpr OptionalRef() noexcept = default;
  constexpr OptionalRef(const T& object) noexcept : object_(&object) {}
  constexpr explicit operator bool() const noexcept { return object_ != nullptr; }
  constexpr const T& operator*() const noexcept { return *object_; }
  constexpr const T* operator->() const noexcept { return object_; }

 private:
  const T* object_ = nullptr;
};

/// Names and values, for queries and forms.
using PairsView = std::span<const std::pair<std::string, std::string>>;

/// What a session does for every request.
struct SessionOptions {
  // Behaviour.
  OptionalRef<Headers> headers = {};              // sent with each request unless it has its own; copied
  std::string_view user_agent = "eddy/0.1";       // copied
  bool cookies = true;                            // remembers them and sends them back
  bool decompress = true;                         // asks for gzip, deflate, br and undoes them
  const tls::Context* tls = nullptr;              // for https; null: trusts whom the system does; copied
  // Limits.
  std::size_t connections = 100;                  // open at once, idle ones too; 0: no limit
  std::size_t connections_per_host = 0;           // of those to one host and port; 0: no limit
  std::uint64_t max_body = 64 << 20;              // bytes of a body that read(), text() and json() take
  int max_redirects = 10;
  // Time limits; 0 or less: none.
  Duration timeout = std::chrono::seconds(300);          // of a whole request, with the reading of its body
  Duration connect_timeout = std::chrono::seconds(30);   // to resolve the name and connect
  Duration read_timeout = std::chrono::seconds(60);      // between two pieces of the response
  Duration idle_timeout = std::chrono::seconds(15);      // how long an idle connection is kept
};

/// What one request is made of. Everything is copied when the request is called, before it is awaited.
struct RequestOptions {
  // What is sent: one of body, json and form.
  std::string_view body = {};
  OptionalRef<boost::json::value> json = {};  // application/json
  PairsView form = {};                        // application/x-www-form-urlencoded
  PairsView params = {};                      // appended to the URL's query
  OptionalRef<Headers> headers = {};          // in front of the session's
  // Behaviour.
  bool redirects = true;         // follows 301, 302, 303, 307 and 308
  bool expect_continue = false;  // asks before it sends the body; waits a second for the word
  // Limits; 0: the session's.
  Duration timeout = {};
  Duration read_timeout = {};
  std::uint64_t max_body = 0;
};

/// A response that led to another: what history() holds.
struct PastResponse {
  int status;
  Url url;
  Headers headers;
};

/// The body of a response, piece by piece: `while (auto chunk = co_await response.content().next()) …`
class ResponseBody {
 public:
  /// The next bytes, decompressed, or nothing at the end. There is no limit on their sum, but a compressed body
  /// may not grow more than 200-fold (past 1 MiB). Throws ServerDisconnectedError, BadResponseError,
  /// RequestTimeoutError, ContentDecodingError.
  Coro<std::optional<std::string>> next();
  bool at_end() const noexcept;

  explicit ResponseBody(std::shared_ptr<detail::ResponseState> state) noexcept : state_(std::move(state)) {}

 private:
  std::shared_ptr<detail::ResponseState> state_;
};

/// A response: its head has come, its body comes as it is read.
///
/// Once the body was read, its connection goes back to the session. A response that is dropped before closes
/// its connection, because what is under way on it can be as long as the server likes.
class ClientResponse {
 public:
  int status() const noexcept;
  const std::string& reason() const noexcept;
  const Headers& headers() const noexcept;
  /// Where it came from, after all redirects.
  const Url& url() const noexcept;
  /// What was sent for it, after all redirects: "GET".
  const std::string& method() const noexcept;
  /// The responses that redirected here, oldest first.
  const std::vector<PastResponse>& history() const noexcept;
  bool ok() const noexcept { return status() < 400; }
  /// Throws ResponseError if the status is 400 or above.
  void raise_for_status() const;

  /// The whole body, decompressed. Throws BodyTooLargeError past max_body, and what ResponseBody::next() throws.
  /// What was read is kept: read(), text() and json() can follow each other.
  Coro<std::string> read();
  /// The body as UTF-8. Its charset is `encoding`, else that of Content-Type, else what the body says (byte order
  /// mark, <meta>), else UTF-8 if it is that, else windows-1252. Damaged bytes become U+FFFD unless `on_error`
  /// says otherwise. Throws LookupError for an `encoding` that nobody knows, UnicodeDecodeError if strict.
  Coro<std::string> text(std::string_view encoding = {}, OnError on_error = OnError::replace);
  /// The body as JSON. Throws JsonError.
  Coro<boost::json::value> json();
  ResponseBody content() const { return ResponseBody(state_); }
  /// The charset that text() takes from the head; "" if it does not say.
  std::string encoding() const;

  /// Gives the connection up if the body was not read to its end.
  void close() noexcept;

  explicit ClientResponse(std::shared_ptr<detail::ResponseState> state) noexcept : state_(std::move(state)) {}

 private:
  std::shared_ptr<detail::ResponseState> state_;
};

/// Requests that share connections, cookies and settings: aiohttp's ClientSession.
///
///     http::ClientSession session;
///     auto response = co_await session.get("http://example.org/");
///     response.raise_for_status();
///     std::string page = co_await response.text();
///
/// A request is lazy: nothing is sent before it is awaited. Connections are kept and used again, most recent
/// first; requests beyond the limits wait in order of arrival. An idempotent request that finds its kept
/// connection closed is sent once more on a new one. Cancelling a request closes its connection.
///
/// https servers have to show a certificate of their name that is trusted: tls::CertificateError.
///
/// Belongs to one loop. Its end closes all its connections; responses that are still being read then fail.
class ClientSession {
 public:
  explicit ClientSession(SessionOptions options = {});
  ClientSession(ClientSession&&) noexcept = default;
  ClientSession& operator=(ClientSession&& other) noexcept;
  ~ClientSession();

  /// Sends a request and gives the response once its head is there. A string that is no URL throws UrlError at
  /// the call; all else is thrown at the await: see client_errors.hpp.
  Coro<ClientResponse> request(std::string_view method, const Url& url, RequestOptions options = {});
  Coro<ClientResponse> get(const Url& url, RequestOptions options = {}) { return request("GET", url, options); }
  Coro<ClientResponse> head(const Url& url, RequestOptions options = {}) { return request("HEAD", url, options); }
  Coro<ClientResponse> post(const Url& url, RequestOptions options = {}) { return request("POST", url, options); }
  Coro<ClientResponse> put(const Url& url, RequestOptions options = {}) { return request("PUT", url, options); }
  Coro<ClientResponse> patch(const Url& url, RequestOptions options = {}) { return request("PATCH", url, options); }
  Coro<ClientResponse> delete_(const Url& url, RequestOptions options = {}) { return request("DELETE", url, options); }
  Coro<ClientResponse> options(const Url& url, RequestOptions how = {}) { return request("OPTIONS", url, how); }

  CookieJar& cookies() noexcept;
  /// Connections that are open: in use, idle, or being made.
  std::size_t connections() const noexcept;

  /// Closes idle connections and breaks those in use. Later requests throw RuntimeError.
  void close() noexcept;
  bool closed() const noexcept;

 private:
  std::shared_ptr<detail::SessionState> state_;
};

}  // namespace eddy::http
