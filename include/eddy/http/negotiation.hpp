// SPDX-License-Identifier: MIT
// What a client accepts, has already, or wants a part of: Accept-Encoding, If-None-Match, Range.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace eddy::http {

/// The coding of `offered` (best first) that an Accept-Encoding field likes most, "identity" if it likes
/// none better, nothing if it refuses even that (RFC 9110 12.5.3). An absent field is "": identity.
std::optional<std::string_view> choose_coding(std::string_view accept_encoding,
                                              std::span<const std::string_view> offered);

/// Whether two entity tags are equal byte for byte and both strong: for ranges (RFC 9110 8.8.3.2).
bool strong_match(std::string_view a, std::string_view b) noexcept;
/// The same without regard to "W/": for caches.
bool weak_match(std::string_view a, std::string_view b) noexcept;
/// Whether an If-None-Match or If-Match field names `etag` (weakly) or is "*".
bool lists_etag(std::string_view field, std::string_view etag) noexcept;

/// A part of a body; `length` is at least 1.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

/// What a Range field asks of a body of `size` bytes.
struct RangeRequest {
  enum class Outcome : std::uint8_t {
    whole,          ///< no field, another unit, or damaged: answer 200 with everything
    partial,        ///< answer 206 with `ranges`
    unsatisfiable,  ///< answer 416 with `Content-Range: bytes */size`
  };
  Outcome outcome = Outcome::whole;
  std::vector<ByteRange> ranges;  ///< in the order asked for
};

/// Reads "bytes=0-99,-5". More than 16 ranges, or overlapping ones among more than two, count as damaged:
/// they would make a small request cost much (RFC 9110 14.2).
RangeRequest parse_range(std::string_view field, std::uint64_t size);
/// "bytes 0-99/1234".
std::string content_range(ByteRange range, std::uint64_t size);

}  // namespace eddy::http
