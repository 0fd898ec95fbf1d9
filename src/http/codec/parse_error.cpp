// SPDX-License-Identifier: MIT
#include <eddy/http/parse_error.hpp>

#include <fmt/format.h>

namespace eddy::http {
namespace {

struct Rule {
  std::string_view name;
  int status;
  std::string_view text;
};

// In the order of ParseErrorCode.
constexpr Rule kRules[] = {
    {"none", 0, ""},
    {"bad_method", 400, "the method is not a token"},
    {"method_too_long", 501, "the method is longer than the limit"},
    {"bad_target", 400, "the request target is not valid"},
    {"target_too_long", 414, "the request target is longer than the limit"},
    {"bad_version", 400, "the request line does not end with HTTP/1.1 or HTTP/1.0"},
    {"unsupported_version", 505, "the HTTP version is not 1.0 or 1.1"},
    {"http2_preface", 505, "this is an HTTP/2 connection preface, but HTTP/1.1 is spoken here"},
    {"bad_status_line", 400, "the status line is not 'HTTP/1.x NNN reason'"},
    {"reason_too_long", 400, "the reason phrase is longer than the limit"},
    {"bad_line_ending", 400, "a line does not end with CR LF"},
    {"bad_field_name", 400, "the header name is not a token"},
    {"empty_field_name", 400, "the header name is empty"},
    {"missing_colon", 400, "the header line has no colon"},
    {"space_before_colon", 400, "there is space between the header name and the colon"},
    {"folded_field", 400, "the header line begins with space (line folding is obsolete)"},
    {"bad_field_value", 400, "the header value holds a control character"},
    {"header_block_too_large", 431, "the header block is larger than the limit"},
    {"too_many_fields", 431, "there are more header fields than the limit"},
    {"missing_host", 400, "an HTTP/1.1 request has no Host"},
    {"duplicate_host", 400, "there is more than one Host"},
    {"bad_host", 400, "the Host is not a host and an optional port"},
    {"bad_content_length", 400, "the Content-Length is not a decimal number"},
    {"duplicate_content_length", 400, "there is more than one Content-Length"},
    {"length_and_transfer_encoding", 400, "there are both Content-Length and Transfer-Encoding"},
    {"bad_transfer_encoding", 400, "the Transfer-Encoding does not end with one chunked"},
    {"unsupported_transfer_encoding", 501, "the only Transfer-Encoding spoken here is chunked"},
    {"transfer_encoding_in_http_1_0", 400, "an HTTP/1.0 message has Transfer-Encoding"},
    {"body_too_large", 413, "the body is larger than the limit"},
    {"bad_chunk_size", 400, "the chunk size is not a hexadecimal number"},
    {"chunk_size_too_large", 400, "the chunk size does not fit into 63 bits"},
    {"bad_chunk_extension", 400, "the chunk extension holds a control character"},
    {"chunk_extensions_too_long", 400, "the chunk extensions are longer than the limit"},
    {"bad_chunk_end", 400, "the chunk does not end with CR LF"},
    {"forbidden_trailer", 400, "the trailer section holds a field that frames or routes the message"},
    {"trailers_too_large", 431, "the trailer section is larger than the limit"},
    {"unexpected_end", 400, "the connection ended inside the message"},
};
static_assert(std::size(kRules) == static_cast<std::size_t>(ParseErrorCode::unexpected_end) + 1);

}  // namespace

std::string_view code_name(ParseErrorCode code) noexcept {
  return kRules[static_cast<std::size_t>(code)].name;
}

namespace detail {

ParseError make_parse_error(ParseErrorCode code, std::size_t offset, int at_fault) {
  const Rule& rule = kRules[static_cast<std::size_t>(code)];
  ParseError error{code, rule.status, offset, {}};
  if (at_fault < 0) {
    error.text = fmt::format("{}, at byte {}", rule.text, offset);
  } else if (at_fault > 0x20 && at_fault < 0x7f) {
    error.text = fmt::format("{}: '{}' at byte {}", rule.text, static_cast<char>(at_fault), offset);
  } else {
    error.text = fmt::format("{}: '\\x{:02x}' at byte {}", rule.text, at_fault, offset);
  }
  return error;
}

}  // namespace detail
}  // namespace eddy::http
