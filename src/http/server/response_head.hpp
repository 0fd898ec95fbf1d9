// SPDX-License-Identifier: MIT
// The heads of responses, written without a detour.
#pragma once

#include <eddy/http/date.hpp>
#include <eddy/http/http_error.hpp>
#include <eddy/http/response.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace eddy::http::detail {

/// What a response says about the connection.
enum class Persistence : std::uint8_t { unsaid, close, keep_alive };

/// Writes heads. Those of a 200 without fields of its own differ in their length alone: what stands before it is made once a
/// second. Responses that leave together share the date of the first.
class ResponseHeads {
 public:
  ResponseHeads() { look_at_clock(); }
  /// A whole head, with its empty line. `length` -1: unknown, `chunked` tells how the body is framed then.
  void append_to(std::string& out, const Response& response, std::int64_t length, bool chunked, Persistence persistence);

 private:
  void look_at_clock();

  DateField date_;
  std::chrono::sys_seconds now_ = std::chrono::sys_seconds::min();
  std::string plain_[Response::kKinds];
};

void append_chunk_head(std::string& out, std::size_t size);

/// Neither 1xx nor 204 nor 304.
constexpr bool may_have_body(int status) noexcept { return status >= 200 && status != 204 && status != 304; }
/// The handler asked for the end of the connection.
bool wants_close(const Response& response) noexcept;

/// `{"detail": "…"}`; an empty `detail` is the status's phrase.
Response error_response(int status, std::string_view detail);
Response response_of(const HttpError& error);

}  // namespace eddy::http::detail
