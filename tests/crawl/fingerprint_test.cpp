// SPDX-License-Identifier: MIT
#include "crawl/fingerprint.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using eddy::crawl::Fingerprint;
using eddy::crawl::fingerprint;

constexpr eddy::crawl::FingerprintKey kPaperKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

std::string first_bytes(std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes += static_cast<char>(i);
  return bytes;
}

// The authors' vectors: github.com/veorq/SipHash, vectors.h, vectors_sip128, read as little-endian words.
TEST(Fingerprint, IsSipHashOfItsAuthors) {
  EXPECT_EQ(fingerprint(kPaperKey, ""), (Fingerprint{0xe6a825ba047f81a3, 0x930255c71472f66d}));
  EXPECT_EQ(fingerprint(kPaperKey, first_bytes(1)), (Fingerprint{0x44af996bd8c187da, 0x45fc229b11597634}));
}

TEST(Fingerprint, DiffersForEachLengthAndKey) {
  EXPECT_NE(fingerprint(kPaperKey, first_bytes(8)), fingerprint(kPaperKey, first_bytes(9)));
  EXPECT_NE(fingerprint(kPaperKey, std::string(7, '\0')), fingerprint(kPaperKey, std::string(8, '\0')));
  EXPECT_NE(fingerprint(kPaperKey, "a"), fingerprint({1, 2}, "a"));
  EXPECT_NE(eddy::crawl::random_key(), eddy::crawl::random_key());
}

}  // namespace
