// SPDX-License-Identifier: MIT
// Memory for coroutine frames, tasks and callback nodes: one free list a thread and size class
// (for coro.hpp, task_core.hpp, events.hpp).
//
// A block that is freed on another thread simply joins that thread's list. Each class keeps a bounded
// number of bytes; what comes above goes back to malloc. Under AddressSanitizer every block is malloc's,
// so that a use after free is found.
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

inline constexpr std::size_t kPoolGrain = 32;                   // bytes between size classes
inline constexpr std::size_t kPoolClasses = 4096 / kPoolGrain;  // blocks above 4 KiB are malloc's

struct FramePool {
  struct Block {
    Block* next;
  };
  Block* free_blocks[kPoolClasses + 1];
  std::uint32_t held[kPoolClasses + 1];
};
extern constinit thread_local FramePool frame_pool;

void* pool_refill(std::size_t bytes);
void pool_spill(void* block) noexcept;

inline constexpr std::size_t kPoolBytesHeld = 256 * 1024;  // a class and thread

inline void* pool_allocate(std::size_t bytes) {
#if EDDY_POOLS
  const std::size_t index = (bytes + kPoolGrain - 1) / kPoolGrain;
  if (index <= kPoolClasses) [[likely]] {
    auto& pool = frame_pool;
    if (auto* block = pool.free_blocks[index]) [[likely]] {
      pool.free_blocks[index] = block->next;
      --pool.held[index];
      return block;
    }
  }
#endif
  return pool_refill(bytes);
}

inline void pool_deallocate(void* memory, std::size_t bytes) noexcept {
#if EDDY_POOLS
  const std::size_t index = (bytes + kPoolGrain - 1) / kPoolGrain;
  if (index <= kPoolClasses) [[likely]] {
    auto& pool = frame_pool;
    if (pool.held[index] * index < kPoolBytesHeld / kPoolGrain) [[likely]] {
      auto* block = static_cast<FramePool::Block*>(memory);
      block->next = pool.free_blocks[index];
      pool.free_blocks[index] = block;
      ++pool.held[index];
      return;
    }
  }
#else
  static_cast<void>(bytes);
#endif
  pool_spill(memory);
}

/// Gives a class its memory from the pool.
struct Pooled {
  static void* operator new(std::size_t bytes) { return pool_allocate(bytes); }
  static void* operator new(std::size_t, void* place) noexcept { return place; }
  static void operator delete(void* memory, std::size_t bytes) noexcept { pool_deallocate(memory, bytes); }
};

}  // namespace eddy::detail
