// SPDX-License-Identifier: MIT
// The heads of HTTP/1.1 messages: incremental, strict, without copies. Grammar: docs/wire/http1.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <eddy/http/headers.hpp>
#include <eddy/http/message.hpp>
#include <eddy/http/parse_error.hpp>
#include <string_view>

namespace eddy::http {

/// Where a parser stands after a call.
enum class Progress : std::uint8_t {
  needs_more,  ///< the bytes end inside the head: call again when there are more
  complete,    ///< `head()` is filled in
  failed,      ///< `error()` says why; the place in the stream is lost
};

/// What the heads of requests and responses share. Views live as long as the parsed buffer stays in place.
class MessageHead {
 public:
  Version version() const noexcept { return version_; }
  const HeaderView& headers() const noexcept { return headers_; }
  BodyFraming framing() const noexcept { return framing_; }
  /// Whether the connection can carry another message after this one, as far as the sender is concerned.
  bool keep_alive() const noexcept { return keep_alive_; }
  /// Whether `Connection: upgrade` and an `Upgrade` field ask for another protocol.
  bool upgrade() const noexcept { return upgrade_; }
  /// Bytes of the head, with the empty line: the body begins there.
  std::size_t size() const noexcept { return size_; }

 protected:
  friend class HeadParser;
  struct Piece {
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
  };
  std::string_view view(Piece piece) const noexcept { return {base_ + piece.offset, piece.length}; }

  const char* base_ = nullptr;
  std::size_t size_ = 0;
  BodyFraming framing_;
  Version version_ = Version::http_1_1;
  bool keep_alive_ = true;
  bool upgrade_ = false;
  HeaderView headers_;
};

/// The forms a request target may have (RFC 9112 3.2).
enum class TargetForm : std::uint8_t {
  origin,     ///< "/path?query"
  absolute,   ///< "http://host/path?query": to a proxy, but every server has to accept it
  authority,  ///< "host:port": CONNECT only
  asterisk,   ///< "*": OPTIONS only
};

class RequestHead : public MessageHead {
 public:
  Method method() const noexcept { return method_; }
  std::string_view method_text() const noexcept { return view(method_text_); }
  /// The request target as it came.
  std::string_view target() const noexcept { return view(target_); }
  TargetForm form() const noexcept { return form_; }
  /// The target's path, still percent-encoded, without the query; "/" if an absolute target has none.
  std::string_view path() const noexcept { return path_.length != 0 ? view(path_) : implied_path(); }
  /// What follows '?', still encoded; "" if nothing does.
  std::string_view query() const noexcept { return view(query_); }
  /// The host and port asked for: from an absolute or authority target, else from Host; "" if 1.0 sent none.
  std::string_view authority() const noexcept { return view(authority_); }
  /// Whether the client waits for `100 Continue` before it sends the body.
  bool expects_continue() const noexcept { return expects_continue_; }

  /// Tells where the bytes of the head start now, after the buffer has moved.
  void rebase(const char* buffer) noexcept {
    base_ = buffer;
    headers_.rebase(buffer);
  }

 private:
  friend class RequestParser;
  std::string_view implied_path() const noexcept { return form_ == TargetForm::absolute ? "/" : ""; }

  Method method_ = Method::get;
  TargetForm form_ = TargetForm::origin;
  bool expects_continue_ = false;
  Piece method_text_, target_, path_, query_, authority_;
};

class ResponseHead : public MessageHead {
 public:
  int status() const noexcept { return status_; }
  /// The reason phrase; often empty, and never of any meaning.
  std::string_view reason() const noexcept { return view(reason_); }
  /// 100 … 199 without 101: the real response is still to come.
  bool is_interim() const noexcept { return status_ < 200 && status_ != 101; }

  void rebase(const char* buffer) noexcept {
    base_ = buffer;
    headers_.rebase(buffer);
  }

 private:
  friend class ResponseParser;
  int status_ = 0;
  Piece reason_;
};

/// The line-by-line core of both parsers.
///
///     first_line --CR LF--> fields --empty line--> complete --next parse_head()--> first_line
///          '------------------'--- a broken rule ---> failed
class HeadParser {
 public:
  /// Why the last call failed.
  const ParseError& error() const noexcept { return error_; }

 protected:
  enum class Stage : std::uint8_t { first_line, fields, complete, failed };
  enum class Line : std::uint8_t { done, cut, bad };

