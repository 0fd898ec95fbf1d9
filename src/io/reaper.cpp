// SPDX-License-Identifier: MIT
// One thread for all children whose loops are gone. It begins with the first and ends with the last.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <mutex>
#include <vector>

#include "exec/quiet_thread.hpp"
#include "io/process_core.hpp"

namespace eddy::detail {
namespace {

struct Reaper {
  std::mutex mutex;
  std::vector<UniqueFd> children;
  UniqueFd wake;
  bool running = false;

  // What is still to be waited for, after those that have ended were laid to rest; empty: the thread may go.
  std::vector<pollfd> next() {
    const std::lock_guard lock(mutex);
    std::erase_if(children, [](const UniqueFd& child) { return reap(child.get()).has_value(); });
    std::vector<pollfd> waits;
    if (children.empty()) {
      running = false;
      wake.reset();
      return waits;
    }
    waits.push_back({wake.get(), POLLIN, 0});
    for (const auto& child : children) waits.push_back({child.get(), POLLIN, 0});
    return waits;
  }

  void run() {
    thread_idle(true);
    for (auto waits = next(); !waits.empty(); waits = next()) {
      ::poll(waits.data(), waits.size(), -1);
      eventfd_t count = 0;
      if (waits[0].revents) ::eventfd_read(waits[0].fd, &count);
    }
    thread_idle(false);
  }
};

}  // namespace

void reap_in_background(UniqueFd pidfd) noexcept {
  static Reaper& reaper = *new Reaper;  // the thread may outlive static objects
  if (!pidfd) return;
  try {
    const std::lock_guard lock(reaper.mutex);
    reaper.children.push_back(std::move(pidfd));
    if (reaper.running) {
      ::eventfd_write(reaper.wake.get(), 1);
      return;
    }
    reaper.wake = UniqueFd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    quiet_thread([] { reaper.run(); }).detach();
    reaper.running = true;
  } catch (...) {
    // No thread to be had: the next child that comes here tries again, and our own end lays all to rest.
  }
}

}  // namespace eddy::detail
