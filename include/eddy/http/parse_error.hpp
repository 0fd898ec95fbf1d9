// SPDX-License-Identifier: MIT
// What a message may cost its reader, and how a parser says that it is wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace eddy::http {

/// Bounds on what a peer may send. What exceeds one is refused with the status named beside it.
struct ParseLimits {
  std::size_t method = 32;              ///< bytes of the method (501)
  std::size_t target = 8192;            ///< bytes of the request target (414)
  std::size_t reason = 1024;            ///< bytes of a response's reason phrase
  std::size_t header_block = 16384;     ///< bytes from the first field's name to the empty line (431)
  std::size_t fields = 100;             ///< header fields; at most HeaderView::kCapacity (431)
  std::size_t chunk_extensions = 4096;  ///< bytes of chunk extensions in one whole body
  std::size_t trailers = 8192;          ///< bytes of the trailer section (431)
  std::size_t trailer_fields = 32;      ///< fields in the trailer section (431)
  /// Bytes of a body as sent, before any content coding is undone (413).
  std::uint64_t body = std::numeric_limits<std::uint64_t>::max();
};

/// The rule of HTTP/1.1 that a message broke. `code_name()` gives the stable name for logs and metrics.
enum class ParseErrorCode : std::uint8_t {
  none,
  bad_method,
  method_too_long,
  bad_target,
  target_too_long,
  bad_version,
  unsupported_version,
  http2_preface,
  bad_status_line,
  reason_too_long,
  bad_line_ending,
  bad_field_name,
  empty_field_name,
  missing_colon,
  space_before_colon,
  folded_field,
  bad_field_value,
  header_block_too_large,
  too_many_fields,
  missing_host,
  duplicate_host,
  bad_host,
  bad_content_length,
  duplicate_content_length,
  length_and_transfer_encoding,
  bad_transfer_encoding,
  unsupported_transfer_encoding,
  transfer_encoding_in_http_1_0,
  body_too_large,
  bad_chunk_size,
  chunk_size_too_large,
  bad_chunk_extension,
  chunk_extensions_too_long,
  bad_chunk_end,
  forbidden_trailer,
  trailers_too_large,
  unexpected_end,
};

/// The enumerator's own name: "bad_method".
std::string_view code_name(ParseErrorCode code) noexcept;

/// Why a message was refused.
struct ParseError {
  ParseErrorCode code = ParseErrorCode::none;
  int status = 0;          ///< what a server should answer before it closes; 0 for responses
  std::size_t offset = 0;  ///< of the byte at fault: in the head, or in the body as sent
  std::string text;        ///< "the header value holds a control character: '\x00' at byte 37"
};

namespace detail {
/// Fills in status and text; `at_fault` is the byte at `offset`, or -1 if there is none to show.
ParseError make_parse_error(ParseErrorCode code, std::size_t offset, int at_fault);
}  // namespace detail

}  // namespace eddy::http
