// SPDX-License-Identifier: MIT
// Lines, counted strings, netstrings.
#include <eddy/twisted/protocols.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace eddy::twisted {
namespace {

// data_received() may be called from inside a callback: then it only queues.
class Busy {
 public:
  explicit Busy(bool& flag) noexcept : flag_(flag) { flag_ = true; }
  Busy(const Busy&) = delete;
  ~Busy() { flag_ = false; }

 private:
  bool& flag_;
};

void send(const Protocol& protocol, std::string_view first, std::string_view second, std::string_view third) {
  if (!protocol.transport()) throw RuntimeError("send: the protocol has no transport yet");
  protocol.transport()->writelines({first, second, third});
}

}  // namespace

LineReceiver::LineReceiver(std::string delimiter, std::size_t max_length)
    : delimiter_(std::move(delimiter)), max_length_(max_length) {
  if (delimiter_.empty()) throw ValueError("LineReceiver: the delimiter must not be empty");
}

void LineReceiver::data_received(std::string_view data) {
  buffer_.append(data);
  if (busy_) return;
  const Busy busy(busy_);
  while (begin_ < buffer_.size() && !paused_ && !is_disconnecting()) {
    if (line_mode_) {
      if (!next_line()) break;
    } else {
      piece_ = clear_line_buffer();
      raw_data_received(piece_);
    }
  }
  buffer_.erase(0, begin_);
  scanned_ -= std::min(scanned_, begin_);
  begin_ = 0;
}

// False: there is no whole line.
bool LineReceiver::next_line() {
  const auto end = buffer_.find(delimiter_, std::max(begin_, scanned_));
  const auto size = buffer_.size() - begin_;
  if (end == buffer_.npos && size < max_length_ + delimiter_.size()) {
    if (size >= delimiter_.size()) scanned_ = buffer_.size() - delimiter_.size() + 1;
    return false;
  }
  if (end == buffer_.npos || end - begin_ > max_length_) {
    piece_ = clear_line_buffer();
    line_length_exceeded(piece_);
    return true;
  }
  // The line is taken out before it is told: the callback may look at, add to or clear the buffer.
  piece_.assign(buffer_, begin_, end - begin_);
  begin_ = end + delimiter_.size();
  line_received(piece_);
  return true;
}

void LineReceiver::line_length_exceeded(std::string_view) { lose_connection(); }

void LineReceiver::set_line_mode(std::string_view extra) {
  line_mode_ = true;
  if (!extra.empty()) data_received(extra);
}

void LineReceiver::send_line(std::string_view line) { send(*this, line, delimiter_, {}); }

std::string LineReceiver::clear_line_buffer() {
  auto rest = buffer_.substr(begin_);
  buffer_.clear();
  begin_ = scanned_ = 0;
  return rest;
}

void LineReceiver::pause_producing() {
  paused_ = true;
  if (transport()) transport()->pause_reading();
}
void LineReceiver::resume_producing() {
  paused_ = false;
  if (transport()) transport()->resume_reading();
  data_received({});
}

// --- counted strings ----------------------------------------------------------------------------------

void Int32StringReceiver::data_received(std::string_view data) {
  if (broken_) return;
  buffer_.append(data);
  if (busy_) return;
  const Busy busy(busy_);
  constexpr std::size_t kPrefix = 4;
  std::size_t begin = 0;
  while (!broken_ && !is_disconnecting() && buffer_.size() - begin >= kPrefix) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < kPrefix; ++i) length = length << 8 | static_cast<unsigned char>(buffer_[begin + i]);
    if (length > max_length_) {
      broken_ = true;
      length_limit_exceeded(length);
      break;
    }
    if (buffer_.size() - begin - kPrefix < length) break;
    text_.assign(buffer_, begin + kPrefix, length);
    begin += kPrefix + length;
    string_received(text_);
  }
  if (broken_ || is_disconnecting()) buffer_.clear();
  else buffer_.erase(0, begin);
}

void Int32StringReceiver::length_limit_exceeded(std::size_t) { lose_connection(); }

void Int32StringReceiver::send_string(std::string_view text) {
  if (text.size() > 0xFFFFFFFFu) throw ValueError(fmt::format("send_string: {} bytes; a length of four bytes ends at 4294967295", text.size()));
  char prefix[4];
  for (std::size_t i = 0; i < 4; ++i) prefix[i] = static_cast<char>(text.size() >> (24 - 8 * i));
  send(*this, {prefix, 4}, text, {});
}

// --- netstrings ---------------------------------------------------------------------------------------

void NetstringReceiver::data_received(std::string_view data) {
  if (broken_) return;
  buffer_.append(data);
  if (busy_) return;
  const Busy busy(busy_);
  begin_ = 0;
  try {
    while (!is_disconnecting() && next_string()) {
    }
  } catch (const NetstringParseError& error) {
    broken_ = true;
    buffer_.clear();
    return parse_error(error);
  }
  buffer_.erase(0, begin_);
}

bool NetstringReceiver::next_string() {
  const auto rest = std::string_view(buffer_).substr(begin_);
  const auto most_digits = std::to_string(max_length_).size();
  const auto colon = rest.find(':');
  const auto digits = std::min(colon, rest.size());
  const auto length = parse_length(digits);
  if (digits > most_digits) throw NetstringParseError(fmt::format("netstring: a length of {} digits; the longest is {}", digits, max_length_));
  if (colon == rest.npos) return false;
  if (digits == 0) throw NetstringParseError("netstring: ':' without a length");
  if (length > max_length_) throw NetstringParseError(fmt::format("netstring: a length of {}; the longest is {}", length, max_length_));
  if (rest.size() - colon - 1 < length + 1) return false;
  if (rest[colon + 1 + length] != ',') throw NetstringParseError(fmt::format("netstring: no ',' after {} bytes", length));
  text_.assign(rest.substr(colon + 1, length));
  begin_ += colon + 1 + length + 1;
  string_received(text_);
  return true;
}

// Of the first `count` bytes, which must be digits.
std::size_t NetstringReceiver::parse_length(std::size_t count) const {
  const auto digits = std::string_view(buffer_).substr(begin_, count);
  std::size_t length = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') throw NetstringParseError("netstring: the length has a byte that is no digit");
    if (length < static_cast<std::size_t>(-1) / 100) length = length * 10 + static_cast<std::size_t>(c - '0');
  }
  if (digits.size() > 1 && digits.front() == '0') throw NetstringParseError("netstring: the length has a leading zero");
  return length;
}

void NetstringReceiver::parse_error(const NetstringParseError&) { lose_connection(); }

void NetstringReceiver::send_string(std::string_view text) {
  send(*this, fmt::format("{}:", text.size()), text, ",");
}

}  // namespace eddy::twisted
