// SPDX-License-Identifier: MIT
#include "loop/timers.hpp"

#include <algorithm>
#include <bit>

namespace eddy::detail {
namespace {

// A node in the heap has no neighbours: `next` is null and `prev` holds its index plus one.
std::size_t heap_index(const WaitNode& node) noexcept { return reinterpret_cast<std::uintptr_t>(node.prev) - 1; }
void set_heap_index(WaitNode& node, std::size_t index) noexcept {
  node.next = nullptr;
  node.prev = reinterpret_cast<ListNode*>(index + 1);
}

}  // namespace

void TimerQueue::add(WaitNode& node, std::int64_t when) {
  node.when = when;
  ++size_;
  place(node);
}

void TimerQueue::place(WaitNode& node) {
  const auto tick = static_cast<std::uint64_t>(node.when > 0 ? node.when : 0) >> kTickShift;
  if (tick <= current_) return heap_push(node);
  const int level = (63 - std::countl_zero(tick ^ current_)) / kDigit;
  const auto slot = (tick >> (level * kDigit)) & 63;
  slots_[level][slot].push_back(node);
  occupied_[level] |= std::uint64_t{1} << slot;
}

void TimerQueue::remove(WaitNode& node) noexcept {
  --size_;
  if (!node.next) {
    heap_erase(heap_index(node));
    node.prev = nullptr;
    return;
  }
  // The last of a slot: its neighbours are both the sentinel, which stands at a known place.
  if (node.next == node.prev) {
    const auto* sentinel = reinterpret_cast<const List*>(node.next);
    const auto index = static_cast<std::size_t>(sentinel - &slots_[0][0]);
    if (index < kLevels * 64) occupied_[index / 64] &= ~(std::uint64_t{1} << (index % 64));
  }
  node.unlink();
}

bool TimerQueue::next_slot(int& level, int& slot) const noexcept {
  for (level = 0; level < kLevels; ++level) {
    const auto digit = (current_ >> (level * kDigit)) & 63;
    const auto later = digit == 63 ? 0 : occupied_[level] & (~std::uint64_t{0} << (digit + 1));
    if (later) {
      slot = std::countr_zero(later);
      return true;
    }
  }
  return false;
}

std::uint64_t TimerQueue::slot_start(int level, int slot) const noexcept {
  const int shift = level * kDigit;
  const auto above = current_ >> (shift + kDigit) << (shift + kDigit);
  return above | static_cast<std::uint64_t>(slot) << shift;
}

std::int64_t TimerQueue::next_wakeup() const noexcept {
  if (!heap_.empty()) return heap_.front().when;
  if (size_ == 0) return kNever;
  int level = 0, slot = 0;
  if (!next_slot(level, slot)) return kNever;
  // Few timers in the slot: look at each. Many: wake when the slot begins, and sort them then.
  const List& timers = slots_[level][slot];
  auto earliest = kNever;
  int seen = 0;
  for (const ListNode* n = timers.front(); n != timers.end(); n = n->next) {
    if (++seen > 8) return static_cast<std::int64_t>(slot_start(level, slot) << kTickShift);
    earliest = std::min(earliest, static_cast<const WaitNode*>(n)->when);
  }
  return earliest;
}

void TimerQueue::advance(std::uint64_t tick) {
  int level = 0, slot = 0;
  while (next_slot(level, slot)) {
    const auto start = slot_start(level, slot);
    if (start > tick) break;
    current_ = start;
    occupied_[level] &= ~(std::uint64_t{1} << slot);
    List& timers = slots_[level][slot];
    while (!timers.empty()) {
      auto& node = static_cast<WaitNode&>(*timers.front());
      node.unlink();
      place(node);
    }
  }
  if (tick > current_) current_ = tick;
}

void TimerQueue::expire(std::int64_t now, TimeHistogram* late) {
  if (size_ == 0) return;
  advance(static_cast<std::uint64_t>(now > 0 ? now : 0) >> kTickShift);
  const auto newest = pushes_;
  while (!heap_.empty() && heap_.front().when <= now && heap_.front().order < newest) {
    WaitNode& node = *heap_.front().node;
    heap_erase(0);
    node.prev = nullptr;
    --size_;
    if (late) late->add(Duration::nanoseconds(now - node.when));
    node.ops->expire(node);
  }
}

void TimerQueue::settle(std::size_t index, const Entry& entry) noexcept {
  heap_[index] = entry;
  set_heap_index(*entry.node, index);
}

void TimerQueue::heap_push(WaitNode& node) {
  heap_.push_back({node.when, pushes_++, &node});
  sift_up(heap_.size() - 1);
}

void TimerQueue::heap_erase(std::size_t index) noexcept {
  const Entry last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  settle(index, last);
  sift_up(index);
  sift_down(heap_index(*last.node));
}

void TimerQueue::sift_up(std::size_t index) noexcept {
  const Entry entry = heap_[index];
  while (index > 0) {
    const auto parent = (index - 1) / 4;
    if (!entry.before(heap_[parent])) break;
    settle(index, heap_[parent]);
    index = parent;
  }
  settle(index, entry);
}

void TimerQueue::sift_down(std::size_t index) noexcept {
  const Entry entry = heap_[index];
  for (;;) {
    const auto first = index * 4 + 1;
    if (first >= heap_.size()) break;
    auto least = first;
    for (auto child = first + 1; child < first + 4 && child < heap_.size(); ++child) {
      if (heap_[child].before(heap_[least])) least = child;
    }
    if (!heap_[least].before(entry)) break;
    settle(index, heap_[least]);
    index = least;
  }
  settle(index, entry);
}

}  // namespace eddy::detail
