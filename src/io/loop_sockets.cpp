// SPDX-License-Identifier: MIT
// loop.sock_…: the system call at once, and again when the descriptor is ready. The calls are made with MSG_DONTWAIT, so
// that even a blocking socket does not block the loop (where the kernel has that flag: not in connect and accept).
#include <eddy/exceptions.hpp>
#include <eddy/sockets.hpp>
#include <eddy/tasks.hpp>
#include <fmt/format.h>
#include <unistd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "io/socket_calls.hpp"
#include "io/sockets.hpp"
#include "loop/descriptors.hpp"

namespace eddy {
namespace detail {
namespace {

constexpr int kTransfersInARow = 16;  // then others get a turn

// The result of the first `call()` that does not say EAGAIN.
template <class F>
Coro<std::size_t> when_ready(int fd, bool writes, const char* operation, const DescriptorUse& use, F call) {
  for (;;) {
    const ssize_t result = call();
    if (result >= 0) co_return static_cast<std::size_t>(result);
    if (errno != EAGAIN) throw_os_error(errno, operation_on(operation, fd));
    co_await DescriptorWait(fd, writes, true);
    use.check();
  }
}

Coro<std::size_t> receive_into(int fd, std::span<char> room) {
  const DescriptorUse use(fd, false);
  auto call = [fd, room] { return receive(fd, room, MSG_DONTWAIT); };
  co_return co_await when_ready(fd, false, "receive from", use, call);
}

// While it waits, there is no buffer.
Coro<std::string> receive_text(int fd, std::size_t n) {
  const DescriptorUse use(fd, false);
  std::string data;
  auto call = [fd, n, &data] {
    data.resize(n);
    const auto got = receive(fd, data, MSG_DONTWAIT);
    if (got < 0) std::string().swap(data);
    return got;
  };
  data.resize(co_await when_ready(fd, false, "receive from", use, call));
  co_return std::move(data);
}

Coro<Datagram> receive_datagram(int fd, std::size_t n) {
  const DescriptorUse use(fd, false);
  Datagram datagram;
  auto call = [fd, n, &datagram] {
    datagram.data.resize(n);
    const auto got = receive_from(fd, datagram.data, MSG_DONTWAIT, datagram.from);
    if (got < 0) std::string().swap(datagram.data);
    return got;
  };
  datagram.data.resize(co_await when_ready(fd, false, "receive from", use, call));
  co_return std::move(datagram);
}

Coro<DatagramSize> receive_datagram_into(int fd, std::span<char> room) {
  const DescriptorUse use(fd, false);
  DatagramSize got{0, {}, 0};
  auto call = [fd, room, &got] { return receive_from(fd, room, MSG_DONTWAIT, got.from); };
  got.size = co_await when_ready(fd, false, "receive from", use, call);
  got.full_size = got.size;
  co_return got;
}

Coro<> send_view(int fd, std::string_view data) {
  const DescriptorUse use(fd, true);
  for (int transfers = 1; !data.empty(); ++transfers) {
    auto call = [fd, data] { return send_some(fd, data, MSG_DONTWAIT); };
    data.remove_prefix(co_await when_ready(fd, true, "send to", use, call));
    if (transfers % kTransfersInARow == 0) {
      co_await sleep(Duration());
      use.check();
    }
  }
}
Coro<> send_text(int fd, std::string data) { co_await send_view(fd, data); }

Coro<std::size_t> send_datagram(int fd, std::string data, Address address) {
  const DescriptorUse use(fd, true);
  for (;;) {
    const auto sent = send_to(fd, data, MSG_DONTWAIT, address);
    if (sent >= 0) co_return static_cast<std::size_t>(sent);
    if (errno != EAGAIN) throw_os_error(errno, "send to " + address.str());
    co_await DescriptorWait(fd, true, true);
    use.check();
  }
}

Coro<Accepted> accept_on(int fd) {
  const DescriptorUse use(fd, false);
  Address from;
  auto call = [fd, &from]() -> ssize_t {
    for (;;) {
      const int connection = accept_one(fd, SOCK_NONBLOCK, from);
      if (connection >= 0 || errno != ECONNABORTED) return connection;  // that one has gone: the next
    }
  };
  const auto connection = co_await when_ready(fd, false, "accept on", use, call);
  co_return Accepted{Socket::from_fd(static_cast<int>(connection)), from};
}

Coro<std::size_t> send_with_descriptors(int fd, std::string data, std::vector<int> descriptors) {
  const DescriptorUse use(fd, true);
  auto call = [fd, &data, &descriptors] { return send_descriptors(fd, data, descriptors, MSG_DONTWAIT); };
  co_return co_await when_ready(fd, true, "send descriptors to", use, call);
}

Coro<ReceivedDescriptors> receive_with_descriptors(int fd, std::size_t n, std::size_t most) {
  const DescriptorUse use(fd, false);
  ReceivedDescriptors received{{}, {}, 0};
  auto call = [fd, n, most, &received] { return receive_descriptors(fd, n, most, MSG_DONTWAIT, received); };
  co_await when_ready(fd, false, "receive descriptors from", use, call);
  co_return std::move(received);
}

// --- sendfile

struct FilePart {
  int file;
  std::size_t offset;
  std::size_t count;  // at most
};

constexpr std::size_t kWholeFile = static_cast<std::size_t>(-1);
constexpr std::size_t kChunk = 256 * 1024;

bool cannot_sendfile(int error_number) noexcept {
  return error_number == EINVAL || error_number == ENOSYS || error_number == EOPNOTSUPP || error_number == ESPIPE;
}

// A piece of the file through memory: how much of it was sent.
Coro<std::size_t> send_piece(int fd, const DescriptorUse& use, FilePart part) {
  std::string piece(std::min(part.count, std::size_t{64 * 1024}), '\0');
  const auto got = ::pread(part.file, piece.data(), piece.size(), static_cast<off_t>(part.offset));
  if (got < 0) throw_os_error(errno, fmt::format("read file descriptor {}", part.file));
  piece.resize(static_cast<std::size_t>(got));
  for (std::string_view rest = piece; !rest.empty();) {
    auto call = [fd, rest] { return send_some(fd, rest, MSG_DONTWAIT); };
    rest.remove_prefix(co_await when_ready(fd, true, "send a file to", use, call));
  }
  co_return piece.size();
}

Coro<std::size_t> send_file(int fd, FilePart part, bool fallback) {
  const DescriptorUse use(fd, true);
  // Whatever ends it, the file's position tells how far it came.
  struct Position {
    FilePart& part;
    explicit Position(FilePart& p) noexcept : part(p) {}
    ~Position() { ::lseek(part.file, static_cast<off_t>(part.offset), SEEK_SET); }
  } position(part);
  std::size_t sent = 0;
  bool in_kernel = true;
  for (int transfers = 1; part.count > 0; ++transfers) {
    std::size_t gone = 0;
    if (in_kernel) {
      const auto result = send_file_some(fd, part.file, part.offset, std::min(part.count, kChunk));
      if (result < 0 && sent == 0 && cannot_sendfile(errno)) {
        if (!fallback) {
          throw SendfileNotAvailableError(fmt::format("file descriptor {} cannot be sent by the kernel", part.file));
        }
        in_kernel = false;
        continue;
      }
      if (result < 0 && errno != EAGAIN) throw_os_error(errno, operation_on("send a file to", fd));
      if (result < 0) {
        co_await DescriptorWait(fd, true, true);
        use.check();
        continue;
      }
      gone = static_cast<std::size_t>(result);
    } else {
      gone = co_await send_piece(fd, use, part);
    }
    if (gone == 0) break;  // the file's end
    sent += gone;
    part.offset += gone;
    if (part.count != kWholeFile) part.count -= gone;
    if (transfers % kTransfersInARow == 0) {
      co_await sleep(Duration());
      use.check();
    }
  }
  co_return sent;
}

int checked(const Socket& socket, const EventLoop& loop) {
  if (socket.closed()) throw ValueError("the socket is closed");
  if (loop.get_debug() && socket.get_blocking()) throw ValueError("the socket must be non-blocking");
  return socket.fileno();
}

}  // namespace

// A Unix socket says EAGAIN when the server's backlog is full, and nothing ever tells when it is not: we look again.
Coro<> connect_socket(int fd, Address address) {
  constexpr auto kLongestPause = std::chrono::milliseconds(50);
  const DescriptorUse use(fd, true);
  auto pause = std::chrono::milliseconds(1);
  int failure = begin_connect(fd, address);
  for (; failure == EAGAIN && address.family() == AF_UNIX; failure = begin_connect(fd, address)) {
    co_await sleep(pause);
    use.check();
    pause = std::min(2 * pause, kLongestPause);
  }
  if (failure == EINPROGRESS) {
    co_await DescriptorWait(fd, true, true);
    use.check();
    failure = pending_error(fd);
  }
  if (failure) throw_os_error(failure, "connect to " + address.str());
}

}  // namespace detail

using detail::checked;

Coro<std::string> EventLoop::sock_recv(const Socket& socket, std::size_t n) {
  return detail::receive_text(checked(socket, *this), n);
}
Coro<std::size_t> EventLoop::sock_recv_into(const Socket& socket, std::span<char> room) {
  return detail::receive_into(checked(socket, *this), room);
}
Coro<std::size_t> EventLoop::sock_recv_into(const Socket& socket, std::span<std::byte> room) {
  return sock_recv_into(socket, std::span(reinterpret_cast<char*>(room.data()), room.size()));
}
Coro<Datagram> EventLoop::sock_recvfrom(const Socket& socket, std::size_t n) {
  return detail::receive_datagram(checked(socket, *this), n);
}
Coro<DatagramSize> EventLoop::sock_recvfrom_into(const Socket& socket, std::span<char> room) {
  return detail::receive_datagram_into(checked(socket, *this), room);
}
Coro<> EventLoop::sock_sendall(const Socket& socket, std::string data) {
  return detail::send_text(checked(socket, *this), std::move(data));
}
Coro<> EventLoop::sock_sendall_view(const Socket& socket, std::string_view data) {
  return detail::send_view(checked(socket, *this), data);
}
Coro<std::size_t> EventLoop::sock_sendto(const Socket& socket, std::string data, Address address) {
  return detail::send_datagram(checked(socket, *this), std::move(data), address);
}
Coro<> EventLoop::sock_connect(const Socket& socket, Address address) {
  return detail::connect_socket(checked(socket, *this), address);
}
Coro<Accepted> EventLoop::sock_accept(const Socket& socket) { return detail::accept_on(checked(socket, *this)); }
Coro<std::size_t> EventLoop::sock_sendfile(const Socket& socket, int file, std::size_t offset,
                                           std::optional<std::size_t> count, bool fallback) {
  const int fd = checked(socket, *this);
  if (count && *count == 0) throw ValueError("sock_sendfile: count must be above 0");
  if (socket.type() != SOCK_STREAM) throw ValueError("sock_sendfile: only a stream socket can send a file");
  return detail::send_file(fd, {file, offset, count.value_or(detail::kWholeFile)}, fallback);
}
Coro<std::size_t> EventLoop::sock_send_fds(const Socket& socket, std::string data, std::vector<int> descriptors) {
  detail::check_descriptors_to_send(data, descriptors);
  return detail::send_with_descriptors(checked(socket, *this), std::move(data), std::move(descriptors));
}
Coro<ReceivedDescriptors> EventLoop::sock_recv_fds(const Socket& socket, std::size_t n, std::size_t most) {
  return detail::receive_with_descriptors(checked(socket, *this), n, most);
}

}  // namespace eddy
