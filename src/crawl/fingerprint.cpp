// SPDX-License-Identifier: MIT
#include "crawl/fingerprint.hpp"

#include <bit>
#include <random>

namespace eddy::crawl {

namespace {

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void rounds(int count) noexcept {
    while (count-- > 0) {
      v0 += v1, v1 = std::rotl(v1, 13), v1 ^= v0, v0 = std::rotl(v0, 32);
      v2 += v3, v3 = std::rotl(v3, 16), v3 ^= v2;
      v0 += v3, v3 = std::rotl(v3, 21), v3 ^= v0;
      v2 += v1, v1 = std::rotl(v1, 17), v1 ^= v2, v2 = std::rotl(v2, 32);
    }
  }
  void absorb(std::uint64_t word) noexcept {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  std::uint64_t squeeze() noexcept {
    rounds(4);
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

// Little-endian, whatever the machine; up to eight bytes.
std::uint64_t word_of(std::string_view bytes) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size() && i < 8; ++i) {
    word |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return word;
}

}  // namespace

FingerprintKey random_key() {
  std::random_device device;
  const auto word = [&] { return (static_cast<std::uint64_t>(device()) << 32) | device(); };
  const auto first = word();
  return {first, word()};
}

Fingerprint fingerprint(const FingerprintKey& key, std::string_view bytes) noexcept {
  SipState state{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d ^ 0xee, key[0] ^ 0x6c7967656e657261,
                 key[1] ^ 0x7465646279746573};
  const auto length = static_cast<std::uint64_t>(bytes.size()) << 56;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) state.absorb(word_of(bytes));
  state.absorb(word_of(bytes) | length);
  state.v2 ^= 0xee;
  const auto low = state.squeeze();
  state.v1 ^= 0xdd;
  return {low, state.squeeze()};
}

}  // namespace eddy::crawl
