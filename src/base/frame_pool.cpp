// SPDX-License-Identifier: MIT
#include <eddy/detail/frame_pool.hpp>

#include <new>
#include <unordered_map>
#include <utility>

#include "base/frame_origins.hpp"

namespace eddy::detail {

constinit thread_local FramePool frame_pool{};

namespace {

using Origins = std::unordered_map<const void*, NativeStack>;
constinit thread_local Origins* origins = nullptr;  // null: not kept

void empty_pool(std::uint32_t held) noexcept {
  for (std::size_t index = 0; index < kPoolClasses; ++index) {
    while (auto* block = frame_pool.free_blocks[index]) {
      frame_pool.free_blocks[index] = block->next;
      std::free(block);
    }
    frame_pool.held[index] = held;
  }
}

constexpr std::uint32_t kFull = UINT32_MAX / (kPoolClasses + 1);  // what dies goes to malloc

// Gives a thread's blocks back when the thread ends. Touched on the slow path only.
struct PoolOwner {
  ~PoolOwner() {
    empty_pool(kFull);
    delete std::exchange(origins, nullptr);
  }
  void touch() noexcept {}
};
thread_local PoolOwner pool_owner;

// Not worth an error: a report that lacks the stack is all that comes of it.
[[gnu::noinline]] void note_origin(const void* block) noexcept {
  try {
    (*origins)[block].capture(2);
  } catch (const std::bad_alloc&) {
    origins->erase(block);
  }
}

}  // namespace

void keep_frame_origins(bool on) noexcept {
  if (on == (origins != nullptr)) return;
  pool_owner.touch();
  if (on) {
    origins = new (std::nothrow) Origins;
    if (!origins) return;
    NativeStack::warm_up();
    empty_pool(kFull);
  } else {
    delete std::exchange(origins, nullptr);
    empty_pool(0);
  }
}

const NativeStack* frame_origin(const void* block) noexcept {
  if (!origins) return nullptr;
  const auto found = origins->find(block);
  return found == origins->end() ? nullptr : &found->second;
}

void* pool_refill(std::size_t bytes) {
  pool_owner.touch();
  void* const memory = std::malloc(pool_block_size(pool_class(bytes)));
  if (!memory) throw std::bad_alloc();
  if (origins) [[unlikely]] note_origin(memory);
  return memory;
}

void pool_spill(void* block) noexcept {
  if (origins) [[unlikely]] origins->erase(block);
  std::free(block);
}

}  // namespace eddy::detail