  HeadParser(const ParseLimits& limits, std::size_t first_line_limit, bool is_response) noexcept;
  ~HeadParser() = default;
  // A line parser gives `cut` only if there is no LF in what it sees and the line may still grow.
  virtual Line parse_first_line(std::string_view text) = 0;
  virtual bool note_field(const Field& field, std::uint32_t value_at) = 0;
  virtual bool finish_head() = 0;

  Progress advance(MessageHead& head, std::string_view buffer);
  void restart(MessageHead& head) noexcept;
  Line parse_fields(MessageHead& head, std::string_view text);
  Line end_of_line(const char* at, const char* end, const char* begin, ParseErrorCode otherwise) noexcept;
  Line fail(ParseErrorCode code, std::size_t offset) noexcept;
  bool note_framing(const Field& field, std::uint32_t value_at);
  bool note_content_length(std::string_view value, std::uint32_t value_at);
  bool note_transfer_encoding(std::string_view value, std::uint32_t value_at);
  void note_connection(std::string_view value);
  bool settle_framing(MessageHead& head);

  // What the fields so far say about framing and the connection.
  struct Facts {
    std::uint64_t length = 0;
    std::uint32_t length_at = 0, coding_at = 0;  // offsets of the values
    bool has_length = false, has_coding = false;
    bool ends_chunked = false, repeats_chunked = false, has_foreign_coding = false;
    bool close = false, keep_alive = false, upgrade = false, names_protocol = false;
  };

  ParseLimits limits_;
  ParseError error_;
  Facts facts_;
  std::size_t line_ = 0;      // offset of the line being parsed
  std::size_t searched_ = 0;  // there is no LF between line_ and here
  std::size_t block_ = 0;     // offset of the first field
  std::size_t first_line_limit_;
  std::size_t fault_ = 0;     // offset of the byte at fault
  ParseErrorCode fault_code_ = ParseErrorCode::none;
  Stage stage_ = Stage::first_line;
  bool fault_is_final_ = false;  // need not wait for the end of the line
  bool is_response_;
};

/// Reads the heads of requests off the front of a connection's buffer.
///
///     auto progress = parser.parse_head(buffer);     // the buffer begins with the head
///     while (progress == Progress::needs_more) …     // append to the buffer, call again with all of it
///     serve(parser.head());                          // then drop head().size() bytes and read the body
///
/// The buffer may move between calls, but bytes already shown must not change. Work is linear in the bytes
/// however they are cut, and so is the result. After `complete`, the next call starts on the next message.
class RequestParser final : public HeadParser {
 public:
  explicit RequestParser(const ParseLimits& limits = {}) noexcept;

  Progress parse_head(std::string_view buffer);
  /// Valid after `complete`, until the next call; call `rebase()` on it if the buffer moves.
  RequestHead& head() noexcept { return head_; }
  const RequestHead& head() const noexcept { return head_; }
  /// Forgets everything, also a failure.
  void reset() noexcept;

 private:
  Line parse_first_line(std::string_view text) override;
  bool parse_target(std::string_view target, std::uint32_t at);
  Line parse_version(const char* at, const char* end, const char* begin);
  bool note_field(const Field& field, std::uint32_t value_at) override;
  bool finish_head() override;
  bool is_host(std::string_view text) noexcept;

  RequestHead head_;
  RequestHead::Piece host_;
  bool has_host_ = false, skipped_empty_line_ = false;
  std::uint8_t known_host_size_ = 0;
  char known_host_[63];  // the last Host that was right, unless it was longer
};

/// Reads the heads of responses. Interim ones (`head().is_interim()`) come as heads of their own, without a
/// body; call again for the next. `expect()` tells which request the next response answers, since that
/// decides whether it has a body.
class ResponseParser final : public HeadParser {
 public:
  explicit ResponseParser(const ParseLimits& limits = {}) noexcept;

  /// The method of the request that is being answered; GET if never called.
  void expect(Method method) noexcept { request_ = method; }
  Progress parse_head(std::string_view buffer);
  ResponseHead& head() noexcept { return head_; }
  const ResponseHead& head() const noexcept { return head_; }
  void reset() noexcept;

 private:
  Line parse_first_line(std::string_view text) override;
  bool note_field(const Field& field, std::uint32_t value_at) override;
  bool finish_head() override;

  ResponseHead head_;
  Method request_ = Method::get;
};

}  // namespace eddy::http
