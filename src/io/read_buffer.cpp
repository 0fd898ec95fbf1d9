// SPDX-License-Identifier: MIT
#include "io/read_buffer.hpp"

#include <cstdlib>
#include <cstring>
#include <new>

namespace eddy::detail {
namespace {

constexpr int kSpareBlocks = 8;

struct BlockCache {
  char* blocks[kSpareBlocks];
  int count = 0;
  ~BlockCache() {
    while (count > 0) std::free(blocks[--count]);
    count = kSpareBlocks;  // what comes later is freed at once
  }
};
thread_local BlockCache block_cache;

char* allocate(std::size_t bytes) {
  if (auto* block = static_cast<char*>(std::malloc(bytes))) return block;
  throw std::bad_alloc();
}

}  // namespace

std::span<char> ReadBuffer::space(std::size_t least) {
  if (!block_) {
    auto& cache = block_cache;
    const bool cached = least <= kBlock && cache.count > 0;
    capacity_ = least > kBlock ? least : kBlock;
    block_ = cached ? cache.blocks[--cache.count] : allocate(capacity_);
    begin_ = end_ = 0;
  }
  if (empty()) begin_ = end_ = 0;
  // Move the bytes to the front when that makes the room; else grow.
  if (capacity_ < least) {
    std::size_t bigger = capacity_ * 2 > least ? capacity_ * 2 : least;
    char* block = allocate(bigger);
    std::memcpy(block, block_ + begin_, size());
    const auto kept = size();
    drop();
    block_ = block;
    capacity_ = bigger;
    end_ = kept;
  } else if (begin_ > 0 && (capacity_ - end_ < kBlock / 4 || capacity_ - begin_ < least)) {
    std::memmove(block_, block_ + begin_, size());
    end_ -= begin_;
    begin_ = 0;
  }
  return {block_ + end_, capacity_ - end_};
}

void ReadBuffer::drop() noexcept {
  if (!block_) return;
  auto& cache = block_cache;
  if (capacity_ == kBlock && cache.count < kSpareBlocks) cache.blocks[cache.count++] = block_;
  else std::free(block_);
  block_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

}  // namespace eddy::detail
