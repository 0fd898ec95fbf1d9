// SPDX-License-Identifier: MIT
// The epoll calls: what the loop's poller, EpollSelector and eddy::Epoll stand on.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <span>

#include "base/unique_fd.hpp"

namespace eddy::detail {

class EpollCore {
 public:
  /// Throws OSError.
  EpollCore();
  explicit EpollCore(int fd) noexcept : epoll_(fd) {}

  int fd() const noexcept { return epoll_.get(); }
  void close() noexcept { epoll_.reset(); }

  /// 0 or errno. `operation`: EPOLL_CTL_ADD, …_MOD, …_DEL.
  int control(int operation, int descriptor, std::uint32_t events, std::uint64_t data) noexcept;

  /// Waits up to `timeout` ns, negative: without end. How many events there are; -1: errno says why.
  /// `mask`: the signals that are held back meanwhile; null: as they are.
  int wait(std::span<epoll_event> events, std::int64_t timeout, const sigset_t* mask = nullptr) noexcept;

 private:
  UniqueFd epoll_;
  bool has_pwait2_ = true;
};

}  // namespace eddy::detail
