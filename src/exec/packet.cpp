// SPDX-License-Identifier: MIT
#include "exec/packet.hpp"

#include <eddy/detail/blocking_state.hpp>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "exec/polling.hpp"

namespace eddy::detail {
namespace {

constexpr std::size_t kInline = 32 * 1024;
constexpr std::size_t kMaxDescriptors = 250;  // the kernel's limit is 253

struct Header {
  std::uint32_t tag;
  std::uint32_t flags;
  std::uint64_t size;
};
constexpr std::uint32_t kSpilled = 1;

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_os_error(errno, "cannot write a memory file");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void load_spilled(Parcel& parcel, std::uint64_t size) {
  if (parcel.descriptors.empty()) throw UnpackError("cannot receive: the packet's bytes did not come along");
  const int file = parcel.descriptors.back();
  struct stat status {};
  if (::fstat(file, &status) != 0) throw_os_error(errno, "cannot look at a received memory file");
  if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) != size) {
    throw UnpackError(
        fmt::format("cannot receive: the packet announces {} bytes and brings {}", size, status.st_size));
  }
  parcel.bytes.resize(static_cast<std::size_t>(size));
  for (std::size_t have = 0; have < parcel.bytes.size();) {
    const auto got =
        ::pread(file, parcel.bytes.data() + have, parcel.bytes.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_os_error(errno, "cannot read a received memory file");
    if (got == 0)
      throw UnpackError(fmt::format("cannot receive: the packet's bytes end after {} of {}", have, size));
    have += static_cast<std::size_t>(got);
  }
  ::close(file);
  parcel.descriptors.pop_back();
}

void take_descriptors(msghdr& message, Parcel& parcel) {
  for (auto* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const auto count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const auto before = parcel.descriptors.size();
    parcel.descriptors.resize(before + count);
    std::memcpy(parcel.descriptors.data() + before, CMSG_DATA(part), count * sizeof(int));
  }
}

bool is_end(int error_number) noexcept {
  return error_number == EPIPE || error_number == ECONNRESET || error_number == ENOTCONN;
}

}  // namespace

void spill(Parcel& parcel) {
  if (parcel.spilled || parcel.bytes.size() <= kInline) return;
  parcel.descriptors.reserve(parcel.descriptors.size() + 1);
  const int file = ::memfd_create("eddy", MFD_CLOEXEC);
  if (file < 0)
    throw_os_error(errno, fmt::format("cannot make a memory file for {} bytes", parcel.bytes.size()));
  parcel.descriptors.push_back(file);
  write_all(file, parcel.bytes);
  parcel.spilled = true;
}

Passed pass(int socket, std::uint32_t tag, const Parcel& parcel) {
  if (parcel.descriptors.size() > kMaxDescriptors) {
    throw ValueError(fmt::format("cannot send {} descriptors in one message: at most {} can travel together",
                                 parcel.descriptors.size(), kMaxDescriptors));
  }
  Header header{tag, parcel.spilled ? kSpilled : 0, parcel.bytes.size()};
  iovec pieces[2] = {{&header, sizeof header}, {const_cast<char*>(parcel.bytes.data()), parcel.bytes.size()}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = parcel.spilled ? 1 : 2;
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
  if (!parcel.descriptors.empty()) {
    const auto size = parcel.descriptors.size() * sizeof(int);
    std::memset(control, 0, sizeof control);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(size);
    auto* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(part), parcel.descriptors.data(), size);
  }
  for (;;) {
    if (::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return Passed::done;
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return Passed::must_wait;
    if (is_end(errno)) return Passed::closed;
    throw_os_error(errno,
                   fmt::format("cannot send a message of {} bytes to another process", parcel.bytes.size()));
  }
}

Passed take(int socket, std::uint32_t& tag, Parcel& parcel) {
  parcel = Parcel();
  Header header{};
  char bytes[kInline];
  iovec pieces[2] = {{&header, sizeof header}, {bytes, sizeof bytes}};
  alignas(cmsghdr) char control[CMSG_SPACE((kMaxDescriptors + 3) * sizeof(int))];
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = 0;
  while ((got = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return Passed::must_wait;
    if (is_end(errno)) return Passed::closed;
    throw_os_error(errno, "cannot receive a message from another process");
  }
  take_descriptors(message, parcel);
  if (got == 0) return Passed::closed;
  if (message.msg_flags & MSG_CTRUNC) throw_os_error(EMFILE, "cannot receive the descriptors of a message");
  const auto size = static_cast<std::size_t>(got);
  const bool spilled = (header.flags & kSpilled) != 0;
  if (size < sizeof header || (message.msg_flags & MSG_TRUNC) ||
      (!spilled && header.size != size - sizeof header)) {
    throw UnpackError(fmt::format("cannot receive: a packet of {} bytes is none of eddy's", size));
  }
  tag = header.tag;
  if (spilled) load_spilled(parcel, header.size);
  else parcel.bytes.assign(bytes, size - sizeof header);
  return Passed::done;
}

bool wait_for_events(int fd, short events, Duration timeout) {
  pollfd entry{fd, events, 0};
  return poll_until({&entry, 1}, Deadline(timeout), "cannot wait for another process") > 0;
}

Passed pass_blocking(int socket, std::uint32_t tag, Parcel& parcel, Duration timeout) {
  spill(parcel);
  const Deadline deadline(timeout);
  for (;;) {
    const auto passed = pass(socket, tag, parcel);
    if (passed != Passed::must_wait || !wait_for_events(socket, POLLOUT, deadline.left())) return passed;
  }
}

Passed take_blocking(int socket, std::uint32_t& tag, Parcel& parcel, Duration timeout) {
  const Deadline deadline(timeout);
  for (;;) {
    const auto taken = take(socket, tag, parcel);
    if (taken != Passed::must_wait || !wait_for_events(socket, POLLIN, deadline.left())) return taken;
  }
}

}  // namespace eddy::detail
