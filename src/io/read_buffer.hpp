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

  std::string_view readable() const noexcept {
    return block_ ? std::string_view(block_->bytes() + block_->begin, block_->end - block_->begin) : std::string_view();
  }
  std::size_t size() const noexcept { return block_ ? block_->end - block_->begin : 0; }
  bool empty() const noexcept { return size() == 0; }

  /// Room behind the bytes: at least `least` in all for them and the next ones.
  std::span<char> space(std::size_t least);
  /// Of what space() gave.
  void added(std::size_t count) noexcept { block_->end += count; }
  void consume(std::size_t count) noexcept {
    if (block_) block_->begin += count < size() ? count : size();
  }

  /// Gives the block back if nothing is in it. Views into it end.
  void rest() noexcept {
    if (empty()) drop();
  }

 private:
  void drop() noexcept;

  // Stands in front of its bytes: a buffer that has none is a null pointer.
  struct Block {
    std::size_t capacity;
    std::size_t begin, end;  // of what is readable
    char* bytes() noexcept { return reinterpret_cast<char*>(this + 1); }
  };
  struct Cache;
  static Block* allocate(std::size_t capacity);

  Block* block_ = nullptr;
};

}  // namespace eddy::detail
