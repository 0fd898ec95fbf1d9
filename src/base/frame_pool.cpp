// SPDX-License-Identifier: MIT
#include <eddy/detail/frame_pool.hpp>

#include <atomic>
#include <mutex>
#include <new>
#include <unordered_map>
#include <utility>

#include "base/frame_origins.hpp"

namespace eddy::detail {

constinit const PoolBlock pool_shut{nullptr, 0};
constinit thread_local FramePool frame_pool;

namespace {

using Origins = std::unordered_map<const void*, NativeStack>;
constinit thread_local Origins* origins = nullptr;  // null: not kept

constinit thread_local bool pool_closed = false;  // what dies goes to malloc

void empty_pool() noexcept {
  for (std::size_t index = 0; index < kPoolClasses; ++index) {
    auto*& list = frame_pool.free_blocks[index];
    while (list->next) std::free(std::exchange(list, list->next));
    list = const_cast<PoolBlock*>(&pool_shut);
  }
}

// Gives a thread's blocks back when the thread ends. Touched on the slow path only.
struct PoolOwner {
  ~PoolOwner() {
    pool_closed = true;
    empty_pool();
    delete std::exchange(origins, nullptr);
  }
  void touch() noexcept {}
};
thread_local PoolOwner pool_owner;

#if EDDY_POOLS

constexpr std::int64_t capacity(std::size_t index) noexcept {
  constexpr std::size_t kBytesHeld = 256 * 1024;
  return static_cast<std::int64_t>(kBytesHeld / kPoolGrain / (index + 1));
}

// The ends of lists, by class: nobody writes to them.
constexpr struct Ends {
  constexpr Ends() noexcept : of{} {
    for (std::size_t index = 0; index < kPoolClasses; ++index) of[index] = {nullptr, capacity(index)};
  }
  PoolBlock of[kPoolClasses];
} kEnds;
PoolBlock* end_of(std::size_t index) noexcept { return const_cast<PoolBlock*>(&kEnds.of[index]); }

// Where threads that free more than they make leave blocks for those that make more than they free: posts from a worker
// to a loop, say. A chain of them changes hands at once, so that neither asks malloc, whose arena both would wait for.
// Nobody waits here: who finds it locked goes to malloc. [Bonwick and Adams, "Magazines and Vmem", 2001]
class Depot {
 public:
  /// How many blocks make a chain.
  static constexpr std::int64_t length(std::size_t index) noexcept {
    return static_cast<std::int64_t>((kChainBytes + pool_block_size(index) - 1) / pool_block_size(index));
  }

  /// False: it is full, or somebody else is here.
  bool give(std::size_t index, PoolBlock* chain) noexcept {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || bytes_ >= kMostBytes) return false;
    bytes_ += static_cast<std::size_t>(length(index)) * pool_block_size(index);
    after(chain) = chains_[index].load(std::memory_order_relaxed);
    chains_[index].store(chain, std::memory_order_relaxed);
    return true;
  }
  /// Null: there is none.
  PoolBlock* take(std::size_t index) noexcept {
    if (!chains_[index].load(std::memory_order_relaxed)) return nullptr;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    auto* const chain = lock ? chains_[index].load(std::memory_order_relaxed) : nullptr;
    if (!chain) return nullptr;
    bytes_ -= static_cast<std::size_t>(length(index)) * pool_block_size(index);
    chains_[index].store(after(chain), std::memory_order_relaxed);
    return chain;
  }

 private:
  static constexpr std::size_t kChainBytes = 16 * 1024;
  static constexpr std::size_t kMostBytes = 4 * 1024 * 1024;

  // The next chain, behind the first block's own two words.
  static PoolBlock*& after(PoolBlock* chain) noexcept { return *reinterpret_cast<PoolBlock**>(chain + 1); }

  std::mutex mutex_;
  std::atomic<PoolBlock*> chains_[kPoolClasses] = {};
  std::size_t bytes_ = 0;
};
constinit Depot depot;

// Puts a chain of a full list's blocks, which becomes a list of its own, into the depot, or back to malloc.
void give_chain(std::size_t index) noexcept {
  auto& list = frame_pool.free_blocks[index];
  auto* const chain = list;
  auto* last = chain;
  for (auto left = Depot::length(index);; last = last->next) {
    last->room = capacity(index) - left;
    if (--left == 0) break;
  }
  list = std::exchange(last->next, end_of(index));
  if (depot.give(index, chain)) return;
  for (auto* block = chain; block->next;) std::free(std::exchange(block, block->next));
}

#endif

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
    empty_pool();
  } else {
    delete std::exchange(origins, nullptr);
  }
  pool_closed = on;
}

const NativeStack* frame_origin(const void* block) noexcept {
  if (!origins) return nullptr;
  const auto found = origins->find(block);
  return found == origins->end() ? nullptr : &found->second;
}

void* pool_refill(std::size_t bytes) {
  pool_owner.touch();
  const auto index = pool_class(bytes);
#if EDDY_POOLS
  if (index < kPoolClasses && !pool_closed) {
    if (auto* chain = depot.take(index)) {
      frame_pool.free_blocks[index] = chain->next;
      return chain;
    }
  }
#endif
  void* const memory = std::malloc(pool_block_size(index));
  if (!memory) throw std::bad_alloc();
  if (origins) [[unlikely]] note_origin(memory);
  return memory;
}

void pool_spill(void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
  if (origins) [[unlikely]] origins->erase(memory);
#if EDDY_POOLS
  const auto index = pool_class(bytes);
  if (index < kPoolClasses && !pool_closed) {
    auto*& list = frame_pool.free_blocks[index];
    if (list == &pool_shut) {
      pool_owner.touch();
      list = end_of(index);
    } else {
      give_chain(index);
    }
    return pool_deallocate(memory, bytes);
  }
#endif
  std::free(memory);
}

}  // namespace eddy::detail
