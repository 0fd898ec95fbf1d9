// SPDX-License-Identifier: MIT
#include "loop/epoll_core.hpp"

#include <eddy/exceptions.hpp>

#include <cerrno>
#include <ctime>

namespace eddy::detail {

EpollCore::EpollCore() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw_os_error(errno, "epoll_create1");
}

int EpollCore::control(int operation, int descriptor, std::uint32_t events, std::uint64_t data) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  return ::epoll_ctl(fd(), operation, descriptor, &event) == 0 ? 0 : errno;
}

int EpollCore::wait(std::span<epoll_event> events, std::int64_t timeout, const sigset_t* mask) noexcept {
  const int room = static_cast<int>(events.size());
  if (timeout <= 0) return ::epoll_pwait(fd(), events.data(), room, timeout < 0 ? -1 : 0, mask);
  if (has_pwait2_) {
    const timespec limit{static_cast<time_t>(timeout / 1'000'000'000), static_cast<long>(timeout % 1'000'000'000)};
    const int count = ::epoll_pwait2(fd(), events.data(), room, &limit, mask);
    if (count >= 0 || errno != ENOSYS) return count;
    has_pwait2_ = false;  // a kernel before 5.11: milliseconds, rounded up so that no timer is early
  }
  const auto milliseconds = (timeout + 999'999) / 1'000'000;
  return ::epoll_pwait(fd(), events.data(), room, static_cast<int>(milliseconds > 86'400'000 ? 86'400'000 : milliseconds),
                       mask);
}

}  // namespace eddy::detail
