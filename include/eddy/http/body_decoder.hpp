// SPDX-License-Identifier: MIT
// Finds the payload of a body in the bytes of a connection, without copies.
#pragma once

#include <cstdint>
#include <eddy/http/headers.hpp>
#include <eddy/http/message.hpp>
#include <eddy/http/parse_error.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace eddy::http {

/// Undoes the framing of one body (RFC 9112 6 and 7).
///
///     BodyDecoder body(head.framing());
///     while (!body.done()) {
///       auto [consumed, payload] = body.next(bytes);  // bytes not consumed so far
///       bytes.remove_prefix(consumed);
///       if (body.failed()) …                          // body.error()
///       if (payload.empty() && !body.done()) …        // read more, or call end_of_stream()
///     }
///
/// Payload is a view into the bytes given. Nothing has to be kept between calls but what was not consumed,
/// which is nothing once `payload` comes back empty. Trailers are the only thing that is stored.
class BodyDecoder {
 public:
  struct Step {
    std::size_t consumed = 0;
    std::string_view payload;  ///< the last bytes of those consumed
  };

  BodyDecoder() noexcept : BodyDecoder(BodyFraming{}) {}
  explicit BodyDecoder(BodyFraming framing, const ParseLimits& limits = {}) noexcept;

  /// Takes framing and one piece of payload off the front of `bytes`. After `done()` or `failed()` it takes
  /// nothing.
  Step next(std::string_view bytes);
  /// The connection has ended: completes a body that runs until then, fails any other.
  void end_of_stream();

  bool done() const noexcept { return state_ == State::done; }
  bool failed() const noexcept { return state_ == State::failed; }
  const ParseError& error() const noexcept { return error_; }
  /// Bytes of payload so far.
  std::uint64_t size() const noexcept { return size_; }
  /// The fields after a chunked body; they are apart from the headers on purpose (RFC 9110 6.5.1).
  const Headers& trailers() const noexcept { return trailers_; }

 private:
  //  size --;--> extension --CR--> size_lf --LF--> payload --> data_cr --> data_lf --> size …
  //                                   '--LF after size 0--> trailer (lines) --empty line--> done
  enum class State : std::uint8_t {
    counted,      // a body of known length; left_ bytes to come
    until_close,  // ends with the connection
    size,         // in the digits of a chunk size
    extension,    // behind ';'
    size_lf,      // behind the CR of a size line
    payload,      // left_ bytes of the chunk to come
    data_cr,      // behind the last byte of the chunk
    data_lf,      // behind its CR
    trailer,      // in trailer lines; line_ holds the current one
    done,
    failed,
  };

  void frame(char c);
  void take_size(char c);
  void take_trailer(char c);
  void finish_trailer();
  void fail(ParseErrorCode code, std::optional<char> at_fault = {});

  ParseLimits limits_;
  ParseError error_;
  std::uint64_t left_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t offset_ = 0;  // of the next byte in the body as sent
  std::size_t extensions_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::string line_;
  Headers trailers_;
  std::uint8_t digits_ = 0;  // of the chunk size being read; stops counting at 16
  State state_;
};

}  // namespace eddy::http
