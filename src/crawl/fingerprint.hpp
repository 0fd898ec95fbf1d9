// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace eddy::crawl {

/// 128 bits that stand for a request in the set of those seen.
struct Fingerprint {
  std::uint64_t low = 0, high = 0;
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};
struct FingerprintHash {
  std::size_t operator()(const Fingerprint& print) const noexcept { return print.low; }
};

using FingerprintKey = std::array<std::uint64_t, 2>;

/// A key that no site can know, so that none can make two of its URLs look like one.
FingerprintKey random_key();

/// SipHash-2-4 with 128 bits of output (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012).
Fingerprint fingerprint(const FingerprintKey& key, std::string_view bytes) noexcept;

}  // namespace eddy::crawl
