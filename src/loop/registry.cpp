// SPDX-License-Identifier: MIT
#include "loop/registry.hpp"

#include <mutex>

#include "loop/loop.hpp"

namespace eddy::detail {
namespace {

// Never destroyed: loops of static storage and the threads that watch may outlive any static object.
struct Registry {
  std::mutex mutex;
  List loops;
  std::uint64_t numbers = 0;
};

Registry& registry() {
  static auto* const all = new Registry;
  return *all;
}

Loop* loop_at(ListNode* node) noexcept {
  return node == registry().loops.end() ? nullptr : static_cast<RegisteredLoop*>(node)->loop;
}

}  // namespace

void enlist_loop(Loop& loop) {
  auto& all = registry();
  const std::lock_guard lock(all.mutex);
  loop.entry.loop = &loop;
  loop.entry.number = ++all.numbers;
  all.loops.push_back(loop.entry);
  if (all.numbers == 1) publish_layout(all.loops, loop);
}

void delist_loop(Loop& loop) noexcept {
  const std::lock_guard lock(registry().mutex);
  loop.entry.unlink();
}

LoopsLock::LoopsLock() { registry().mutex.lock(); }
LoopsLock::~LoopsLock() { registry().mutex.unlock(); }
Loop* LoopsLock::first() const noexcept { return loop_at(registry().loops.front()); }
Loop* LoopsLock::after(Loop& loop) const noexcept { return loop_at(loop.entry.next); }

}  // namespace eddy::detail
