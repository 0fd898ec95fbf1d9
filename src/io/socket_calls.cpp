// SPDX-License-Identifier: MIT
#include "io/socket_calls.hpp"

#include <eddy/exceptions.hpp>
#include <fmt/format.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/quiet_pipe.hpp"
#include "io/sockets.hpp"

namespace eddy::detail {
namespace {

constexpr std::size_t kMostDescriptors = 253;  // the kernel's SCM_MAX_FD

template <class F>
ssize_t through_signals(F call) noexcept {
  for (;;) {
    const ssize_t result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

const sockaddr* pointer_to(const Address& address) noexcept { return static_cast<const sockaddr*>(address.data()); }

}  // namespace

ssize_t receive(int fd, std::span<char> room, int flags) noexcept {
  return through_signals([&] { return ::recv(fd, room.data(), room.size(), flags); });
}

ssize_t receive_from(int fd, std::span<char> room, int flags, Address& from) noexcept {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const ssize_t count = through_signals([&] {
    size = sizeof storage;
    return ::recvfrom(fd, room.data(), room.size(), flags, reinterpret_cast<sockaddr*>(&storage), &size);
  });
  from = count >= 0 ? Address::from_data(&storage, size) : Address();
  return count;
}

ssize_t send_some(int fd, std::string_view data, int flags) noexcept {
  return through_signals([&] { return ::send(fd, data.data(), data.size(), flags | MSG_NOSIGNAL); });
}

ssize_t send_to(int fd, std::string_view data, int flags, const Address& address) noexcept {
  return through_signals([&] {
    return ::sendto(fd, data.data(), data.size(), flags | MSG_NOSIGNAL, pointer_to(address), address.size());
  });
}

int accept_one(int fd, int flags, Address& from) noexcept {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const auto connection = through_signals([&] {
    size = sizeof storage;
    return ::accept4(fd, reinterpret_cast<sockaddr*>(&storage), &size, flags | SOCK_CLOEXEC);
  });
  if (connection >= 0) from = Address::from_data(&storage, size);
  return static_cast<int>(connection);
}

void check_descriptors_to_send(std::string_view data, const std::vector<int>& descriptors) {
  if (data.empty()) throw ValueError("send descriptors: at least one byte has to go with them");
  if (descriptors.size() > kMostDescriptors) {
    throw ValueError(fmt::format("send descriptors: at most {} travel together, not {}", kMostDescriptors, descriptors.size()));
  }
}

ssize_t send_descriptors(int fd, std::string_view data, const std::vector<int>& descriptors, int flags) noexcept {
  alignas(cmsghdr) char control[CMSG_SPACE(kMostDescriptors * sizeof(int))];
  iovec piece{const_cast<char*>(data.data()), data.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    const auto size = descriptors.size() * sizeof(int);
    std::memset(control, 0, sizeof control);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(size);
    auto* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(part), descriptors.data(), size);
  }
  return through_signals([&] { return ::sendmsg(fd, &message, flags | MSG_NOSIGNAL); });
}

ssize_t receive_descriptors(int fd, std::size_t n, std::size_t most, int flags, ReceivedDescriptors& received) {
  std::string control(CMSG_SPACE(std::min(most, kMostDescriptors) * sizeof(int)), '\0');
  received.data.resize(n);
  received.descriptors.reserve(kMostDescriptors);  // once they have come, nothing may throw
  iovec piece{received.data.data(), n};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  const ssize_t count = through_signals([&] {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    return ::recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
  });
  received.data.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  if (count < 0) return count;
  for (auto* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const auto descriptors = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < descriptors; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
      FileDescriptor owner(descriptor);
      // The control buffer is padded: one more than asked for may have come.
      if (received.descriptors.size() < most) received.descriptors.push_back(std::move(owner));
      else message.msg_flags |= MSG_CTRUNC;
    }
  }
  received.flags = message.msg_flags & ~MSG_CMSG_CLOEXEC;
  return count;
}

int begin_connect(int fd, const Address& address) noexcept {
  if (::connect(fd, pointer_to(address), address.size()) == 0) return 0;
  return errno == EINTR ? EINPROGRESS : errno;
}

int pending_error(int fd) noexcept {
  int failure = 0;
  socklen_t size = sizeof failure;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 ? failure : errno;
}

ssize_t send_file_some(int fd, int file, std::size_t offset, std::size_t count) noexcept {
  const QuietPipe quiet;
  const auto sent = through_signals([&] {
    auto at = static_cast<off_t>(offset);
    return ::sendfile(fd, file, &at, count);
  });
  // A connection that breaks meanwhile raises SIGPIPE behind a short count, too: `quiet` looks for it by errno.
  if (sent >= 0 && static_cast<std::size_t>(sent) < count) errno = EPIPE;
  return sent;
}

std::string operation_on(const char* operation, int fd) {
  const int saved = errno;
  const auto name = peer_of(fd).str();
  errno = saved;
  return name.empty() ? fmt::format("{} descriptor {}", operation, fd) : fmt::format("{} {}", operation, name);
}

}  // namespace eddy::detail
