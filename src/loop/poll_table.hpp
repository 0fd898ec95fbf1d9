// SPDX-License-Identifier: MIT
// The array of poll(): what the loop's poller, PollSelector and eddy::Poll stand on.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace eddy::detail {

class PollTable {
 public:
  bool has(int fd) const noexcept {
    const auto index = static_cast<std::size_t>(fd);
    return fd >= 0 && index < positions_.size() && positions_[index] != kNowhere;
  }
  void add(int fd, int events);
  void change(int fd, int events) noexcept { entry(fd) = {fd, static_cast<short>(events), 0}; }
  /// It keeps its place, and nothing is told of it. (poll() tells of a hang-up even if nothing is asked.)
  void mute(int fd) noexcept { entry(fd) = {-1, 0, 0}; }
  /// Also while its events are gone through.
  void remove(int fd) noexcept;

  /// Waits up to `timeout` ns, negative: without end. How many are ready; -1: errno says why.
  int wait(std::int64_t timeout) noexcept;

  /// After wait(): calls `tell(fd, revents)` for each of the `ready` ones.
  template <class F>
  void each_ready(int ready, F tell) {
    for (std::size_t i = 0; ready > 0 && i < entries_.size(); ++i) {
      const auto events = static_cast<unsigned short>(entries_[i].revents);
      if (events == 0) continue;
      --ready;
      entries_[i].revents = 0;
      if (owners_[i] >= 0) tell(owners_[i], unsigned{events});
    }
  }

 private:
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  pollfd& entry(int fd) noexcept { return entries_[positions_[static_cast<std::size_t>(fd)]]; }
  void close_holes() noexcept;

  std::vector<pollfd> entries_;
  std::vector<int> owners_;             // beside entries_: the descriptor, -1: removed
  std::vector<std::size_t> positions_;  // by descriptor
  bool has_holes_ = false;
};

}  // namespace eddy::detail
