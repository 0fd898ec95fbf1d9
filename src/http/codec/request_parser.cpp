// SPDX-License-Identifier: MIT
#include <eddy/http/parser.hpp>

#include <algorithm>
#include <cstring>

#include "http/ascii.hpp"
#include "http/codec/scan.hpp"

namespace eddy::http {
namespace {

constexpr std::string_view kVersionLine = "HTTP/1.1\r\n";

enum class Port { optional, required };

// host [ ":" port ]; the host may be an address in brackets. Userinfo is refused.
bool is_authority(std::string_view text, Port port) noexcept {
  std::size_t host = 0;
  if (!text.empty() && text.front() == '[') {
    host = text.find(']');
    if (host == std::string_view::npos || host < 3) return false;
    for (char c : text.substr(1, host - 1))
      if (ascii::hex_value(c) < 0 && c != ':' && c != '.') return false;
    ++host;
  } else {
    host = static_cast<std::size_t>(scan::past_host(text.data(), text.data() + text.size()) - text.data());
    if (host == 0) return false;
  }
  text.remove_prefix(host);
  if (text.empty()) return port == Port::optional;
  if (text.front() != ':') return false;
  text.remove_prefix(1);
  if (text.empty()) return port == Port::optional;
  unsigned number = 0;
  for (char c : text) {
    if (!ascii::is_digit(c)) return false;
    number = number * 10 + static_cast<unsigned>(c - '0');
    if (number > 65535) return false;
  }
  return true;
}

}  // namespace

RequestParser::RequestParser(const ParseLimits& limits) noexcept
    : HeadParser(limits, limits.method + 1 + limits.target + 1 + kVersionLine.size(), false) {}

void RequestParser::reset() noexcept {
  restart(head_);
  host_ = {};
  has_host_ = skipped_empty_line_ = false;
  head_.expects_continue_ = false;
}

Progress RequestParser::parse_head(std::string_view buffer) {
  if (stage_ == Stage::complete) reset();
  return advance(head_, buffer);
}

HeadParser::Line RequestParser::parse_first_line(std::string_view text) {
  const char* const begin = text.data();
  const auto offset = [begin](const char* at) { return static_cast<std::size_t>(at - begin); };
  const auto last = [&] { return begin + std::min(text.size(), line_ + first_line_limit_); };
  const char* end = last();
  const char* method = begin + line_;
  if (method != end && *method == '\r' && !skipped_empty_line_) {  // RFC 9112 2.2: one empty line before it
    const Line line = end_of_line(method, end, begin, ParseErrorCode::bad_line_ending);
    if (line != Line::done) return line;
    skipped_empty_line_ = true;
    searched_ = line_ = 2;
    method += 2;
    end = last();
  }
  if (method == end) return Line::cut;

  const char* method_end = method + 3;
  const bool is_get = end - method >= 4 && std::memcmp(method, "GET ", 4) == 0;
  if (!is_get) {
    const auto longest = std::min<std::size_t>(static_cast<std::size_t>(end - method), limits_.method + 1);
    method_end = scan::past_token(method, method + longest);
    fault_is_final_ = method_end == method;  // not HTTP at all, perhaps TLS: a line may never end
    if (method_end == method + limits_.method + 1)
      return fail(ParseErrorCode::method_too_long, offset(method_end) - 1);
    if (method_end == end) return Line::cut;
    if (*method_end != ' ' || method_end == method)
      return fail(ParseErrorCode::bad_method, offset(method_end));
  }

  const char* const target = method_end + 1;
  const auto longest = std::min<std::size_t>(static_cast<std::size_t>(end - target), limits_.target + 1);
  const char* const target_end = scan::past_target(target, target + longest);
  if (target_end == target + limits_.target + 1)
    return fail(ParseErrorCode::target_too_long, offset(target_end) - 1);
  if (target_end == end) return Line::cut;
  if (*target_end == '\r' && target_end != target)
    return fail(ParseErrorCode::bad_version, offset(target_end));
  if (*target_end != ' ' || target_end == target) return fail(ParseErrorCode::bad_target, offset(target_end));

  const std::string_view name(method, static_cast<std::size_t>(method_end - method));
  head_.method_ = is_get ? Method::get : method_of(name);
  head_.method_text_ = {static_cast<std::uint32_t>(line_), static_cast<std::uint32_t>(name.size())};
  const std::string_view where(target, static_cast<std::size_t>(target_end - target));
  if (!is_get && name == "PRI" && where == "*") {
    head_.form_ = TargetForm::asterisk;
  } else if (!parse_target(where, static_cast<std::uint32_t>(offset(target)))) {
    return Line::bad;
  }
  return parse_version(target_end + 1, end, begin);
}

HeadParser::Line RequestParser::parse_version(const char* at, const char* end, const char* begin) {
  const auto offset = [begin](const char* p) { return static_cast<std::size_t>(p - begin); };
  if (end - at >= 10 && std::memcmp(at, kVersionLine.data(), 10) == 0) {
    head_.version_ = Version::http_1_1;
  } else {
    constexpr std::string_view kForm = "HTTP/d.d";
    for (std::size_t i = 0; i < kForm.size(); ++i) {
      if (at + i == end) return Line::cut;
      if (kForm[i] == 'd' ? !ascii::is_digit(at[i]) : at[i] != kForm[i])
        return fail(ParseErrorCode::bad_version, offset(at + i));
    }
    if (at[5] != '1' || at[7] > '1') {
      const bool preface =
          head_.form_ == TargetForm::asterisk && at[5] == '2' && head_.method_ == Method::other;
      return fail(preface ? ParseErrorCode::http2_preface : ParseErrorCode::unsupported_version, offset(at));
    }
    const Line line = end_of_line(at + 8, end, begin, ParseErrorCode::bad_version);
    if (line != Line::done) return line;
    head_.version_ = at[7] == '1' ? Version::http_1_1 : Version::http_1_0;
  }
  if (head_.method_ == Method::other && head_.form_ == TargetForm::asterisk)  // PRI, but not HTTP/2
    return fail(ParseErrorCode::bad_target, offset(at) - 2);
  line_ = block_ = offset(at) + kVersionLine.size();
  stage_ = Stage::fields;
  return Line::done;
}

bool RequestParser::parse_target(std::string_view target, std::uint32_t at) {
  const auto bad = [&](std::size_t i) { return fail(ParseErrorCode::bad_target, at + i), false; };
  head_.target_ = {at, static_cast<std::uint32_t>(target.size())};
  head_.path_ = head_.query_ = head_.authority_ = {};
  std::size_t path = 0;
  if (head_.method_ == Method::connect) {
    if (!is_authority(target, Port::required)) return bad(0);
    head_.form_ = TargetForm::authority;
    head_.authority_ = head_.target_;
    return true;
  }
  if (target.front() == '/') {
    head_.form_ = TargetForm::origin;
  } else if (target == "*") {
    head_.form_ = TargetForm::asterisk;
    return head_.method_ == Method::options || bad(0);
  } else {
    head_.form_ = TargetForm::absolute;
    std::size_t scheme = 0;
    while (scheme < target.size() && (ascii::is_alnum(target[scheme]) || target[scheme] == '+' ||
                                      target[scheme] == '-' || target[scheme] == '.'))
      ++scheme;
    if (!ascii::is_alpha(target.front()) || target.substr(scheme, 3) != "://") return bad(0);
    const std::size_t host = scheme + 3;
    path = std::min(target.find_first_of("/?", host), target.size());
    if (!is_authority(target.substr(host, path - host), Port::optional)) return bad(host);
    head_.authority_ = {at + static_cast<std::uint32_t>(host), static_cast<std::uint32_t>(path - host)};
  }
  const std::size_t mark = target.find('?', path);
  const std::size_t path_end = std::min(mark, target.size());
  head_.path_ = {at + static_cast<std::uint32_t>(path), static_cast<std::uint32_t>(path_end - path)};
  if (mark != std::string_view::npos)
    head_.query_ = {at + static_cast<std::uint32_t>(mark) + 1,
                    static_cast<std::uint32_t>(target.size() - mark - 1)};
  return true;
}

// Clients ask the same host again and again: the last one is known by its bytes. Empty is the host of a target that has
// none (RFC 9112, 3.2), which is_authority() refuses.
bool RequestParser::is_host(std::string_view text) noexcept {
  if (text.empty() || text == std::string_view(known_host_, known_host_size_)) return true;
  if (!is_authority(text, Port::optional)) return false;
  if (text.size() <= sizeof known_host_) {
    text.copy(known_host_, text.size());
    known_host_size_ = static_cast<std::uint8_t>(text.size());
  }
  return true;
}

bool RequestParser::note_field(const Field& field, std::uint32_t value_at) {
  if (ascii::is_word(field.name, "host")) {
    if (has_host_) return fail(ParseErrorCode::duplicate_host, value_at), false;
    if (!is_host(field.value)) return fail(ParseErrorCode::bad_host, value_at), false;
    has_host_ = true;
    host_ = {value_at, static_cast<std::uint32_t>(field.value.size())};
    return true;
  }
  if (ascii::is_word(field.name, "expect")) {
    if (ascii::equal_ignoring_case(field.value, "100-continue")) head_.expects_continue_ = true;
    return true;
  }
  return note_framing(field, value_at);
}

bool RequestParser::finish_head() {
  if (!has_host_ && head_.version_ == Version::http_1_1)
    return fail(ParseErrorCode::missing_host, line_), false;
  if (head_.authority_.length == 0) head_.authority_ = host_;
  if (!settle_framing(head_)) return false;
  if (head_.framing_.length > limits_.body)
    return fail(ParseErrorCode::body_too_large, facts_.length_at), false;
  // Only a 1.1 client that announces a body can be waiting for leave to send it.
  head_.expects_continue_ &=
      head_.version_ == Version::http_1_1 && head_.framing_.kind != BodyFraming::Kind::none;
  return true;
}

}  // namespace eddy::http
