// SPDX-License-Identifier: MIT
// The pool of frames, tasks and callbacks, where its blocks go from thread to thread.
#include <eddy/detail/frame_pool.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "count_allocations.hpp"

namespace {

using eddy::detail::pool_allocate;
using eddy::detail::pool_deallocate;

constexpr std::size_t kBytes = 104;
constexpr std::size_t kMany = 20'000;  // 2 MB: more than a thread keeps, less than the threads keep together

// A block as who uses it sees it: its first word and its last byte.
void* filled_block(std::size_t bytes, std::uint64_t mark) {
  auto* block = static_cast<char*>(pool_allocate(bytes));
  std::memcpy(block, &mark, sizeof mark);
  block[bytes - 1] = static_cast<char>(mark);
  return block;
}
bool is_filled(const void* memory, std::size_t bytes, std::uint64_t mark) {
  const auto* block = static_cast<const char*>(memory);
  return std::memcmp(block, &mark, sizeof mark) == 0 && block[bytes - 1] == static_cast<char>(mark);
}

TEST(FramePool, BlocksThatAnotherThreadFreesComeBackWithoutMalloc) {
  std::vector<void*> blocks(kMany);
  for (auto& block : blocks) block = pool_allocate(kBytes);
  std::thread([&] {
    for (auto* block : blocks) pool_deallocate(block, kBytes);
  }).join();
  const auto before = allocations;
  for (std::size_t i = 0; i < kMany / 2; ++i) blocks[i] = pool_allocate(kBytes);
  const auto made = allocations - before;
  for (std::size_t i = 0; i < kMany / 2; ++i) pool_deallocate(blocks[i], kBytes);
#if EDDY_POOLS && COUNTS_MALLOC
  EXPECT_EQ(made, 0u);
#else
  static_cast<void>(made);  // every block is malloc's, or malloc is not ours to count: only that nothing breaks
#endif
}

TEST(FramePool, NoBlockIsGivenToTwo) {
  constexpr std::size_t kSizes[] = {24, 40, kBytes, 1000, 4088};
  for (const auto bytes : kSizes) {
    // Each thread frees what the other made.
    const std::size_t count = 4 * 1024 * 1024 / bytes;
    std::vector<std::atomic<void*>> made[2] = {std::vector<std::atomic<void*>>(count), std::vector<std::atomic<void*>>(count)};
    std::atomic<int> wrong = 0;
    const auto work = [&](std::size_t self) {
      for (std::size_t i = 0; i < count; ++i) {
        made[self][i].store(filled_block(bytes, 2 * i + self), std::memory_order_release);
        if (auto* block = made[1 - self][i].exchange(nullptr, std::memory_order_acquire)) {
          if (!is_filled(block, bytes, 2 * i + 1 - self)) ++wrong;
          pool_deallocate(block, bytes);
        }
      }
    };
    std::thread other(work, 1);
    work(0);
    other.join();
    for (const std::size_t side : {0, 1}) {
      for (std::size_t i = 0; i < count; ++i) {
        if (auto* block = made[side][i].load()) {
          if (!is_filled(block, bytes, 2 * i + side)) ++wrong;
          pool_deallocate(block, bytes);
        }
      }
    }
    EXPECT_EQ(wrong.load(), 0) << bytes;
  }
}

TEST(FramePool, WhatDiesAfterItsThreadsPoolIsFreed) {
  // Made before the pool's owner is touched, so destroyed after it.
  struct Late {
    void* block = nullptr;
    ~Late() { pool_deallocate(block, kBytes); }
  };
  std::thread([] {
    static thread_local Late late;
    late.block = nullptr;
    late.block = pool_allocate(kBytes);
  }).join();
}

}  // namespace
