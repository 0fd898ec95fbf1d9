// SPDX-License-Identifier: MIT
#include <eddy/detail/frame_pool.hpp>

#include <new>

namespace eddy::detail {

constinit thread_local FramePool frame_pool{};

namespace {

// Gives a thread's blocks back when the thread ends. Touched on the slow path only.
struct PoolOwner {
  ~PoolOwner() {
    for (std::size_t index = 0; index <= kPoolClasses; ++index) {
      while (auto* block = frame_pool.free_blocks[index]) {
        frame_pool.free_blocks[index] = block->next;
        std::free(block);
      }
      frame_pool.held[index] = UINT32_MAX / (kPoolClasses + 1);  // full: what dies later goes to malloc
    }
  }
  void touch() noexcept {}
};
thread_local PoolOwner pool_owner;

}  // namespace

void* pool_refill(std::size_t bytes) {
  pool_owner.touch();
  const std::size_t rounded = (bytes + kPoolGrain - 1) / kPoolGrain * kPoolGrain;
  if (void* memory = std::malloc(rounded)) return memory;
  throw std::bad_alloc();
}

void pool_spill(void* block) noexcept { std::free(block); }

}  // namespace eddy::detail
