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
#include <new>

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

// 24, 40, 56, … bytes: malloc puts 8 bytes in front of a block and rounds the sum up to 16.
constexpr std::size_t pool_class(std::size_t bytes) { return bytes <= 8 ? 1 : (bytes + kPoolGrain / 2 - 1) / kPoolGrain; }
constexpr std::size_t pool_block_size(std::size_t index) { return index * kPoolGrain + kPoolGrain / 2; }

// A free block knows the list below it, so nothing else has to count: the length is not a variable that each block that
// comes or goes has to wait for.
struct PoolBlock {
  PoolBlock* next;    // null: this is no block, but the list's end
  std::int64_t room;  // for how many more above this one
};
extern const PoolBlock pool_shut;  // the end of a list that takes no blocks, or none yet

struct FramePool {
  constexpr FramePool() noexcept {
    for (auto*& list : free_blocks) list = const_cast<PoolBlock*>(&pool_shut);
  }
  PoolBlock* free_blocks[kPoolClasses];
};
extern constinit thread_local FramePool frame_pool;

void* pool_refill(std::size_t bytes);
void pool_spill(void* block, std::size_t bytes) noexcept;

inline void* pool_allocate(std::size_t bytes) {
#if EDDY_POOLS
  const std::size_t index = pool_class(bytes);
  if (index < kPoolClasses) [[likely]] {
    auto*& list = frame_pool.free_blocks[index];
    auto* const block = list;
    if (block->next) [[likely]] {
      list = block->next;
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
    auto*& list = frame_pool.free_blocks[index];
    const auto room = list->room - 1;
    if (room >= 0) [[likely]] {
      list = ::new (memory) PoolBlock{list, room};
      return;
    }
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
