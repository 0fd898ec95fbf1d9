// SPDX-License-Identifier: MIT
// The words of an HTTP message: methods, versions, how a body ends.
#pragma once

#include <cstdint>
#include <string_view>

namespace eddy::http {

enum class Method : std::uint8_t { get, head, post, put, delete_, connect, options, trace, patch, other };

/// The method of a request line; methods are case-sensitive, so "get" is `other`.
Method method_of(std::string_view text) noexcept;
/// "GET", "DELETE" …; "" for `other`.
std::string_view to_string(Method method) noexcept;
/// GET, HEAD, OPTIONS, TRACE, PUT and DELETE: safe to send again after a lost answer (RFC 9110 9.2.2).
bool is_idempotent(Method method) noexcept;

enum class Version : std::uint8_t { http_1_0, http_1_1 };
constexpr std::string_view to_string(Version version) noexcept {
  return version == Version::http_1_0 ? "HTTP/1.0" : "HTTP/1.1";
}

/// "OK" for 200, "Not Found" for 404; "" for a status nobody registered.
std::string_view reason_phrase(int status) noexcept;

/// How the end of a body is found (RFC 9112 6.3).
struct BodyFraming {
  enum class Kind : std::uint8_t {
    none,         ///< there is no body
    length,       ///< exactly `length` bytes
    chunked,      ///< chunks, the last one empty
    until_close,  ///< all bytes up to the end of the connection; responses only
  };
  Kind kind = Kind::none;
  std::uint64_t length = 0;
  friend bool operator==(const BodyFraming&, const BodyFraming&) = default;
};

}  // namespace eddy::http
