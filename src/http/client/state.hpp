// SPDX-License-Identifier: MIT
// What a session, a request and a response keep.
#pragma once

#include <eddy/http/body_decoder.hpp>
#include <eddy/http/client.hpp>
#include <eddy/http/content_coding.hpp>
#include <eddy/http/parser.hpp>

#include <memory>
#include <optional>
#include <string>

#include "http/client/pool.hpp"

namespace eddy::http::detail {

struct SessionState {
  explicit SessionState(const SessionOptions& o)
      : options(o),
        user_agent(o.user_agent),
        pool(std::make_shared<Pool>(Pool::Limits{o.connections, o.connections_per_host, o.connect_timeout, o.idle_timeout},
                                    o.tls ? *o.tls : tls::Context())) {
    if (o.headers) headers = *o.headers;
    options.headers = {};
    options.user_agent = {};
    options.tls = nullptr;
  }
  ~SessionState() { pool->close(); }

  SessionOptions options;  // its views have ended
  std::string user_agent;
  Headers headers;
  CookieJar jar;
  std::shared_ptr<Pool> pool;
};

/// A request with everything it was called with.
struct OwnedRequest {
  OwnedRequest(std::string_view m, const Url& u) : method(m), kind(method_of(m)), url(u) {}

  std::string name() const { return method + " " + url.without_credentials().str(); }
  /// "GET http://a/b: ".
  std::string prefix() const { return name() + ": "; }

  std::string method;
  Method kind;
  Url url;
  Headers headers;
  std::string body;
  bool redirects = true;
  bool expect_continue = false;
  Duration timeout, read_timeout;
  std::uint64_t max_body = 0;
};

/// Waits for more bytes on a connection, for at most `limit`; false at its end.
Coro<bool> wait_for_more(StreamReader& reader, const OwnedRequest& request, TimePoint deadline);

struct ResponseState {
  ResponseState(std::shared_ptr<SessionState> s, OwnedRequest r, TimePoint d)
      : session(std::move(s)), request(std::move(r)), deadline(d) {}

  /// Takes the head over and makes ready for the body.
  void begin(ResponseParser& parser, Lease connection);
  /// The next piece of the body, or nothing at its end.
  Coro<std::optional<std::string>> next();

  std::shared_ptr<SessionState> session;
  OwnedRequest request;  // the last one, after redirects
  TimePoint deadline;    // of the whole request
  int status = 0;
  std::string reason;
  Headers headers;
  std::vector<PastResponse> history;

  Lease lease;  // until the body was read
  BodyDecoder framing;
  std::optional<ContentDecoder> coding;
  bool reusable = false;
  bool done = false;
  std::optional<std::string> whole;  // what read() gave

 private:
  bool take(std::string& piece);
  void finish();
};

/// Sends the request on the connection and reads the head of its response. `untouched` stays true while not a
/// byte of an answer has come.
Coro<> exchange(ResponseState& response, Lease lease, bool& untouched);

}  // namespace eddy::http::detail
