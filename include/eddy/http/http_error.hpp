// SPDX-License-Identifier: MIT
// Answers that a handler gives by throwing.
#pragma once

#include <eddy/http/headers.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

namespace eddy::http {

/// Ends a handler with a status: the client gets `{"detail": "…"}` as JSON, and the server goes on.
///
///     if (!user) throw http::NotFound("no user of that name");
///     throw http::Found("/login");
///
/// `what()` is "404 Not Found: no user of that name".
class HttpError : public std::runtime_error {
 public:
  /// `detail` is sent to the client; empty: the usual phrase of the status. Throws ValueError for a status
  /// outside 100 … 999.
  explicit HttpError(int status, std::string_view detail = {});

  int status() const noexcept { return status_; }
  const std::string& detail() const noexcept { return detail_; }
  /// Sent along, for example WWW-Authenticate or Retry-After.
  Headers& headers() noexcept { return headers_; }
  const Headers& headers() const noexcept { return headers_; }

 private:
  int status_;
  std::string detail_;
  Headers headers_;
};

template <int kStatus>
class StatusError : public HttpError {
 public:
  explicit StatusError(std::string_view detail = {}) : HttpError(kStatus, detail) {}
};
using BadRequest = StatusError<400>;
using Unauthorized = StatusError<401>;
using Forbidden = StatusError<403>;
using NotFound = StatusError<404>;
using MethodNotAllowed = StatusError<405>;
using NotAcceptable = StatusError<406>;
using RequestTimeout = StatusError<408>;
using Conflict = StatusError<409>;
using Gone = StatusError<410>;
using PreconditionFailed = StatusError<412>;
using ContentTooLarge = StatusError<413>;
using UnsupportedMediaType = StatusError<415>;
using UnprocessableContent = StatusError<422>;
using TooManyRequests = StatusError<429>;
using InternalServerError = StatusError<500>;
using BadGateway = StatusError<502>;
using ServiceUnavailable = StatusError<503>;

/// A redirect; `location` becomes the Location field. Throws ValueError if it cannot stand in a message.
template <int kStatus>
class Redirect : public HttpError {
 public:
  explicit Redirect(std::string_view location) : HttpError(kStatus) { headers().add("Location", location); }
};
using MovedPermanently = Redirect<301>;
using Found = Redirect<302>;
using SeeOther = Redirect<303>;
using TemporaryRedirect = Redirect<307>;
using PermanentRedirect = Redirect<308>;

}  // namespace eddy::http
