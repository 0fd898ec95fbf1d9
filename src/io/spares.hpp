// SPDX-License-Identifier: MIT
// A few objects that nobody needs at the moment, last in first out: one for each thread and kind.
#pragma once

#include <cstdint>

namespace eddy::detail {

/// `kFree` is called for what is left when the thread ends; what comes later is refused. Made at compile time and without
/// a destructor, or each access would ask whether it has been made: the thread's end is told by an object that the first
/// keep() makes.
template <class T, void (*kFree)(T*) noexcept>
class Spares {
 public:
  /// Null: there is none.
  static T* take() noexcept { return spares_.count > 0 ? spares_.items[--spares_.count] : nullptr; }
  /// False: there is no room for it.
  static bool keep(T* item) noexcept {
    if (spares_.count == spares_.room && !spares_.open()) return false;
    spares_.items[spares_.count++] = item;
    return true;
  }

 private:
  static constexpr std::uint8_t kMost = 8;

  struct End {
    ~End() {
      while (auto* item = take()) kFree(item);
      spares_.room = 0;
      spares_.over = true;
    }
  };
  struct Places {
    T* items[kMost];
    std::uint8_t count, room;
    bool over;

    // Makes room, if it has not been made yet.
    [[gnu::noinline]] bool open() noexcept {
      if (room > 0 || over) return false;
      static thread_local End end;
      static_cast<void>(&end);
      room = kMost;
      return true;
    }
  };
  static constinit inline thread_local Places spares_{};
};

}  // namespace eddy::detail
