// SPDX-License-Identifier: MIT
#include <eddy/http/parser.hpp>

#include <algorithm>

#include "http/ascii.hpp"
#include "http/codec/scan.hpp"

namespace eddy::http {
namespace {

constexpr std::string_view kForm = "HTTP/1.m sss";  // m: minor version, s: digit of the status

}  // namespace

ResponseParser::ResponseParser(const ParseLimits& limits) noexcept
    : HeadParser(limits, kForm.size() + 1 + limits.reason + 2, true) {}

void ResponseParser::reset() noexcept { restart(head_); }

Progress ResponseParser::parse_head(std::string_view buffer) {
  if (stage_ == Stage::complete) reset();
  const Progress progress = advance(head_, buffer);
  if (progress == Progress::failed) error_.status = 0;  // nobody to answer
  return progress;
}

HeadParser::Line ResponseParser::parse_first_line(std::string_view text) {
  const char* const begin = text.data();
  const auto offset = [begin](const char* at) { return static_cast<std::size_t>(at - begin); };
  const char* const end = begin + std::min(text.size(), first_line_limit_);
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (begin + i == end) return Line::cut;
    const char c = begin[i];
    const bool fits = kForm[i] == 'm'   ? c == '0' || c == '1'
                      : kForm[i] == 's' ? ascii::is_digit(c) && !(i == 9 && c == '0')
                                        : c == kForm[i];
    if (fits) continue;
    const bool other_version = (i == 5 || i == 7) && ascii::is_digit(c);
    fault_is_final_ = i <= 7;  // not HTTP/1.x: its line may never end
    return fail(other_version ? ParseErrorCode::unsupported_version : ParseErrorCode::bad_status_line, i);
  }
  const char* const reason = begin + kForm.size() + 1;
  const char* line_end = reason - 1;
  if (line_end == end) return Line::cut;
  if (*line_end == ' ') {
    const auto longest = std::min<std::size_t>(static_cast<std::size_t>(end - reason), limits_.reason + 1);
    line_end = scan::past_value(reason, reason + longest);
    if (line_end == reason + limits_.reason + 1)
      return fail(ParseErrorCode::reason_too_long, offset(line_end) - 1);
  }  // else no reason and not even its space: many servers
  const Line line = end_of_line(line_end, end, begin, ParseErrorCode::bad_status_line);
  if (line != Line::done) return line;

  head_.version_ = begin[7] == '1' ? Version::http_1_1 : Version::http_1_0;
  head_.status_ = (begin[9] - '0') * 100 + (begin[10] - '0') * 10 + (begin[11] - '0');
  const auto reason_at = static_cast<std::uint32_t>(kForm.size() + 1);
  head_.reason_ = {reason_at, line_end > reason ? static_cast<std::uint32_t>(line_end - reason) : 0};
  line_ = block_ = offset(line_end) + 2;
  stage_ = Stage::fields;
  return Line::done;
}

bool ResponseParser::note_field(const Field& field, std::uint32_t value_at) { return note_framing(field, value_at); }

bool ResponseParser::finish_head() {
  if (!settle_framing(head_)) return false;
  const bool tunnel = request_ == Method::connect && head_.status_ / 100 == 2;
  if (head_.status_ < 200 || head_.status_ == 204 || head_.status_ == 304 || request_ == Method::head ||
      tunnel) {
    head_.framing_ = {};
  } else if (!facts_.has_coding && !facts_.has_length) {
    head_.framing_ = {BodyFraming::Kind::until_close, 0};
    head_.keep_alive_ = false;
  }
  if (head_.framing_.length > limits_.body)
    return fail(ParseErrorCode::body_too_large, facts_.length_at), false;
  return true;
}

}  // namespace eddy::http
