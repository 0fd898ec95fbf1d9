// SPDX-License-Identifier: MIT
// Memory for coroutine frames, tasks and callback nodes: one free list a thread and size class
// (for coro.hpp, task_core.hpp, events.hpp).
//
// A block that is freed on another thread simply joins that thread's list. Each class keeps a bounded
// number of bytes; what comes above goes to other threads or to malloc. Under AddressSanitizer every
// block is malloc's, so that a use after free is found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#define EDDY_POOLS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EDDY_POOLS 0
#endif
#endif
#ifndef EDDY_POOLS
#define EDDY_POOLS 1
#endif

namespace eddy::detail {

inline constexpr std::size_t kPoolGrain = 16;                   // bytes between size classes
inline constexpr std::size_t kPoolClasses = 4096 / kPoolGrain;  // larger blocks are malloc's

// 8, 24, 40, … bytes: malloc puts 8 bytes in front of a block and rounds the sum up to 16.
constexpr std::size_t pool_class(std::size_t bytes) { return (bytes + kPoolGrain / 2 - 1) / kPoolGrain; }
constexpr std::size_t pool_block_size(std::size_t index) { return index * kPoolGrain + kPoolGrain / 2; }

struct FramePool {
  struct Block {
    Block* next;
  };
  Block* free_blocks[kPoolClasses];
  std::int32_t room[kPoolClasses];  // for how many more; 0 until the first one comes
};
extern constinit thread_local FramePool frame_pool;

void* pool_refill(std::size_t bytes);
void pool_spill(void* block, std::size_t bytes) noexcept;

inline void* pool_allocate(std::size_t bytes) {
#if EDDY_POOLS
  const std::size_t index = pool_class(bytes);
  if (index < kPoolClasses) [[likely]] {
    auto& pool = frame_pool;
    if (auto* block = pool.free_blocks[index]) [[likely]] {
      pool.free_blocks[index] = block->next;
      ++pool.room[index];
      return block;
    }
  }
#endif
  return pool_refill(bytes);
}

inline void pool_deallocate(void* memory, std::size_t bytes) noexcept {
#if EDDY_POOLS
  const std::size_t index = pool_class(bytes);
  if (index < kPoolClasses) [[likely]] {
    auto& pool = frame_pool;
    if (--pool.room[index] >= 0) [[likely]] {
      auto* block = static_cast<FramePool::Block*>(memory);
      block->next = pool.free_blocks[index];
      pool.free_blocks[index] = block;
      return;
    }
    ++pool.room[index];
  }
#endif
  pool_spill(memory, bytes);
}

/// Gives a class its memory from the pool.
struct Pooled {
  static void* operator new(std::size_t bytes) { return pool_allocate(bytes); }
  static void* operator new(std::size_t, void* place) noexcept { return place; }
  static void operator delete(void* memory, std::size_t bytes) noexcept { pool_deallocate(memory, bytes); }
};

}  // namespace eddy::detail
