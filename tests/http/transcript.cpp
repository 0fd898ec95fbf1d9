// SPDX-License-Identifier: MIT
#include "http/transcript.hpp"

#include <charconv>
#include <cstring>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "http/golden.hpp"

namespace eddy::http::test {
namespace {

ParseLimits limits_of(std::string_view options) {
  ParseLimits limits;
  std::istringstream words{std::string(options)};
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    if (equals == std::string::npos) continue;
    const auto name = word.substr(0, equals);
    const std::size_t value = std::stoull(word.substr(equals + 1));
    if (name == "method") limits.method = value;
    else if (name == "target") limits.target = value;
    else if (name == "reason") limits.reason = value;
    else if (name == "header_block") limits.header_block = value;
    else if (name == "fields") limits.fields = value;
    else if (name == "chunk_extensions") limits.chunk_extensions = value;
    else if (name == "trailers") limits.trailers = value;
    else if (name == "trailer_fields") limits.trailer_fields = value;
    else if (name == "body") limits.body = value;
    else throw std::runtime_error("no limit is called " + name);
  }
  return limits;
}

std::string framing_text(BodyFraming framing) {
  switch (framing.kind) {
    case BodyFraming::Kind::none: return "no body";
    case BodyFraming::Kind::length: return "body of " + std::to_string(framing.length);
    case BodyFraming::Kind::chunked: return "chunked body";
    case BodyFraming::Kind::until_close: return "body until close";
  }
  return {};
}

}  // namespace

Transcript::Transcript(std::string_view kind, std::string_view options)
    : is_request_(kind == "request"),
      limits_(limits_of(options)),
      requests_(limits_),
      responses_(limits_),
      body_(BodyFraming{BodyFraming::Kind::chunked, 0}, limits_) {
  std::istringstream words{std::string(options)};
  for (std::string word; words >> word;)
    if (word.find('=') == std::string::npos) expected_.push_back(method_of(word));
  if (kind == "body") state_ = State::body;
}

void Transcript::feed(std::string_view bytes) {
  buffer_ += bytes;
  while (state_ != State::over && step()) {
  }
}

bool Transcript::step() { return state_ == State::head ? step_head() : step_body(); }

bool Transcript::step_head() {
  if (buffer_.empty()) return false;
  const std::unique_ptr<char[]> exact(new char[buffer_.size()]);
  std::memcpy(exact.get(), buffer_.data(), buffer_.size());
  const std::string_view bytes(exact.get(), buffer_.size());
  if (!is_request_) responses_.expect(answered_ < expected_.size() ? expected_[answered_] : Method::get);
  const Progress progress = is_request_ ? requests_.parse_head(bytes) : responses_.parse_head(bytes);
  if (progress == Progress::needs_more) return false;
  if (progress == Progress::failed)
    return note_error(is_request_ ? requests_.error() : responses_.error()), false;

  const MessageHead* head = &requests_.head();
  if (is_request_) {
    requests_.head().rebase(bytes.data());
    note_head(requests_.head());
  } else {
    head = &responses_.head();
    note_head(responses_.head());
  }
  const bool interim = !is_request_ && responses_.head().is_interim();
  if (!interim) ++answered_;
  close_after_body_ = !head->keep_alive() && !interim;
  body_ = BodyDecoder(head->framing(), limits_);
  state_ = State::body;
  const bool switches = is_request_ ? requests_.head().method() == Method::connect
                                    : responses_.head().status() == 101;
  buffer_.erase(0, head->size());
  if (switches) {
    events_ += "tunnel\n";
    state_ = State::over;
  }
  return true;
}

bool Transcript::step_body() {
  const std::unique_ptr<char[]> exact(new char[buffer_.size()]);
  std::memcpy(exact.get(), buffer_.data(), buffer_.size());
  const auto [consumed, payload] = body_.next({exact.get(), buffer_.size()});
  data_ += payload;
  buffer_.erase(0, consumed);
  if (body_.failed()) {
    note_data();
    return note_error(body_.error()), false;
  }
  if (!body_.done()) return !payload.empty();
  note_data();
  for (const Field field : body_.trailers())
    events_ += "trailer " + escape(field.name) + ": " + escape(field.value) + "\n";
  events_ += "end\n";
  state_ = close_after_body_ ? State::over : State::head;
  return true;
}

std::string Transcript::finish() {
  if (state_ == State::head && !buffer_.empty()) events_ += "cut inside a head\n";
  if (state_ == State::body) {
    body_.end_of_stream();
    note_data();
    if (body_.failed()) note_error(body_.error());
    else events_ += "end\n";
  }
  if (state_ == State::over && !buffer_.empty() && !events_.ends_with("'\n") &&
      events_.find("error") == std::string::npos)
    events_ += "unread " + std::to_string(buffer_.size()) + "\n";
  return events_;
}

void Transcript::note_head(const RequestHead& head) {
  constexpr std::string_view kForms[] = {"origin", "absolute", "authority", "asterisk"};
  events_ += std::string(head.method_text()) + " " + std::string(head.target()) + " " +
             std::string(to_string(head.version())) + "\n";
  events_ += std::string(kForms[static_cast<int>(head.form())]) + " path '" + std::string(head.path()) +
             "' query '" + std::string(head.query()) + "' authority '" + std::string(head.authority()) +
             "'\n";
  note_fields(head);
  events_ += head.expects_continue() ? ", expects 100\n" : "\n";
}

void Transcript::note_head(const ResponseHead& head) {
  events_ += std::string(to_string(head.version())) + " " + std::to_string(head.status()) + " '" +
             escape(head.reason()) + "'\n";
  note_fields(head);
  events_ += head.is_interim() ? ", interim\n" : "\n";
}

void Transcript::note_fields(const MessageHead& head) {
  for (const Field field : head.headers()) {
    const bool long_one = field.value.size() > 80;
    events_ += "field " + escape(field.name) + ": " +
               (long_one ? std::to_string(field.value.size()) + " bytes" : escape(field.value)) + "\n";
  }
  events_ += framing_text(head.framing()) + (head.keep_alive() ? ", keep-alive" : ", close") +
             (head.upgrade() ? ", upgrade" : "");
}

void Transcript::note_error(const ParseError& error) {
  events_ += "error " + std::string(code_name(error.code)) + " " + std::to_string(error.status) + ": " +
             error.text + "\n";
  state_ = State::over;
}

void Transcript::note_data() {
  if (data_.empty()) return;
  events_ +=
      data_.size() > 80 ? "data of " + std::to_string(data_.size()) + "\n" : "data " + escape(data_) + "\n";
  data_.clear();
}

std::string transcript(std::string_view kind, std::string_view options, std::string_view input,
                       const std::vector<std::size_t>& cuts) {
  Transcript play(kind, options);
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    play.feed(input.substr(from, cut - from));
    from = cut;
  }
  play.feed(input.substr(from));
  return play.finish();
}

}  // namespace eddy::http::test
