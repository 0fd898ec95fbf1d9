// SPDX-License-Identifier: MIT
// Python's `select`: the three system calls themselves, with all their flags. selectors.hpp puts one interface over them.
// The flags are the system's: include <poll.h> or <sys/epoll.h>.
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <eddy/clock.hpp>
#include <eddy/detail/owned.hpp>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

struct epoll_event;

namespace eddy {

namespace detail {

class EpollCore;
class PollTable;

inline constexpr unsigned kInPriOut = 7;  // POLLIN | POLLPRI | POLLOUT, and epoll's

/// The places in each list of those that are ready.
struct SelectPlaces {
  std::vector<std::size_t> readable, writable, exceptional;
};
SelectPlaces select_places(const std::vector<int>& readable, const std::vector<int>& writable,
                           const std::vector<int>& exceptional, std::optional<Duration> timeout);

template <class T>
int descriptor_of(const T& object) {
  if constexpr (std::is_convertible_v<T, int>) return object;
  else if constexpr (requires { object->fileno(); }) return object->fileno();
  else return object.fileno();
}
template <class T>
std::vector<int> descriptors_of(const std::vector<T>& objects) {
  std::vector<int> descriptors;
  descriptors.reserve(objects.size());
  for (const auto& object : objects) descriptors.push_back(descriptor_of(object));
  return descriptors;
}
template <class T>
std::vector<T> chosen(const std::vector<T>& objects, const std::vector<std::size_t>& places) {
  std::vector<T> ready;
  ready.reserve(places.size());
  for (auto place : places) ready.push_back(objects[place]);
  return ready;
}

}  // namespace detail

/// What select() gives: the objects that were passed in and are ready.
template <class T>
struct SelectLists {
  std::vector<T> readable, writable, exceptional;
};

/// Waits until one of them is ready: `select.select`. They are descriptors, or pointers to objects with `fileno()`.
///
///     auto [readable, writable, exceptional] = eddy::select<int>({a, b}, {c}, {}, 1s);
///
/// No timeout: waits without end; three empty lists when it has passed. Goes on waiting after a signal. Throws
/// ValueError for a descriptor that is negative or not below FD_SETSIZE (1024) and for a negative timeout, OSError for
/// a closed descriptor.
template <class T = int>
SelectLists<T> select(const std::vector<T>& readable, const std::type_identity_t<std::vector<T>>& writable,
                      const std::type_identity_t<std::vector<T>>& exceptional,
                      std::optional<Duration> timeout = std::nullopt) {
  const auto places = detail::select_places(detail::descriptors_of(readable), detail::descriptors_of(writable),
                                            detail::descriptors_of(exceptional), timeout);
  return {detail::chosen(readable, places.readable), detail::chosen(writable, places.writable),
          detail::chosen(exceptional, places.exceptional)};
}

/// A descriptor that is ready, and the events: POLLIN …, EPOLLIN ….
struct PollEvent {
  int fd;
  unsigned events;
  friend bool operator==(const PollEvent&, const PollEvent&) = default;
};

/// `select.poll()`.
class Poll {
 public:
  Poll();
  Poll(Poll&&) noexcept;
  Poll& operator=(Poll&&) noexcept;
  ~Poll();

  /// POLLIN, POLLPRI, POLLOUT, POLLRDHUP or several. A registered descriptor gets the new events. Throws ValueError for
  /// a negative descriptor.
  void register_(int fd, unsigned events = detail::kInPriOut);
  /// Throws FileNotFoundError if it is not registered.
  void modify(int fd, unsigned events);
  /// Throws KeyError if it is not registered.
  void unregister(int fd);
  /// Those that are ready; none when `timeout` has passed; no timeout, or a negative one: waits without end. POLLERR,
  /// POLLHUP and POLLNVAL (it is closed) are told whether asked or not. Goes on waiting after a signal.
  std::vector<PollEvent> poll(std::optional<Duration> timeout = std::nullopt);

 private:
  detail::Owned<detail::PollTable> table_;
};

/// `select.epoll()`, and the C calls behind it. Its descriptor is closed with it; a child process does not inherit it.
class Epoll {
 public:
  Epoll();
  /// Takes over an epoll descriptor.
  static Epoll fromfd(int fd);
  Epoll(Epoll&&) noexcept;
  Epoll& operator=(Epoll&&) noexcept;
  ~Epoll();

  /// EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP with EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE, EPOLLWAKEUP. Throws FileExistsError
  /// if it is registered, PermissionError for what cannot be polled: a regular file.
  void register_(int fd, unsigned events = detail::kInPriOut);
  /// With a word of the caller's, which wait() gives back in `data.u64` in the place of the descriptor.
  void register_(int fd, unsigned events, std::uint64_t data);
  /// Throws FileNotFoundError if it is not registered.
  void modify(int fd, unsigned events);
  void modify(int fd, unsigned events, std::uint64_t data);
  void unregister(int fd);

  /// Those that are ready, at most `maxevents` (-1: 1023), none when `timeout` has passed; no timeout, or a negative one:
  /// waits without end. Goes on waiting after a signal. Throws ValueError for 0 events. For descriptors without data.
  std::vector<PollEvent> poll(std::optional<Duration> timeout = std::nullopt, int maxevents = -1);

  /// epoll_pwait: fills the caller's array and gives the part that was filled. `mask`: the signals that are held back
  /// while it waits, in the place of the thread's own; null: those. Throws InterruptedError if a handler of one that is
  /// not held back has run, ValueError for an empty array.
  std::span<epoll_event> wait(std::span<epoll_event> events, std::optional<Duration> timeout = std::nullopt,
                              const sigset_t* mask = nullptr);

  /// Readable when poll() would give something. -1 once closed.
  int fileno() const noexcept;
  void close() noexcept;
  bool closed() const noexcept { return fileno() < 0; }

 private:
  explicit Epoll(detail::EpollCore* core) noexcept;  // takes it over
  void control(int operation, int fd, unsigned events, std::uint64_t data, const char* what);
  void check_open() const;

  detail::Owned<detail::EpollCore> core_;
};

}  // namespace eddy
