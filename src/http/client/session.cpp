// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/http/json.hpp>
#include <eddy/http/percent.hpp>
#include <eddy/timeouts.hpp>
#include <fmt/format.h>

#include <chrono>

#include "base/text.hpp"
#include "http/client/state.hpp"

namespace eddy::http {
namespace detail {
namespace {

constexpr std::uint64_t kSkippedBody = 64 * 1024;  // of a redirect, read so that its connection can be kept

Endpoint endpoint_of(const OwnedRequest& request) {
  const auto& url = request.url;
  if (!url.is_http()) {
    throw UnsupportedSchemeError(fmt::format("{}only http and https can be fetched, not '{}'", request.prefix(), url.scheme()));
  }
  auto host = url.host();
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return {std::string(host), url.port(), url.is_secure()};
}

// The same error with the request in front of its text.
[[noreturn]] void throw_named(const OwnedRequest& request, const std::exception_ptr& error) {
  const auto prefix = request.prefix();
  try {
    std::rethrow_exception(error);
  } catch (const RequestTimeoutError& e) {
    const std::string_view text = e.what();
    if (text.starts_with(prefix)) throw;
    throw RequestTimeoutError(prefix + e.what(), e.kind());
  } catch (const ServerDisconnectedError&) {
    throw;
  } catch (const tls::CertificateError& e) {
    throw tls::CertificateError(e.verify_code(), e.host(), e.subject(), e.reason(), prefix + e.what());
  } catch (const tls::TruncatedError& e) {
    throw tls::TruncatedError(e.error_number(), e.reason(), prefix + e.what());
  } catch (const tls::Error& e) {
    throw tls::Error(e.error_number(), e.reason(), prefix + e.what());
  } catch (const GaiError& e) {
    throw GaiError(e.error_number(), prefix + e.what());
  } catch (const OSError& e) {
    std::string text = e.what();
    const auto suffix = ": " + std::generic_category().message(e.error_number());
    if (text.ends_with(suffix)) text.resize(text.size() - suffix.size());
    throw_os_error(e.error_number(), prefix + text);
  } catch (const ContentDecodingError& e) {
    throw ContentDecodingError(prefix + e.what());
  }
}

// One hop: a connection, the request on it, the head of its response. A kept connection that turns out to be
// closed is not the request's fault.
Coro<> send(ResponseState& response) {
  const auto& request = response.request;
  const auto endpoint = endpoint_of(request);
  for (bool fresh = false;; fresh = true) {
    Lease lease = co_await response.session->pool->acquire(endpoint, fresh);
    const bool may_be_stale = lease.reused() && is_idempotent(request.kind);
    bool untouched = true, stale = false;
    try {
      co_await exchange(response, std::move(lease), untouched);
    } catch (const ConnectionError&) {
      if (!may_be_stale || !untouched) throw;
      stale = true;
    } catch (const tls::TruncatedError&) {  // closed without a word
      if (!may_be_stale || !untouched) throw;
      stale = true;
    }
    if (!stale) co_return;
  }
}

bool redirects(const ResponseState& response) {
  const int status = response.status;
  return response.request.redirects && (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) &&
         response.headers.contains("location");
}

// RFC 9110 15.4 as browsers read it: 303 asks for a GET, 301 and 302 after a POST, too.
void follow(OwnedRequest& request, int status, std::string_view location) {
  auto next = request.url.try_join(location);
  if (!next) {
    throw BadResponseError(fmt::format("{}the response redirects to '{}', which is no URL", request.prefix(), location));
  }
  if (next->fragment().empty() && !request.url.fragment().empty()) {
    next = next->try_join("#" + std::string(request.url.fragment())).value_or(*next);
  }
  const bool becomes_get = (status == 303 && request.kind != Method::head) ||
                           ((status == 301 || status == 302) && request.kind == Method::post);
  if (becomes_get && request.kind != Method::get) {
    request.method = "GET";
    request.kind = Method::get;
    request.body.clear();
    for (const char* name : {"Content-Type", "Content-Encoding", "Content-Language", "Content-Location"}) request.headers.remove(name);
  }
  if (next->origin() != request.url.origin()) {
    for (const char* name : {"Authorization", "Cookie", "Proxy-Authorization", "Host"}) request.headers.remove(name);
  }
  request.url = std::move(*next);
}

void remember_cookies(ResponseState& response) {
  if (!response.session->options.cookies) return;
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  response.session->jar.store(response.request.url, response.headers, now);
}

// A short body is read, so that the connection can be used again; with a long one it is given up.
Coro<> skip_body(ResponseState& response) {
  std::uint64_t skipped = 0;
  while (skipped <= kSkippedBody) {
    auto piece = co_await response.next();
    if (!piece) break;
    skipped += piece->size();
  }
  response.lease.drop();
  response.coding.reset();
  response.done = false;
}

Coro<> send_and_follow(ResponseState& response) {
  const int most = response.session->options.max_redirects;
  for (int hops = 0;; ++hops) {
    co_await send(response);
    remember_cookies(response);
    if (!redirects(response)) co_return;
    if (hops == most) {
      throw TooManyRedirectsError(fmt::format("{}more than {} redirects", response.request.prefix(), most));
    }
    co_await skip_body(response);
    const std::string location(response.headers.at("location"));
    response.history.push_back({response.status, response.request.url, std::move(response.headers)});
    follow(response.request, response.status, location);
  }
}

Coro<ClientResponse> perform(std::shared_ptr<SessionState> session, OwnedRequest request) {
  auto& loop = eddy::get_running_loop();
  const auto began = loop.time();
  const bool limited = request.timeout.count() > 0;
  const auto limit = limited ? request.timeout : Duration::max();
  const auto deadline = limited ? began + std::chrono::nanoseconds(limit) : TimePoint::max();
  auto state = std::make_shared<ResponseState>(std::move(session), std::move(request), deadline);
  std::exception_ptr error;
  bool late = false;
  try {
    co_await eddy::timeout(limit, send_and_follow(*state));
  } catch (const BaseException&) {
    throw;
  } catch (const RequestTimeoutError&) {
    error = std::current_exception();
  } catch (const TimeoutError&) {
    late = limited && loop.time() >= deadline;
    error = std::current_exception();
  } catch (...) {
    error = std::current_exception();
  }
  if (late) {
    throw RequestTimeoutError(state->request.prefix() + "not done within " + eddy::detail::format_duration(limit.count()),
                              TimeoutKind::total);
  }
  if (error) throw_named(state->request, error);
  co_return ClientResponse(std::move(state));
}

std::string form_of(PairsView pairs) {
  std::string text;
  for (const auto& [name, value] : pairs) {
    if (!text.empty()) text += '&';
    text.append(form_encode(name)).append("=").append(form_encode(value));
  }
  return text;
}

OwnedRequest own(const SessionOptions& session, std::string_view method, const Url& url, const RequestOptions& options) {
  OwnedRequest request(method, url);
  for (const auto& [name, value] : options.params) request.url = request.url.with_query(name, value);
  if (options.headers) request.headers = *options.headers;
  request.body = options.body;
  if (options.json) {
    request.body = boost::json::serialize(*options.json);
    request.headers.set_default("Content-Type", "application/json");
  } else if (!options.form.empty()) {
    request.body = form_of(options.form);
    request.headers.set_default("Content-Type", "application/x-www-form-urlencoded");
  }
  request.redirects = options.redirects;
  request.expect_continue = options.expect_continue;
  request.timeout = options.timeout.count() != 0 ? options.timeout : session.timeout;
  request.read_timeout = options.read_timeout.count() != 0 ? options.read_timeout : session.read_timeout;
  request.max_body = options.max_body ? options.max_body : session.max_body;
  return request;
}

}  // namespace
}  // namespace detail

ClientSession::ClientSession(SessionOptions options) : state_(std::make_shared<detail::SessionState>(options)) {}
ClientSession& ClientSession::operator=(ClientSession&& other) noexcept {
  if (state_) close();
  state_ = std::move(other.state_);
  return *this;
}
ClientSession::~ClientSession() {
  if (state_) close();
}

Coro<ClientResponse> ClientSession::request(std::string_view method, const Url& url, RequestOptions options) {
  return detail::perform(state_, detail::own(state_->options, method, url, options));
}

CookieJar& ClientSession::cookies() noexcept { return state_->jar; }
std::size_t ClientSession::connections() const noexcept { return state_->pool->open(); }
void ClientSession::close() noexcept { state_->pool->close(); }
bool ClientSession::closed() const noexcept { return state_->pool->closed(); }

}  // namespace eddy::http
