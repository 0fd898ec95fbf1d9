// SPDX-License-Identifier: MIT
#include <eddy/http/body_decoder.hpp>

#include <algorithm>

#include "http/ascii.hpp"
#include "http/codec/scan.hpp"

namespace eddy::http {
namespace {

// RFC 9110 6.5.1: fields that frame, route or authenticate a message cannot come after it.
bool is_forbidden_trailer(std::string_view name) noexcept {
  for (std::string_view forbidden : {"content-length", "transfer-encoding", "host", "connection", "trailer",
                                     "content-encoding", "content-type", "content-range", "authorization",
                                     "set-cookie", "te", "upgrade", "expect"})
    if (ascii::equal_ignoring_case(name, forbidden)) return true;
  return false;
}

}  // namespace

BodyDecoder::BodyDecoder(BodyFraming framing, const ParseLimits& limits) noexcept
    : limits_(limits), left_(framing.length) {
  switch (framing.kind) {
    case BodyFraming::Kind::none: state_ = State::done; break;
    case BodyFraming::Kind::length: state_ = left_ == 0 ? State::done : State::counted; break;
    case BodyFraming::Kind::chunked: state_ = State::size; left_ = 0; break;
    case BodyFraming::Kind::until_close: state_ = State::until_close; break;
  }
}

BodyDecoder::Step BodyDecoder::next(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && state_ != State::done && state_ != State::failed) {
    if (state_ != State::counted && state_ != State::payload && state_ != State::until_close) {
      frame(bytes[at]);
      ++at;
      ++offset_;
      continue;
    }
    std::uint64_t length = bytes.size() - at;
    if (state_ != State::until_close) length = std::min(length, left_);
    length = std::min(length, limits_.body - size_);
    if (length == 0) {  // the limit is used up
      fail(ParseErrorCode::body_too_large);
      break;
    }
    size_ += length;
    offset_ += length;
    if (state_ != State::until_close && (left_ -= length) == 0)
      state_ = state_ == State::counted ? State::done : State::data_cr;
    const auto taken = static_cast<std::size_t>(length);
    return {at + taken, bytes.substr(at, taken)};
  }
  return {at, {}};
}

void BodyDecoder::end_of_stream() {
  if (state_ == State::until_close) {
    state_ = State::done;
  } else if (state_ != State::done && state_ != State::failed) {
    fail(ParseErrorCode::unexpected_end);
  }
}

void BodyDecoder::frame(char c) {
  switch (state_) {
    case State::size: return take_size(c);
    case State::extension:
      if (c == '\r') {
        state_ = State::size_lf;
      } else if (c == '\n') {
        fail(ParseErrorCode::bad_line_ending, c);
      } else if (!scan::is(scan::kValue, c)) {
        fail(ParseErrorCode::bad_chunk_extension, c);
      } else if (++extensions_ > limits_.chunk_extensions) {
        fail(ParseErrorCode::chunk_extensions_too_long);
      }
      return;
    case State::size_lf:
      if (c != '\n') return fail(ParseErrorCode::bad_line_ending, c);
      digits_ = 0;
      state_ = left_ == 0 ? State::trailer : State::payload;
      return;
    case State::data_cr:
      if (c != '\r') return fail(ParseErrorCode::bad_chunk_end, c);
      state_ = State::data_lf;
      return;
    case State::data_lf:
      if (c != '\n') return fail(ParseErrorCode::bad_chunk_end, c);
      state_ = State::size;
      return;
    case State::trailer: return take_trailer(c);
    default: return;
  }
}

void BodyDecoder::take_size(char c) {
  if (const int digit = ascii::hex_value(c); digit >= 0) {
    if (digits_ == 16 || left_ >> 59 != 0) return fail(ParseErrorCode::chunk_size_too_large);
    ++digits_;
    left_ = left_ * 16 + static_cast<unsigned>(digit);
    return;
  }
  if (digits_ == 0) return fail(ParseErrorCode::bad_chunk_size, c);
  if (c == '\r') {
    state_ = State::size_lf;
  } else if (c == ';') {
    if (++extensions_ > limits_.chunk_extensions) return fail(ParseErrorCode::chunk_extensions_too_long);
    state_ = State::extension;
  } else {
    fail(c == '\n' ? ParseErrorCode::bad_line_ending : ParseErrorCode::bad_chunk_size, c);
  }
}

void BodyDecoder::take_trailer(char c) {
  if (++trailer_bytes_ > limits_.trailers) return fail(ParseErrorCode::trailers_too_large);
  const bool after_cr = !line_.empty() && line_.back() == '\r';
  if (after_cr != (c == '\n')) return fail(ParseErrorCode::bad_line_ending, c);
  if (!after_cr) return line_.push_back(c);
  line_.pop_back();
  if (line_.empty()) {
    state_ = State::done;
  } else {
    finish_trailer();
    line_.clear();
  }
}

void BodyDecoder::finish_trailer() {
  const auto colon = line_.find(':');
  const std::string_view name = std::string_view(line_).substr(0, colon);
  if (colon == std::string::npos) return fail(ParseErrorCode::missing_colon);
  if (name.empty()) return fail(ParseErrorCode::empty_field_name);
  if (ascii::is_blank(name.front())) return fail(ParseErrorCode::folded_field);
  if (ascii::is_blank(name.back())) return fail(ParseErrorCode::space_before_colon);
  const char* name_end = name.data() + name.size();
  if (scan::past_token(name.data(), name_end) != name_end) return fail(ParseErrorCode::bad_field_name);
  const auto value = ascii::trimmed(std::string_view(line_).substr(colon + 1));
  const char* value_end = value.data() + value.size();
  if (scan::past_value(value.data(), value_end) != value_end) return fail(ParseErrorCode::bad_field_value);
  if (is_forbidden_trailer(name)) return fail(ParseErrorCode::forbidden_trailer);
  if (trailers_.size() == limits_.trailer_fields) return fail(ParseErrorCode::trailers_too_large);
  trailers_.add(name, value);
}

void BodyDecoder::fail(ParseErrorCode code, std::optional<char> at_fault) {
  const int byte = at_fault ? static_cast<unsigned char>(*at_fault) : -1;
  error_ = detail::make_parse_error(code, static_cast<std::size_t>(offset_), byte);
  state_ = State::failed;
}

}  // namespace eddy::http
