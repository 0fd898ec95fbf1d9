// SPDX-License-Identifier: MIT
#include <eddy/detail/blocking_state.hpp>
#include <eddy/events.hpp>
#include <eddy/mp/connection.hpp>
#include <eddy/mp/queue.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "exec/packet.hpp"
#include "exec/polling.hpp"

namespace eddy {
namespace detail {
namespace {

constexpr std::uint32_t kMessage = 16;  // the tag

[[noreturn]] void throw_gone() {
  throw_os_error(EPIPE, "cannot send a message: the other end of the connection is closed");
}
[[noreturn]] void throw_ended() { throw EOFError("the other end of the connection is closed"); }
[[noreturn]] void throw_late(const char* what, Duration timeout) {
  throw TimeoutError(fmt::format("{} after {}", what, format_duration(timeout.count())));
}

}  // namespace

std::pair<MessageSocket, MessageSocket> MessageSocket::make_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
    throw_os_error(errno, "cannot make a pipe between processes");
  return {MessageSocket(fds[0]), MessageSocket(fds[1])};
}

void MessageSocket::close() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

int MessageSocket::open_fd() const {
  if (fd_ < 0) throw ValueError("the connection is closed");
  return fd_;
}

bool MessageSocket::has_message(Duration timeout) const {
  return wait_for_events(open_fd(), POLLIN, timeout);
}

void MessageSocket::send(Parcel parcel, Duration timeout) const {
  const auto passed = pass_blocking(open_fd(), kMessage, parcel, timeout);
  if (passed == Passed::closed) throw_gone();
  if (passed == Passed::must_wait) throw_late("the other process took no message", timeout);
}

Parcel MessageSocket::receive(Duration timeout) const {
  Parcel parcel;
  std::uint32_t tag = 0;
  const auto taken = take_blocking(open_fd(), tag, parcel, timeout);
  if (taken == Passed::closed) throw_ended();
  if (taken == Passed::must_wait) throw_late("no message came", timeout);
  return parcel;
}

bool MessageSocket::receive_now(Parcel& parcel) const {
  std::uint32_t tag = 0;
  const auto taken = take(open_fd(), tag, parcel);
  if (taken == Passed::closed) throw_ended();
  return taken == Passed::done;
}

Coro<> MessageSocket::send_soon(Parcel parcel) const {
  const int fd = open_fd();
  spill(parcel);
  for (;;) {
    const auto passed = pass(fd, kMessage, parcel);
    if (passed == Passed::closed) throw_gone();
    if (passed == Passed::done) co_return;
    co_await wait_for_descriptor(fd, true);
  }
}

Coro<Parcel> MessageSocket::receive_soon() const {
  const int fd = open_fd();
  Parcel parcel;
  for (;;) {
    if (receive_now(parcel)) co_return std::move(parcel);
    co_await wait_for_descriptor(fd, false);
  }
}

namespace {

// A copy of a descriptor among those that the loop watches. A copy, because a loop watches a descriptor for
// one callback, and several tasks may wait for one.
class Watched {
 public:
  Watched(int fd, bool writes, const Future<>& ready)
      : writes_(writes), copy_(::fcntl(fd, F_DUPFD_CLOEXEC, 3)) {
    if (!copy_) throw_os_error(errno, "cannot wait for another process");
    auto tell = [ready] {
      if (!ready.done()) ready.set_result();
    };
    if (writes_) loop_.add_writer(copy_.get(), std::move(tell));
    else loop_.add_reader(copy_.get(), std::move(tell));
  }
  Watched(const Watched&) = delete;
  ~Watched() {
    if (writes_) loop_.remove_writer(copy_.get());
    else loop_.remove_reader(copy_.get());
  }

 private:
  EventLoop& loop_ = get_running_loop();
  bool writes_;
  UniqueFd copy_;
};

}  // namespace

Coro<> wait_for_descriptor(int fd, bool writes) {
  auto ready = get_running_loop().create_future<>();
  const Watched watched(fd, writes, ready);
  co_await ready;
}

namespace {

sockaddr_un address_of(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path || path.find('\0') != path.npos) {
    throw ValueError(fmt::format("'{}' is no path for a connection: it needs 1 to {} bytes", path,
                                 sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

MessageSocket make_socket(int flags) {
  MessageSocket socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0));
  if (socket.fd() < 0) throw_os_error(errno, "cannot make a socket");
  return socket;
}

// -1: nobody is there yet.
int accept_now(const MessageSocket& listener) {
  for (;;) {
    const int fd = ::accept4(listener.open_fd(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) return fd;
    if (errno == EAGAIN) return -1;
    if (errno != EINTR && errno != ECONNABORTED)
      throw_os_error(errno, "cannot accept a connection of another process");
  }
}

}  // namespace

MessageSocket listen_at(std::string_view path) {
  const auto address = address_of(path);
  auto socket = make_socket(SOCK_NONBLOCK);
  ::fchmod(socket.fd(), 0600);  // the mode that bind() makes the path with
  if (::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw_os_error(errno, fmt::format("cannot listen at '{}'", path));
  }
  if (::listen(socket.fd(), 64) != 0) throw_os_error(errno, fmt::format("cannot listen at '{}'", path));
  return socket;
}

MessageSocket connect_to_path(std::string_view path) {
  const auto address = address_of(path);
  auto socket = make_socket(0);
  while (::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EINTR) throw_os_error(errno, fmt::format("cannot connect to '{}'", path));
  }
  return socket;
}

void remove_path(const std::string& path) noexcept { ::unlink(path.c_str()); }

MessageSocket accept_blocking(const MessageSocket& listener, Duration timeout) {
  const Deadline deadline(timeout);
  for (;;) {
    const int fd = accept_now(listener);
    if (fd >= 0) return MessageSocket(fd);
    if (!wait_for_events(listener.fd(), POLLIN, deadline.left())) throw_late("nobody connected", timeout);
  }
}

Coro<MessageSocket> accept_soon(const MessageSocket& listener) {
  for (;;) {
    const int fd = accept_now(listener);
    if (fd >= 0) co_return MessageSocket(fd);
    co_await wait_for_descriptor(listener.fd(), false);
  }
}

void throw_queue_empty() { throw QueueEmpty(); }

void widen(const MessageSocket& socket) noexcept {
  const int size = 1 << 20;  // the kernel gives what it allows
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

}  // namespace detail

namespace mp {

std::vector<std::size_t> wait(const std::vector<int>& descriptors, Duration timeout) {
  std::vector<pollfd> entries;
  for (const int fd : descriptors) entries.push_back({fd, POLLIN, 0});
  std::vector<std::size_t> ready;
  if (detail::poll_until(entries, detail::Deadline(timeout), "cannot wait for other processes") == 0) return ready;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].revents != 0) ready.push_back(i);
  }
  return ready;
}

}  // namespace mp
}  // namespace eddy
