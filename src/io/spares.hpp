// SPDX-License-Identifier: MIT
// A few objects that nobody needs at the moment, last in first out: one for each thread and kind.
#pragma once

namespace eddy::detail {

/// `kFree` is called for what is left when the thread ends; what comes later is refused.
template <class T, void (*kFree)(T*) noexcept>
class Spares {
 public:
  Spares() noexcept = default;
  Spares(const Spares&) = delete;
  Spares& operator=(const Spares&) = delete;
  ~Spares() {
    while (count_ > 0) kFree(items_[--count_]);
    room_ = 0;
  }

  /// Null: there is none.
  T* take() noexcept { return count_ > 0 ? items_[--count_] : nullptr; }
  /// False: there is no room for it.
  bool keep(T* item) noexcept {
    if (count_ == room_) return false;
    items_[count_++] = item;
    return true;
  }

 private:
  static constexpr int kMost = 8;

  T* items_[kMost];
  int count_ = 0;
  int room_ = kMost;
};

}  // namespace eddy::detail
