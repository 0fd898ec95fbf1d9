// SPDX-License-Identifier: MIT
// Where other threads leave work for a loop: a stack that many push to and one empties.
#pragma once

#include <eddy/detail/list.hpp>

#include <atomic>
#include <cstdint>

namespace eddy::detail {

class Inbox {
 public:
  enum class Pushed { quietly, must_wake, closed };

  /// From any thread. `must_wake`: the loop sleeps and this push is the one that has to wake it.
  Pushed push(ReadyNode& node) noexcept {
    ReadyNode* head = head_.load(std::memory_order_acquire);
    do {
      if (head == closed_mark()) return Pushed::closed;
      node.next_ready = head;
    } while (!head_.compare_exchange_weak(head, &node, std::memory_order_seq_cst, std::memory_order_acquire));
    return sleeping_.load(std::memory_order_seq_cst) && sleeping_.exchange(false) ? Pushed::must_wake
                                                                                 : Pushed::quietly;
  }

  /// Moves everything, in order of arrival, to `ready`. How much that was.
  std::uint64_t drain(ReadyQueue& ready) noexcept {
    if (!head_.load(std::memory_order_relaxed)) return 0;
    return push_reversed(head_.exchange(nullptr, std::memory_order_acquire), ready);
  }

  /// The loop is about to wait. False: something came; do not wait.
  ///
  /// Order matters: 1. the flag, 2. the look at the stack. A producer does 1. the stack, 2. the flag, so one
  /// of the two sees the other.
  bool fall_asleep() noexcept {
    sleeping_.store(true, std::memory_order_seq_cst);
    if (!head_.load(std::memory_order_seq_cst)) return true;
    sleeping_.store(false, std::memory_order_relaxed);
    return false;
  }
  /// What came since the last drain().
  bool has_some() const noexcept { return head_.load(std::memory_order_acquire) != nullptr; }
  void awake() noexcept { sleeping_.store(false, std::memory_order_relaxed); }
  /// For watchers on other threads.
  bool is_asleep() const noexcept { return sleeping_.load(std::memory_order_relaxed); }

  /// Refuses what comes from now on; what had come goes to `ready`.
  void close(ReadyQueue& ready) noexcept {
    push_reversed(head_.exchange(closed_mark(), std::memory_order_acq_rel), ready);
  }

 private:
  ReadyNode* closed_mark() noexcept { return &mark_; }

  std::uint64_t push_reversed(ReadyNode* newest, ReadyQueue& ready) noexcept {
    if (!newest || newest == closed_mark()) return 0;
    ReadyNode* oldest = nullptr;
    std::uint64_t count = 0;
    for (ReadyNode* node = newest; node; ++count) {
      ReadyNode* const next = node->next_ready;
      node->next_ready = oldest;
      oldest = node;
      node = next;
    }
    ready.push_chain(*oldest, *newest);
    return count;
  }

  std::atomic<ReadyNode*> head_{nullptr};
  std::atomic<bool> sleeping_{false};
  ReadyNode mark_;
};

}  // namespace eddy::detail
