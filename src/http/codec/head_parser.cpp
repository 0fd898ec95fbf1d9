// SPDX-License-Identifier: MIT
// Field lines and framing, for requests and responses alike.
//
// A line is parsed in one pass as soon as it is looked at. If it turns out to be cut, the next calls only
// look for its LF in the bytes that are new, and then parse it once more: two passes over each byte (more
// over the first eight of a line) however the input drips. An error is reported when the whole line is there
// (or can no longer end within its limit), and always the leftmost one, so it does not depend on how the
// input was cut.
#include <eddy/http/parser.hpp>

#include <algorithm>
#include <cstring>

#include "http/ascii.hpp"
#include "http/codec/scan.hpp"

namespace eddy::http {
namespace {

// The bytes of a line that are parsed again whenever more of it comes: what cannot begin a message is refused
// at once, even one byte at a time ("HTTP/1.x" is the longest beginning).
constexpr std::size_t kOpening = 8;

}  // namespace

HeadParser::HeadParser(const ParseLimits& limits, std::size_t first_line_limit, bool is_response) noexcept
    : limits_(limits), first_line_limit_(first_line_limit), is_response_(is_response) {
  limits_.fields = std::min(limits_.fields, HeaderView::kCapacity);
}

void HeadParser::restart(MessageHead& head) noexcept {
  facts_ = {};
  line_ = searched_ = block_ = 0;
  fault_code_ = ParseErrorCode::none;
  fault_is_final_ = false;
  stage_ = Stage::first_line;
  head.headers_.clear();
}

HeadParser::Line HeadParser::fail(ParseErrorCode code, std::size_t offset) noexcept {
  fault_code_ = code;
  fault_ = offset;
  return Line::bad;
}

Progress HeadParser::advance(MessageHead& head, std::string_view buffer) {
  const char* const begin = buffer.data();
  head.base_ = begin;
  head.headers_.rebase(begin);
  while (stage_ != Stage::failed) {
    const auto bound = [this] {
      return stage_ == Stage::first_line ? line_ + first_line_limit_ : block_ + limits_.header_block;
    };
    std::size_t end = std::min(buffer.size(), bound());
    if (searched_ >= line_ + kOpening && end < bound() &&
        (searched_ >= end || std::memchr(begin + searched_, '\n', end - searched_) == nullptr)) {
      searched_ = end;
      return Progress::needs_more;
    }
    const Line line = stage_ == Stage::first_line ? parse_first_line(buffer) : parse_fields(head, buffer);
    if (line == Line::done) {
      searched_ = line_;
      if (stage_ != Stage::complete) continue;
      head.size_ = line_;
      return Progress::complete;
    }
    end = std::min(buffer.size(), bound());
    const bool final = fault_is_final_ || end == bound() ||
                       (fault_ < end && std::memchr(begin + fault_, '\n', end - fault_) != nullptr);
    if (line == Line::cut || !final) {
      searched_ = end;
      return Progress::needs_more;
    }
    stage_ = Stage::failed;
    const bool has_byte = fault_ < end;  // what stands behind the limit may not be there yet
    const int at_fault = has_byte ? static_cast<unsigned char>(begin[fault_]) : -1;
    error_ = detail::make_parse_error(fault_code_, fault_, at_fault);
  }
  return Progress::failed;
}

HeadParser::Line HeadParser::end_of_line(const char* at, const char* end, const char* begin,
                                         ParseErrorCode otherwise) noexcept {
  const auto offset = static_cast<std::size_t>(at - begin);
  if (at == end) return Line::cut;
  if (*at == '\n') return fail(ParseErrorCode::bad_line_ending, offset);
  if (*at != '\r') return fail(otherwise, offset);
  if (at + 1 == end) return Line::cut;
  if (at[1] != '\n') return fail(ParseErrorCode::bad_line_ending, offset);
  return Line::done;
}

namespace {

// Why `at`, where a field's name stopped, is not its colon.
ParseErrorCode name_error(const char* name, const char* at, const char* end) noexcept {
  if (*at == '\n') return at == name ? ParseErrorCode::bad_line_ending : ParseErrorCode::missing_colon;
  if (*at == '\r') return ParseErrorCode::missing_colon;
  if (at == name && *at == ':') return ParseErrorCode::empty_field_name;
  if (!ascii::is_blank(*at)) return ParseErrorCode::bad_field_name;
  if (at == name) return ParseErrorCode::folded_field;
  while (at != end && ascii::is_blank(*at)) ++at;
  return at != end && *at == ':' ? ParseErrorCode::space_before_colon : ParseErrorCode::bad_field_name;
}

}  // namespace

// Line after line, for as long as they are whole.
HeadParser::Line HeadParser::parse_fields(MessageHead& head, std::string_view text) {
  const char* const begin = text.data();
  const std::size_t bound = block_ + limits_.header_block;
  const char* const end = begin + std::min(text.size(), bound);
  const auto offset = [begin](const char* at) { return static_cast<std::size_t>(at - begin); };
  const auto cut = [&] {
    return text.size() < bound ? Line::cut : fail(ParseErrorCode::header_block_too_large, bound);
  };
  const auto bad_end = [&](const char* at, ParseErrorCode otherwise) {
    const Line line = end_of_line(at, end, begin, otherwise);
    return line == Line::cut ? cut() : line;
  };
  for (;; searched_ = line_) {
    const char* const name = begin + line_;
    if (name == end) return cut();
    if (*name == '\r') {
      if (!scan::is_line_end(name, end)) return bad_end(name, ParseErrorCode::bad_line_ending);
      if (!finish_head()) return Line::bad;
      line_ += 2;
      stage_ = Stage::complete;
      return Line::done;
    }

    const char* const colon = scan::past_token(name, end);
    if (colon == end) return cut();
    if (*colon != ':' || colon == name) return fail(name_error(name, colon, end), offset(colon));

    const char* value = colon + 1;
    while (value != end && ascii::is_blank(*value)) ++value;
    const char* const line_end = scan::past_value(value, end);
    if (!scan::is_line_end(line_end, end)) return bad_end(line_end, ParseErrorCode::bad_field_value);
    const char* value_end = line_end;
    while (value_end != value && ascii::is_blank(value_end[-1])) --value_end;

    const auto value_at = static_cast<std::uint32_t>(offset(value));
    const detail::FieldSlot slot{static_cast<std::uint32_t>(line_), static_cast<std::uint32_t>(colon - name),
                                 value_at, static_cast<std::uint32_t>(value_end - value)};
    if (head.headers_.size() >= limits_.fields || !head.headers_.push(slot))
      return fail(ParseErrorCode::too_many_fields, line_);
    if (!note_field({{name, slot.name_length}, {value, slot.value_length}}, value_at)) return Line::bad;
    line_ = offset(line_end) + 2;
  }
}

bool HeadParser::note_framing(const Field& field, std::uint32_t value_at) {
  switch (field.name.size()) {
    case 7:
      if (ascii::is_word(field.name, "upgrade")) facts_.names_protocol = !field.value.empty();
      return true;
    case 10:
      if (ascii::is_word(field.name, "connection")) note_connection(field.value);
      return true;
    case 14: return !ascii::is_word(field.name, "content-length") || note_content_length(field.value, value_at);
    case 17: return !ascii::is_word(field.name, "transfer-encoding") || note_transfer_encoding(field.value, value_at);
    default: return true;
  }
}

void HeadParser::note_connection(std::string_view value) {
  while (!value.empty()) {
    const auto option = ascii::take_until(value, ',');
    facts_.close |= ascii::equal_ignoring_case(option, "close");
    facts_.keep_alive |= ascii::equal_ignoring_case(option, "keep-alive");
    facts_.upgrade |= ascii::equal_ignoring_case(option, "upgrade");
  }
}

bool HeadParser::note_content_length(std::string_view value, std::uint32_t value_at) {
  constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto digit = static_cast<std::uint64_t>(value[i] - '0');
    if (!ascii::is_digit(value[i]) || length > (kLargest - digit) / 10)
      return fail(ParseErrorCode::bad_content_length, value_at + i), false;
    length = length * 10 + digit;
  }
  if (value.empty()) return fail(ParseErrorCode::bad_content_length, value_at), false;
  // RFC 9110 8.6 lets a recipient accept repeated equal lengths: for responses only, which old servers send.
  if (facts_.has_length && !(is_response_ && facts_.length == length))
    return fail(ParseErrorCode::duplicate_content_length, value_at), false;
  facts_.has_length = true;
  facts_.length = length;
  facts_.length_at = value_at;
  return true;
}

