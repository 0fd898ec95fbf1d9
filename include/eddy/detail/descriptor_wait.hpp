// SPDX-License-Identifier: MIT
// The await of wait_readable() and wait_writable() (for events.hpp and sockets.hpp).
#pragma once

#include <coroutine>

namespace eddy::detail {

struct DescriptorWatch;

class [[nodiscard("co_await it")]] DescriptorWait {
 public:
  /// `in_use`: within an operation that has this direction of the descriptor to itself.
  DescriptorWait(int fd, bool writes, bool in_use = false) noexcept : fd_(fd), writes_(writes), in_use_(in_use) {}

  bool await_ready();
  void await_suspend(std::coroutine_handle<> where) noexcept;
  void await_resume() const;

 private:
  DescriptorWatch* watch_ = nullptr;
  int fd_;
  bool writes_, in_use_;
};

}  // namespace eddy::detail
