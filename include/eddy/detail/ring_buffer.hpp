// SPDX-License-Identifier: MIT
// First in, first out (for queues.hpp, channels.hpp).
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace eddy::detail {

/// A ring of places, a power of two of them, that grows and does not shrink while it holds anything. Empty, it starts
/// over at its first place, and gives a large ring back.
template <class T>
class RingBuffer {
 public:
  RingBuffer() = default;
  RingBuffer(const RingBuffer&) = delete;
  RingBuffer& operator=(const RingBuffer&) = delete;
  ~RingBuffer() { clear(); }

  bool empty() const noexcept { return first_ == end_; }
  std::size_t size() const noexcept { return end_ - first_; }

  /// If it throws (no memory, a copy that fails), nothing has changed.
  void push_back(T&& item) {
    if (size() == capacity_) [[unlikely]] grow();
    ::new (static_cast<void*>(&at(end_))) T(std::move(item));
    ++end_;
  }
  T pop_front() {
    T& first = at(first_);
    T item = std::move(first);
    first.~T();
    if (++first_ == end_) restart();
    return item;
  }
  void clear() noexcept {
    while (first_ != end_) at(first_++).~T();
    first_ = end_ = 0;
    release();
  }

 private:
  static constexpr std::size_t kFirstCapacity = 8, kBytesKept = 64 * 1024;
  static constexpr std::align_val_t kAlignment{alignof(T)};

  T& at(std::size_t index) const noexcept { return places_[index & (capacity_ - 1)]; }

  void restart() noexcept {
    first_ = end_ = 0;
    if (capacity_ * sizeof(T) > kBytesKept) [[unlikely]] release();
  }
  void release() noexcept {
    ::operator delete(places_, kAlignment);
    places_ = nullptr;
    capacity_ = 0;
  }
  [[gnu::noinline]] void grow() {
    RingBuffer larger;
    larger.capacity_ = capacity_ ? capacity_ * 2 : kFirstCapacity;
    larger.places_ = static_cast<T*>(::operator new(larger.capacity_ * sizeof(T), kAlignment));
    for (; larger.end_ < size(); ++larger.end_) {
      ::new (static_cast<void*>(&larger.places_[larger.end_])) T(std::move_if_noexcept(at(first_ + larger.end_)));
    }
    std::swap(places_, larger.places_);
    std::swap(capacity_, larger.capacity_);
    std::swap(first_, larger.first_);
    std::swap(end_, larger.end_);
  }

  T* places_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t first_ = 0, end_ = 0;  // they run on; a place is what is left of them by `capacity_`
};

}  // namespace eddy::detail
