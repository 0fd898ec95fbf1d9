// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <eddy/mp/connection.hpp>
#include <utility>

namespace eddy {

namespace detail {
[[noreturn]] void throw_queue_empty();
void widen(const MessageSocket& socket) noexcept;
}  // namespace detail

namespace mp {

/// A queue between processes: any number of them put and get; each item goes to one of those that get.
/// `multiprocessing.Queue`.
///
///     mp::Queue<Job> jobs;
///     mp::Process worker(work, jobs);       // void work(mp::Queue<Job> jobs)
///     co_await jobs.put(job);
///
/// Items pass through a socket of the kernel, those of more than 32 KiB through memory files: nothing touches
/// a disk or has a name in /dev/shm, and a process that dies leaves no lock behind. It holds about a hundred
/// KiB of small items, then put() waits. Items of one process come in the order in which it put them. Moved,
/// not copied; what travels to another process is the same queue. There is no end to it: agree on an item
/// that means the end.
template <class T>
class Queue {
 public:
  Queue() : Queue(detail::MessageSocket::make_pair()) {}

  /// Inside of a task. A cancelled put() has put nothing, a cancelled get() has taken nothing.
  Coro<> put(const T& item) { return entrance_.send_soon(detail::pack_message(item)); }
  Coro<T> get() {
    auto parcel = co_await exit_.receive_soon();
    co_return detail::unpack_message<T>(std::move(parcel));
  }

  /// By blocking the thread. Throw TimeoutError.
  void blocking_put(const T& item, Duration timeout = Duration::max()) {
    entrance_.send(detail::pack_message(item), timeout);
  }
  T blocking_get(Duration timeout = Duration::max()) {
    return detail::unpack_message<T>(exit_.receive(timeout));
  }

  /// Throws QueueEmpty.
  T get_nowait() {
    Parcel parcel;
    if (!exit_.receive_now(parcel)) detail::throw_queue_empty();
    return detail::unpack_message<T>(std::move(parcel));
  }
  /// True of this moment; others may get and put.
  bool empty() const { return !exit_.has_message(Duration()); }
  /// A descriptor that is readable while there are items, for mp::wait().
  int fileno() const noexcept { return exit_.fd(); }

 private:
  friend PackAs<Queue>;
  explicit Queue(std::pair<detail::MessageSocket, detail::MessageSocket> ends) noexcept
      : entrance_(std::move(ends.first)), exit_(std::move(ends.second)) {
    detail::widen(entrance_);
  }

  detail::MessageSocket entrance_;
  detail::MessageSocket exit_;
};

}  // namespace mp

template <class T>
struct PackAs<mp::Queue<T>> {
  static void pack(const mp::Queue<T>& queue, Packer& packer) {
    packer.add_descriptor(queue.entrance_.open_fd());
    packer.add_descriptor(queue.exit_.open_fd());
  }
  static mp::Queue<T> unpack(Unpacker& unpacker) {
    detail::MessageSocket entrance(unpacker.take_descriptor());
    detail::MessageSocket exit(unpacker.take_descriptor());
    return mp::Queue<T>({std::move(entrance), std::move(exit)});
  }
};

}  // namespace eddy
