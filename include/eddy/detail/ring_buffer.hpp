// SPDX-License-Identifier: MIT
// First in, first out (for queues.hpp, channels.hpp).
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace eddy::detail {

/// How many items came and went, ever.
struct ItemCounts {
  std::size_t added = 0, removed = 0;

  bool empty() const noexcept { return added == removed; }
  std::size_t size() const noexcept { return added - removed; }
};

/// A ring of places, a power of two of them, that grows and does not shrink while it holds anything. Empty, it gives a
/// large ring back. Its owner keeps the counts, of which the ring's indices are what is left by its capacity, and clears
/// it in the end.
template <class T>
class ItemRing {
 public:
  ItemRing() = default;
  ItemRing(const ItemRing&) = delete;
  ItemRing& operator=(const ItemRing&) = delete;
  ~ItemRing() { release(); }

  /// If it throws (no memory, a copy that fails), nothing has changed.
  void push_back(ItemCounts& counts, T&& item) {
    if (counts.size() == capacity_) [[unlikely]] grow(counts);
    ::new (static_cast<void*>(&at(counts.added))) T(std::move(item));
    ++counts.added;
  }
  T pop_front(ItemCounts& counts) {
    T& first = at(counts.removed);
    T item = std::move(first);
    first.~T();
    ++counts.removed;
    if (counts.empty() && capacity_ > kPlacesKept) [[unlikely]] release();
    return item;
  }
  void clear(ItemCounts& counts) noexcept {
    for (; !counts.empty(); ++counts.removed) at(counts.removed).~T();
    release();
  }

 private:
  static constexpr std::size_t kFirstCapacity = 8, kPlacesKept = 64 * 1024 / sizeof(T);
  static constexpr std::align_val_t kAlignment{alignof(T)};

  T& at(std::size_t index) const noexcept { return places_[index & (capacity_ - 1)]; }

  void release() noexcept {
    ::operator delete(places_, kAlignment);
    places_ = nullptr;
    capacity_ = 0;
  }
  [[gnu::noinline]] void grow(const ItemCounts& counts) {
    ItemRing larger;
    larger.capacity_ = capacity_ ? capacity_ * 2 : kFirstCapacity;
    larger.places_ = static_cast<T*>(::operator new(larger.capacity_ * sizeof(T), kAlignment));
    ItemCounts copied{counts.removed, counts.removed};
    try {
      for (; copied.added != counts.added; ++copied.added) {
        ::new (static_cast<void*>(&larger.at(copied.added))) T(std::move_if_noexcept(at(copied.added)));
      }
    } catch (...) {
      larger.clear(copied);
      throw;
    }
    for (auto index = counts.removed; index != counts.added; ++index) at(index).~T();
    std::swap(places_, larger.places_);
    std::swap(capacity_, larger.capacity_);
  }

  T* places_ = nullptr;
  std::size_t capacity_ = 0;
};

/// A ring that keeps its counts itself.
template <class T>
class RingBuffer {
 public:
  RingBuffer() = default;
  ~RingBuffer() { clear(); }

  bool empty() const noexcept { return counts_.empty(); }
  std::size_t size() const noexcept { return counts_.size(); }

  /// If it throws (no memory, a copy that fails), nothing has changed.
  void push_back(T&& item) { ring_.push_back(counts_, std::move(item)); }
  T pop_front() { return ring_.pop_front(counts_); }
  void clear() noexcept { ring_.clear(counts_); }

 private:
  ItemCounts counts_;
  ItemRing<T> ring_;
};

}  // namespace eddy::detail
