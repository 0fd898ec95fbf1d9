// SPDX-License-Identifier: MIT
// What can go wrong with a request. Every text begins with method and URL.
//
//   OSError                    as the system told it: ConnectionRefusedError, GaiError …
//   ├── TimeoutError           RequestTimeoutError: which of the limits it was
//   ├── tls::Error             also tls::CertificateError, tls::TruncatedError
//   └── ConnectionResetError   ServerDisconnectedError: the connection ended before the response did
//   ValueError                 UnsupportedSchemeError; UrlError for what is no URL
//   ContentDecodingError       a damaged gzip, deflate or br body, or a bomb
//   ClientError
//   ├── ResponseError          raise_for_status(): 400 and above
//   ├── BadResponseError       what came is not HTTP/1.1
//   ├── TooManyRedirectsError
//   └── BodyTooLargeError      more than max_body in read(), text(), json()
#pragma once

#include <cstdint>
#include <eddy/exceptions.hpp>
#include <eddy/http/url.hpp>
#include <stdexcept>
#include <string>

namespace eddy::http {

class ClientError : public std::runtime_error { using runtime_error::runtime_error; };

/// The server answered with 400 or above: "GET http://a/b: 404 Not Found".
class ResponseError : public ClientError {
 public:
  ResponseError(const std::string& what, int status, const Url& url) : ClientError(what), status_(status), url_(url) {}
  int status() const noexcept { return status_; }
  const Url& url() const noexcept { return url_; }

 private:
  int status_;
  Url url_;
};
class BadResponseError : public ClientError { using ClientError::ClientError; };
class TooManyRedirectsError : public ClientError { using ClientError::ClientError; };
class BodyTooLargeError : public ClientError { using ClientError::ClientError; };

/// A URL that cannot be fetched: neither http nor https.
class UnsupportedSchemeError : public ValueError { using ValueError::ValueError; };

/// The connection ended before the response did.
class ServerDisconnectedError : public ConnectionResetError { using ConnectionResetError::ConnectionResetError; };

/// Which limit of time ran out.
enum class TimeoutKind : std::uint8_t {
  total,    ///< the whole request
  connect,  ///< the way to the server: name and connection
  read,     ///< the gap between two pieces of the response
};

class RequestTimeoutError : public TimeoutError {
 public:
  RequestTimeoutError(const std::string& what, TimeoutKind kind) : TimeoutError(what), kind_(kind) {}
  TimeoutKind kind() const noexcept { return kind_; }

 private:
  TimeoutKind kind_;
};

}  // namespace eddy::http
