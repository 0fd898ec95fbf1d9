// SPDX-License-Identifier: MIT
// Timers: a wheel of 8 levels of 64 slots in front of a small exact heap.
//
// Time is cut into ticks of 2^20 ns (1.05 ms). A timer beyond the current tick hangs in the slot of the
// highest 6-bit digit in which its tick differs from the current one: adding and removing are O(1). When
// time enters a slot, its timers move to lower levels; those of the current tick move into a 4-ary heap
// keyed (deadline, order of arrival in the heap), so timers fire by exact deadline, and on ties in the order in which they
// were added: those of one tick always hang in the same slot, where they stay in order.
// Eight levels hold 2^48 ticks, more than a Duration can say, so there is no overflow list.
//
// References: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987).
#pragma once

#include <eddy/detail/task_core.hpp>
#include <eddy/metrics.hpp>

#include <cstdint>
#include <limits>
#include <vector>

namespace eddy::detail {

class TimerQueue {
 public:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }

  /// `node.ops->expire(node)` is called by expire() once `when` has come. The node stays where it is until
  /// then, or until remove().
  void add(WaitNode& node, std::int64_t when);
  void remove(WaitNode& node) noexcept;

  static bool is_armed(const WaitNode& node) noexcept { return node.next != nullptr || node.prev != nullptr; }

  /// When expire() has to be called next: exact for timers that are near or few, else a little early.
  std::int64_t next_wakeup() const noexcept;

  /// Fires every timer with a deadline of `now` or earlier. What fires may add and remove timers; added
  /// ones that are due already fire in a later call.
  /// `late` is told by how much each was late.
  void expire(std::int64_t now, TimeHistogram* late = nullptr);

 private:
  static constexpr int kLevels = 8;
  static constexpr int kDigit = 6;
  static constexpr int kTickShift = 20;

  struct Entry {
    std::int64_t when;
    std::uint64_t order;
    WaitNode* node;
    bool before(const Entry& other) const noexcept {
      return when != other.when ? when < other.when : order < other.order;
    }
  };

  void place(WaitNode& node);
  void advance(std::uint64_t tick);
  bool next_slot(int& level, int& slot) const noexcept;
  std::uint64_t slot_start(int level, int slot) const noexcept;

  void heap_push(WaitNode& node);
  void heap_erase(std::size_t index) noexcept;
  void sift_up(std::size_t index) noexcept;
  void sift_down(std::size_t index) noexcept;
  void settle(std::size_t index, const Entry& entry) noexcept;

  List slots_[kLevels][64];
  std::uint64_t occupied_[kLevels] = {};  // a bit a slot that is not empty
  std::vector<Entry> heap_;               // timers of the current tick and before
  std::uint64_t current_ = 0;             // the tick up to which slots were emptied
  std::uint64_t pushes_ = 0;
  std::size_t size_ = 0;
};

}  // namespace eddy::detail
