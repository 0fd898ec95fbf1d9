// SPDX-License-Identifier: MIT
// Content codings: gzip, deflate, br (RFC 9110 8.4), streamed, with a guard against bombs.
#pragma once

#include <eddy/detail/smart_pointers.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace eddy::http {

/// A coded body that is damaged, cut, unknown, or larger than allowed.
class ContentDecodingError : public std::runtime_error {
  using runtime_error::runtime_error;
};

/// What undoing a coding may cost.
struct DecodeLimits {
  std::uint64_t size = 256 << 20;  ///< bytes that may come out
  std::uint64_t ratio = 200;       ///< bytes that may come out for each that went in …
  std::uint64_t ratio_from = 1 << 20;  ///< … once this many have come out
};

/// Undoes the codings of one body.
///
///     ContentDecoder decoder(headers.get("content-encoding").value_or(""));
///     decoder.append(piece, text);   // for each piece of the body
///     decoder.finish();              // throws if the coded stream is not complete
///
/// Knows gzip (also x-gzip and several members), deflate (with zlib's header or without, as servers send
/// both), br and identity, and lists of up to five of them. Data behind a complete stream is dropped, as
/// browsers do. All errors are ContentDecodingError; afterwards the decoder is of no more use.
class ContentDecoder {
 public:
  struct Step {
    std::size_t consumed = 0;  ///< of the input
    std::size_t produced = 0;  ///< of the output
  };

  explicit ContentDecoder(std::string_view content_encoding, const DecodeLimits& limits = {});
  ContentDecoder(ContentDecoder&&) noexcept;
  ContentDecoder& operator=(ContentDecoder&&) noexcept;
  ~ContentDecoder();

  /// True if there is nothing to undo: pieces can be passed on as they are.
  bool is_identity() const noexcept { return stages_.empty(); }
  /// Decodes until the input is used up or `output` is full. Call it again with what was not consumed, or
  /// with empty input, until it produces less than `output` holds.
  Step decode(std::string_view input, std::span<char> output);
  /// Decodes all of `input` and appends the result.
  void append(std::string_view input, std::string& out);
  /// The body has ended; throws if a coding has not.
  void finish();

  class Stage;

 private:
  Step run(std::size_t index, std::string_view input, std::span<char> output);

  std::vector<std::unique_ptr<Stage>> stages_;  // in the order of undoing
  DecodeLimits limits_;
  std::uint64_t in_ = 0, out_ = 0;
};

/// Packs a body for `Content-Encoding: gzip`.
class GzipEncoder {
 public:
  /// `level`: 1 fastest … 9 smallest; ValueError for others.
  explicit GzipEncoder(int level = 6);
  GzipEncoder(GzipEncoder&&) noexcept;
  GzipEncoder& operator=(GzipEncoder&&) noexcept;
  ~GzipEncoder();

  /// Takes `input`; what is ready is appended to `out`.
  void write(std::string_view input, std::string& out);
  /// Makes all so far readable for the peer; costs a few bytes each time.
  void flush(std::string& out);
  /// Ends the stream; nothing may be written after it.
  void finish(std::string& out);

 private:
  struct State;
  void run(std::string_view input, int mode, std::string& out);

  std::unique_ptr<State> state_;
};

}  // namespace eddy::http
