// SPDX-License-Identifier: MIT
// Plays one side of a connection over the codec and writes down what it saw.
#pragma once

#include <eddy/http/body_decoder.hpp>
#include <eddy/http/parser.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace eddy::http::test {

/// Feed it bytes in any cuts; `finish()` gives one event a line. The lines do not depend on the cuts.
///
/// The buffer of unconsumed bytes is copied to a fresh heap block of exactly its size before each call of
/// the codec, so that AddressSanitizer sees any read behind it, and any view kept over a move.
class Transcript {
 public:
  /// `kind` is "request", "response" or "body" (chunked); `options` are words: a method the next response
  /// answers, or `limit=number` with the name of a field of ParseLimits.
  Transcript(std::string_view kind, std::string_view options);

  void feed(std::string_view bytes);
  std::string finish();

 private:
  enum class State { head, body, over };

  bool step();  // false: nothing more to do with the bytes there are
  bool step_head();
  bool step_body();
  void note_head(const RequestHead& head);
  void note_head(const ResponseHead& head);
  void note_fields(const MessageHead& head);
  void note_error(const ParseError& error);
  void note_data();

  bool is_request_;
  ParseLimits limits_;
  std::vector<Method> expected_;
  std::size_t answered_ = 0;
  RequestParser requests_;
  ResponseParser responses_;
  BodyDecoder body_;
  State state_ = State::head;
  bool close_after_body_ = false;
  std::string buffer_, data_, events_;
};

/// The transcript of `input` cut at the given offsets (in rising order).
std::string transcript(std::string_view kind, std::string_view options, std::string_view input,
                       const std::vector<std::size_t>& cuts = {});

}  // namespace eddy::http::test
