// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/select.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>

#include <cerrno>
#include <ctime>

#include "loop/epoll_core.hpp"
#include "loop/poll_table.hpp"
#include "loop/select_call.hpp"

namespace eddy {

static_assert(detail::kInPriOut == (POLLIN | POLLPRI | POLLOUT) && detail::kInPriOut == (EPOLLIN | EPOLLPRI | EPOLLOUT));

namespace {

// A wait that goes on after signals: how much of it is left, in ns.
class Remaining {
 public:
  explicit Remaining(std::optional<Duration> timeout) noexcept
      : left_(timeout && timeout->count() >= 0 ? timeout->count() : -1), deadline_(left_ > 0 ? now() + left_ : 0) {}

  std::int64_t left() const noexcept { return left_; }
  /// Calls `wait(left)` until it does more than to be interrupted.
  template <class F>
  int through_signals(F wait) noexcept {
    for (;;) {
      const int count = wait(left_);
      if (count >= 0 || errno != EINTR) return count;
      if (left_ > 0) left_ = std::max<std::int64_t>(deadline_ - now(), 0);
    }
  }

 private:
  static std::int64_t now() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  }
  std::int64_t left_, deadline_;
};

void check_descriptor(int fd) {
  if (fd < 0) throw ValueError(fmt::format("invalid file descriptor: {}", fd));
}

fd_set set_of(const std::vector<int>& descriptors, int& end) {
  fd_set set;
  FD_ZERO(&set);
  for (int fd : descriptors) {
    check_descriptor(fd);
    if (fd >= FD_SETSIZE) {
      throw ValueError(fmt::format("select: descriptor {} is not below {}; choose poll or epoll", fd, FD_SETSIZE));
    }
    FD_SET(fd, &set);
    end = std::max(end, fd + 1);
  }
  return set;
}

std::vector<std::size_t> places_in(const fd_set& ready, const std::vector<int>& descriptors) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    if (FD_ISSET(descriptors[i], &ready)) places.push_back(i);
  }
  return places;
}

}  // namespace

detail::SelectPlaces detail::select_places(const std::vector<int>& readable, const std::vector<int>& writable,
                                           const std::vector<int>& exceptional, std::optional<Duration> timeout) {
  if (timeout && timeout->count() < 0) throw ValueError("select: the timeout must not be negative");
  int end = 0;
  const fd_set reads = set_of(readable, end), writes = set_of(writable, end), others = set_of(exceptional, end);
  fd_set r, w, x;
  const int ready = Remaining(timeout).through_signals([&](std::int64_t left) {
    r = reads, w = writes, x = others;
    return select_call(end, &r, &w, &x, left);
  });
  if (ready < 0) throw_os_error(errno, "select");
  return {places_in(r, readable), places_in(w, writable), places_in(x, exceptional)};
}

Poll::Poll() : table_(new detail::PollTable) {}
Poll::Poll(Poll&&) noexcept = default;
Poll& Poll::operator=(Poll&&) noexcept = default;
Poll::~Poll() = default;

void Poll::register_(int fd, unsigned events) {
  check_descriptor(fd);
  if (table_->has(fd)) table_->change(fd, static_cast<int>(events));
  else table_->add(fd, static_cast<int>(events));
}

void Poll::modify(int fd, unsigned events) {
  if (!table_->has(fd)) throw_os_error(ENOENT, fmt::format("poll: modify descriptor {}", fd));
  table_->change(fd, static_cast<int>(events));
}

void Poll::unregister(int fd) {
  if (!table_->has(fd)) throw KeyError(fmt::format("descriptor {} is not registered", fd));
  table_->remove(fd);
}

std::vector<PollEvent> Poll::poll(std::optional<Duration> timeout) {
  const int ready = Remaining(timeout).through_signals([this](std::int64_t left) { return table_->wait(left); });
  if (ready < 0) throw_os_error(errno, "poll");
  std::vector<PollEvent> events;
  events.reserve(static_cast<std::size_t>(ready));
  table_->each_ready(ready, [&](int fd, unsigned told) { events.push_back({fd, told}); });
  return events;
}

Epoll::Epoll() : core_(new detail::EpollCore) {}
Epoll::Epoll(detail::EpollCore* core) noexcept : core_(core) {}
Epoll::Epoll(Epoll&&) noexcept = default;
Epoll& Epoll::operator=(Epoll&&) noexcept = default;
Epoll::~Epoll() = default;

Epoll Epoll::fromfd(int fd) {
  check_descriptor(fd);
  return Epoll(new detail::EpollCore(fd));
}

int Epoll::fileno() const noexcept { return core_->fd(); }
void Epoll::close() noexcept { core_->close(); }

void Epoll::check_open() const {
  if (closed()) throw ValueError("I/O operation on a closed epoll object");
}

void Epoll::control(int operation, int fd, unsigned events, std::uint64_t data, const char* what) {
  check_open();
  const int failure = core_->control(operation, fd, events, data);
  if (failure) throw_os_error(failure, fmt::format("epoll: {} descriptor {}", what, fd));
}

void Epoll::register_(int fd, unsigned events) { register_(fd, events, static_cast<std::uint32_t>(fd)); }
void Epoll::register_(int fd, unsigned events, std::uint64_t data) {
  control(EPOLL_CTL_ADD, fd, events, data, "register");
}
void Epoll::modify(int fd, unsigned events) { modify(fd, events, static_cast<std::uint32_t>(fd)); }
void Epoll::modify(int fd, unsigned events, std::uint64_t data) { control(EPOLL_CTL_MOD, fd, events, data, "modify"); }
void Epoll::unregister(int fd) { control(EPOLL_CTL_DEL, fd, 0, 0, "unregister"); }

std::vector<PollEvent> Epoll::poll(std::optional<Duration> timeout, int maxevents) {
  check_open();
  if (maxevents == 0 || maxevents < -1) {
    throw ValueError(fmt::format("epoll: maxevents must be above 0, or -1, and is {}", maxevents));
  }
  std::vector<epoll_event> room(static_cast<std::size_t>(maxevents < 0 ? FD_SETSIZE - 1 : maxevents));
  const int ready = Remaining(timeout).through_signals([&](std::int64_t left) { return core_->wait(room, left); });
  if (ready < 0) throw_os_error(errno, "epoll_wait");
  std::vector<PollEvent> events;
  events.reserve(static_cast<std::size_t>(ready));
  for (int i = 0; i < ready; ++i) {
    const auto& event = room[static_cast<std::size_t>(i)];
    events.push_back({static_cast<int>(event.data.u64), event.events});
  }
  return events;
}

std::span<epoll_event> Epoll::wait(std::span<epoll_event> events, std::optional<Duration> timeout, const sigset_t* mask) {
  check_open();
  if (events.empty()) throw ValueError("epoll: the array for events has no room");
  const int ready = core_->wait(events, Remaining(timeout).left(), mask);
  if (ready < 0) throw_os_error(errno, "epoll_wait");
  return events.first(static_cast<std::size_t>(ready));
}

}  // namespace eddy