bool HeadParser::note_transfer_encoding(std::string_view value, std::uint32_t value_at) {
  facts_.has_coding = true;
  facts_.coding_at = value_at;
  do {
    const auto coding = ascii::take_until(value, ',');
    const bool chunked = ascii::equal_ignoring_case(coding, "chunked");
    facts_.repeats_chunked |= facts_.ends_chunked;
    facts_.ends_chunked = chunked;
    facts_.has_foreign_coding |= !chunked;
  } while (!value.empty());
  return true;
}

bool HeadParser::settle_framing(MessageHead& head) {
  if (facts_.has_coding) {
    if (facts_.has_length)
      return fail(ParseErrorCode::length_and_transfer_encoding, std::max(facts_.length_at, facts_.coding_at)),
             false;
    if (head.version_ == Version::http_1_0)
      return fail(ParseErrorCode::transfer_encoding_in_http_1_0, facts_.coding_at), false;
    if (!facts_.ends_chunked || facts_.repeats_chunked)
      return fail(ParseErrorCode::bad_transfer_encoding, facts_.coding_at), false;
    if (facts_.has_foreign_coding)
      return fail(ParseErrorCode::unsupported_transfer_encoding, facts_.coding_at), false;
  }
  head.keep_alive_ = !facts_.close && (head.version_ == Version::http_1_1 || facts_.keep_alive);
  head.upgrade_ = facts_.upgrade && facts_.names_protocol && head.version_ == Version::http_1_1;
  if (facts_.has_coding) {
    head.framing_ = {BodyFraming::Kind::chunked, 0};
  } else if (facts_.has_length && facts_.length != 0) {
    head.framing_ = {BodyFraming::Kind::length, facts_.length};
  } else {
    head.framing_ = {};
  }
  return true;
}

}  // namespace eddy::http
