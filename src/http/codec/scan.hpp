// SPDX-License-Identifier: MIT
// Finding the first byte that may not stand in a token, a field value or a request target.
//
// Values and targets are scanned 16 bytes at a time where SSE2 is there (every x86-64), by table elsewhere
// and in the last 15 bytes. Nothing is ever read at or past `end`.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace eddy::http::scan {

inline constexpr std::uint8_t kToken = 1;   // RFC 9110 5.6.2
inline constexpr std::uint8_t kValue = 2;   // RFC 9110 5.5: VCHAR, SP, HTAB, obs-text
inline constexpr std::uint8_t kTarget = 4;  // VCHAR without '#'
inline constexpr std::uint8_t kHost = 8;    // RFC 3986 3.2.2: unreserved, pct-encoded, sub-delims

inline constexpr auto kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    const auto is_one_of = [c](std::string_view marks) { return c < 128 && marks.find(static_cast<char>(c)) != marks.npos; };
    if (letter || is_one_of("!#$%&'*+-.^_`|~")) classes[c] |= kToken;
    if (letter || is_one_of("-._~%!$&'()*+,;=")) classes[c] |= kHost;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) classes[c] |= kValue;
    if (c > 0x20 && c < 0x7f && c != '#') classes[c] |= kTarget;
  }
  return classes;
}();

inline bool is(std::uint8_t wanted, char c) noexcept {
  return (kClasses[static_cast<unsigned char>(c)] & wanted) != 0;
}

/// Whether a line ends here, well and completely.
inline bool is_line_end(const char* at, const char* end) noexcept { return end - at >= 2 && at[0] == '\r' && at[1] == '\n'; }

inline const char* past(std::uint8_t wanted, const char* at, const char* end) noexcept {
  while (at != end && is(wanted, *at)) ++at;
  return at;
}

inline const char* past_host(const char* at, const char* end) noexcept { return past(kHost, at, end); }
inline const char* past_token(const char* at, const char* end) noexcept { return past(kToken, at, end); }

inline const char* past_value(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
  const __m128i last_control = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    const __m128i bad =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), control), _mm_cmpeq_epi8(bytes, del));
    if (const auto mask = static_cast<unsigned>(_mm_movemask_epi8(bad))) return at + std::countr_zero(mask);
  }
#endif
  return past(kValue, at, end);
}

inline const char* past_target(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
  const __m128i first = _mm_set1_epi8(0x21), hash = _mm_set1_epi8('#'), del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i outside = _mm_cmplt_epi8(bytes, first);  // signed: also every byte from 0x80 on
    const __m128i bad =
        _mm_or_si128(outside, _mm_or_si128(_mm_cmpeq_epi8(bytes, hash), _mm_cmpeq_epi8(bytes, del)));
    if (const auto mask = static_cast<unsigned>(_mm_movemask_epi8(bad))) return at + std::countr_zero(mask);
  }
#endif
  return past(kTarget, at, end);
}

}  // namespace eddy::http::scan
