// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/sockets.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>
#include <sys/socket.h>

#include <cerrno>
#include <ctime>

#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "io/socket_calls.hpp"
#include "io/sockets.hpp"
#include "loop/descriptors.hpp"

namespace eddy {
namespace {

using detail::operation_on;

std::int64_t monotonic_now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

// poll() for one descriptor, through signals. False: `timeout` ns have passed.
bool wait_for(int fd, bool writes, std::int64_t timeout) {
  const auto deadline = monotonic_now() + timeout;
  pollfd entry{fd, static_cast<short>(writes ? POLLOUT : POLLIN), 0};
  for (auto left = timeout; left >= 0; left = deadline - monotonic_now()) {
    const timespec limit{static_cast<time_t>(left / 1'000'000'000), static_cast<long>(left % 1'000'000'000)};
    const int ready = ::ppoll(&entry, 1, &limit, nullptr);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) throw_os_error(errno, fmt::format("wait for descriptor {}", fd));
  }
  return false;
}

void set_non_blocking(int fd, bool on) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0) {
    throw_os_error(errno, fmt::format("set descriptor {} to {}", fd, on ? "non-blocking" : "blocking"));
  }
}

// The tasks of this thread's loop that use it are told before its number is free for another.
void tell_loop(int fd) noexcept {
  if (auto* loop = detail::this_thread.loop) detail::Loop::of(*loop).facade->notify_closing(fd);
}

}  // namespace

void FileDescriptor::close() noexcept {
  if (fd_ < 0) return;
  tell_loop(fd_);
  ::close(std::exchange(fd_, -1));
}

void notify_closing(int fd) { get_running_loop().notify_closing(fd); }

Socket::Socket(int family, int type, int protocol) : fd_(::socket(family, type | SOCK_CLOEXEC, protocol)) {
  if (fd_ < 0) throw_os_error(errno, fmt::format("make a socket of family {}, type {}", family, type & 0xF));
  if (type & SOCK_NONBLOCK) timeout_ = Duration();
}

Socket Socket::from_fd(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    throw_os_error(errno, fmt::format("take over descriptor {} as a socket", fd));
  }
  const bool blocking = (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
  return Socket(Adopt{}, fd, blocking ? std::nullopt : std::optional(Duration()));
}

int Socket::detach() noexcept {
  if (fd_ >= 0) tell_loop(fd_);
  return std::exchange(fd_, -1);
}

void Socket::close() noexcept {
  if (fd_ < 0) return;
  tell_loop(fd_);
  ::close(std::exchange(fd_, -1));
}

int Socket::family() const { return getsockopt(SOL_SOCKET, SO_DOMAIN); }
int Socket::type() const { return getsockopt(SOL_SOCKET, SO_TYPE); }
int Socket::protocol() const { return getsockopt(SOL_SOCKET, SO_PROTOCOL); }

Socket Socket::dup() const {
  const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw_os_error(errno, fmt::format("duplicate descriptor {}", fd_));
  return Socket(Adopt{}, copy, timeout_);
}

void Socket::set_blocking(bool blocking) { set_timeout(blocking ? std::nullopt : std::optional(Duration())); }

void Socket::set_timeout(std::optional<Duration> timeout) {
  if (timeout && timeout->count() < 0) {
    throw ValueError(fmt::format("the timeout of a socket must not be negative and is {}",
                                 detail::format_duration(timeout->count())));
  }
  set_non_blocking(fd_, timeout.has_value());
  timeout_ = timeout;
}

// --- calls that may wait

template <class F>
std::size_t Socket::call(bool writes, const char* operation, F function) {
  const std::int64_t limit = timeout_ ? timeout_->count() : 0;
  const std::int64_t deadline = limit > 0 ? monotonic_now() + limit : 0;
  for (;;) {
    if (limit > 0 && !wait_for(fd_, writes, std::max<std::int64_t>(deadline - monotonic_now(), 0))) {
      throw TimeoutError(fmt::format("{}: timed out after {}", operation_on(operation, fd_), detail::format_duration(limit)));
    }
    const ssize_t result = function();
    if (result >= 0) return static_cast<std::size_t>(result);
    if (errno == EAGAIN && limit > 0) continue;
    throw_os_error(errno, operation_on(operation, fd_));
  }
}

std::size_t Socket::recv_into(std::span<char> room, int flags) {
  return call(false, "receive from", [&] { return detail::receive(fd_, room, flags); });
}

std::string Socket::recv(std::size_t n, int flags) {
  std::string data(n, '\0');
  data.resize(recv_into(std::span(data), flags));
  return data;
}

DatagramSize Socket::recvfrom_into(std::span<char> room, int flags) {
  DatagramSize got{0, {}, 0};
  got.size = call(false, "receive from", [&] { return detail::receive_from(fd_, room, flags, got.from); });
  got.full_size = got.size;
  return got;
}

