// SPDX-License-Identifier: MIT
// The bytes that came and were not read yet: one block with a readable middle.
//
// A block is borrowed from a per-thread cache, last in first out, and given back when the buffer is empty
// and somebody has to wait: an idle connection holds none, and busy ones share the block that is warm.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace eddy::detail {

class ReadBuffer {
 public:
  static constexpr std::size_t kBlock = 256 * 1024;  // as asyncio reads: a stream at full speed costs a third of what 64 KiB do

  ReadBuffer() noexcept = default;
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;
  ~ReadBuffer() { drop(); }

  std::string_view readable() const noexcept { return {block_ + begin_, end_ - begin_}; }
  std::size_t size() const noexcept { return end_ - begin_; }
  bool empty() const noexcept { return begin_ == end_; }

  /// Room behind the bytes: at least `least` in all for them and the next ones.
  std::span<char> space(std::size_t least);
  void added(std::size_t count) noexcept { end_ += count; }
  void consume(std::size_t count) noexcept { begin_ += count < size() ? count : size(); }

  /// Gives the block back if nothing is in it. Views into it end.
  void rest() noexcept {
    if (empty()) drop();
  }

 private:
  void drop() noexcept;

  char* block_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0, end_ = 0;
};

}  // namespace eddy::detail
