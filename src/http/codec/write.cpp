// SPDX-License-Identifier: MIT
#include <eddy/http/write.hpp>

#include <fmt/format.h>

#include <charconv>

#include "http/ascii.hpp"
#include "http/codec/length.hpp"
#include "http/codec/scan.hpp"

namespace eddy::http {
namespace {

void append_number(std::string& out, std::uint64_t number, int base) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
  out.append(digits, end);
}

std::size_t first_outside(const char* (*past)(const char*, const char*) noexcept,
                          std::string_view text) noexcept {
  return static_cast<std::size_t>(past(text.data(), text.data() + text.size()) - text.data());
}

}  // namespace

void write_request_line(std::string& out, std::string_view method, std::string_view target) {
  if (method.empty() || first_outside(scan::past_token, method) != method.size())
    throw ValueError(fmt::format("request method '{}' is not a token", method));
  if (target.empty()) throw ValueError("request target is empty");
  if (const auto at = first_outside(scan::past_target, target); at != target.size())
    throw ValueError(fmt::format("request target holds '\\x{:02x}' at byte {}; percent-encode it",
                                 static_cast<unsigned char>(target[at]), at));
  out.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
}

void write_status_line(std::string& out, int status, std::string_view reason, Version version) {
  if (status == 200 && reason.empty() && version == Version::http_1_1) {
    out += "HTTP/1.1 200 OK\r\n";
    return;
  }
  if (status < 100 || status > 999) throw ValueError(fmt::format("status {} is outside 100 … 999", status));
  if (const auto at = first_outside(scan::past_value, reason); at != reason.size())
    throw ValueError(fmt::format("reason phrase holds '\\x{:02x}' at byte {}",
                                 static_cast<unsigned char>(reason[at]), at));
  if (reason.empty()) reason = reason_phrase(status);
  out.append(to_string(version)).append(" ");
  append_number(out, static_cast<std::uint64_t>(status), 10);
  out.append(" ").append(reason).append("\r\n");
}

void write_field(std::string& out, std::string_view name, std::string_view value) {
  value = ascii::trimmed(value);
  check_field(name, value);
  out.append(name).append(": ").append(value).append("\r\n");
}

void write_content_length(std::string& out, std::uint64_t length) {
  out += "Content-Length: ";
  detail::append_length(out, length, false);
}

void write_chunked(std::string& out) { out += "Transfer-Encoding: chunked\r\n"; }

void write_chunk(std::string& out, std::string_view data) {
  if (data.empty()) return;
  write_chunk_head(out, data.size());
  out.append(data).append("\r\n");
}

void write_chunk_head(std::string& out, std::uint64_t size) {
  append_number(out, size, 16);
  out += "\r\n";
}

void write_last_chunk(std::string& out, const Headers& trailers) {
  out.append("0\r\n").append(trailers.wire()).append("\r\n");
}

}  // namespace eddy::http
