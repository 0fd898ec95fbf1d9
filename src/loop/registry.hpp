// SPDX-License-Identifier: MIT
// The loops of the process, for who looks at them from outside: the inspector, the watchdog, a debugger.
#pragma once

#include <atomic>
#include <cstdint>
#include <eddy/detail/list.hpp>

namespace eddy::detail {

class Loop;

/// A loop's place among the loops of the process.
struct RegisteredLoop : ListNode {
  Loop* loop = nullptr;
  std::uint64_t number = 0;       // in the process: 1, 2, …
  std::atomic<int> thread_id{0};  // of the thread that runs it, as gettid() has it; 0: none does
};

void enlist_loop(Loop& loop);
void delist_loop(Loop& loop) noexcept;

/// While it lives, no loop comes or goes.
class LoopsLock {
 public:
  LoopsLock();
  LoopsLock(const LoopsLock&) = delete;
  ~LoopsLock();

  Loop* first() const noexcept;
  Loop* after(Loop& loop) const noexcept;
};

/// In task/: tells debuggers where the loops and their tasks are.
void publish_layout(const List& loops, const Loop& loop) noexcept;
/// In inspect/: opens the process to `eddy ps` if EDDY_INSPECT asks for it.
void serve_if_asked() noexcept;

}  // namespace eddy::detail
