// SPDX-License-Identifier: MIT
#include "io/read_buffer.hpp"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "io/spares.hpp"

namespace eddy::detail {

struct ReadBuffer::Cache {
  static void free(Block* block) noexcept { std::free(block); }
  using Blocks = Spares<Block, &free>;
};

ReadBuffer::Block* ReadBuffer::allocate(std::size_t capacity) {
  auto* block = static_cast<Block*>(std::malloc(sizeof(Block) + capacity));
  if (!block) throw std::bad_alloc();
  block->capacity = capacity;
  return block;
}

std::span<char> ReadBuffer::space(std::size_t least) {
  if (!block_) {
    if (least <= kBlock) block_ = Cache::Blocks::take();
    if (!block_) block_ = allocate(least > kBlock ? least : kBlock);
    block_->begin = block_->end = 0;
    return {block_->bytes(), block_->capacity};
  }
  if (empty()) block_->begin = block_->end = 0;
  // Move the bytes to the front when that makes the room; else grow.
  auto& [capacity, begin, end] = *block_;
  if (capacity < least) {
    Block* const larger = allocate(capacity * 2 > least ? capacity * 2 : least);
    larger->begin = 0;
    larger->end = size();
    std::memcpy(larger->bytes(), block_->bytes() + begin, size());
    drop();
    block_ = larger;
  } else if (begin > 0 && (capacity - end < kBlock / 4 || capacity - begin < least)) {
    std::memmove(block_->bytes(), block_->bytes() + begin, size());
    end -= begin;
    begin = 0;
  }
  return {block_->bytes() + block_->end, block_->capacity - block_->end};
}

void ReadBuffer::drop() noexcept {
  Block* const block = std::exchange(block_, nullptr);
  if (!block) return;
  if (block->capacity != kBlock || !Cache::Blocks::keep(block)) Cache::free(block);
}

}  // namespace eddy::detail