Datagram Socket::recvfrom(std::size_t n, int flags) {
  Datagram datagram{std::string(n, '\0'), {}};
  auto got = recvfrom_into(datagram.data, flags);
  datagram.data.resize(std::min(got.size, n));
  datagram.from = got.from;
  return datagram;
}

std::size_t Socket::send(std::string_view data, int flags) {
  return call(true, "send to", [&] { return detail::send_some(fd_, data, flags); });
}

void Socket::sendall(std::string_view data, int flags) {
  do data.remove_prefix(send(data, flags));
  while (!data.empty());
}

std::size_t Socket::sendto(std::string_view data, const Address& address, int flags) {
  const auto operation = "send to " + address.str();
  const std::int64_t limit = timeout_ ? timeout_->count() : 0;
  if (limit > 0 && !wait_for(fd_, true, limit)) {
    throw TimeoutError(fmt::format("{}: timed out after {}", operation, detail::format_duration(limit)));
  }
  const auto sent = detail::send_to(fd_, data, flags, address);
  if (sent < 0) throw_os_error(errno, operation);
  return static_cast<std::size_t>(sent);
}

std::optional<std::size_t> Socket::try_recv(std::span<char> room, int flags) {
  const auto got = detail::receive(fd_, room, flags | MSG_DONTWAIT);
  if (got >= 0) return static_cast<std::size_t>(got);
  if (errno == EAGAIN) return std::nullopt;
  throw_os_error(errno, operation_on("receive from", fd_));
}

std::optional<std::size_t> Socket::try_send(std::string_view data, int flags) {
  const auto sent = detail::send_some(fd_, data, flags | MSG_DONTWAIT);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno == EAGAIN) return std::nullopt;
  throw_os_error(errno, operation_on("send to", fd_));
}

std::size_t Socket::send_fds(std::string_view data, const std::vector<int>& descriptors) {
  detail::check_descriptors_to_send(data, descriptors);
  return call(true, "send descriptors to", [&] { return detail::send_descriptors(fd_, data, descriptors, 0); });
}

ReceivedDescriptors Socket::recv_fds(std::size_t n, std::size_t most) {
  ReceivedDescriptors received{{}, {}, 0};
  call(false, "receive descriptors from", [&] { return detail::receive_descriptors(fd_, n, most, 0, received); });
  return received;
}

// --- connections

void Socket::bind(const Address& address) {
  if (::bind(fd_, static_cast<const sockaddr*>(address.data()), address.size()) != 0) {
    throw_os_error(errno, "bind to " + address.str());
  }
}

void Socket::listen(int backlog) {
  if (::listen(fd_, backlog) != 0) throw_os_error(errno, "listen on " + detail::local_of(fd_).str());
}

int Socket::connect_ex(const Address& address) {
  const int failure = detail::begin_connect(fd_, address);
  if (failure != EINPROGRESS || (timeout_ && timeout_->count() == 0)) return failure;
  // A timeout, or a signal that came while it blocked: it goes on.
  constexpr auto kLong = std::int64_t{1} << 60;
  if (!wait_for(fd_, true, timeout_ ? timeout_->count() : kLong)) return ETIMEDOUT;
  return detail::pending_error(fd_);
}

void Socket::connect(const Address& address) {
  const int failure = connect_ex(address);
  if (failure) throw_os_error(failure, "connect to " + address.str());
}

Accepted Socket::accept() {
  Address from;
  const auto connection = static_cast<int>(
      call(false, "accept on", [&]() -> ssize_t { return detail::accept_one(fd_, 0, from); }));
  return {Socket(Adopt{}, connection, std::nullopt), from};
}

void Socket::shutdown(int how) {
  if (::shutdown(fd_, how) != 0) throw_os_error(errno, fmt::format("shut down descriptor {}", fd_));
}

Address Socket::getsockname() const {
  if (auto address = detail::local_of(fd_)) return address;
  throw_os_error(EBADF, fmt::format("name descriptor {}", fd_));
}

Address Socket::getpeername() const {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(fd_, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    throw_os_error(errno, fmt::format("name the peer of descriptor {}", fd_));
  }
  return Address::from_data(&storage, size);
}

PeerCredentials Socket::peer_credentials() const { return detail::credentials_of(fd_); }

std::pair<Socket, Socket> socketpair(int family, int type, int protocol) {
  int fds[2];
  if (::socketpair(family, type | SOCK_CLOEXEC, protocol, fds) != 0) throw_os_error(errno, "make a pair of sockets");
  detail::UniqueFd second(fds[1]);
  auto first = Socket::from_fd(fds[0]);
  auto other = Socket::from_fd(second.get());
  second.release();
  return {std::move(first), std::move(other)};
}

}  // namespace eddy
