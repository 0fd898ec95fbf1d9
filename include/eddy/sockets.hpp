// SPDX-License-Identifier: MIT
// Python's `socket`, as a type that owns its descriptor. Its calls block, or throw BlockingIOError where it is
// non-blocking; `loop.sock_…` are the awaitable ones (events.hpp). Most programs want streams.hpp instead. AF_…, SOCK_…,
// MSG_… are the system's: include <sys/socket.h>.
#pragma once

#include <cstddef>
#include <eddy/addresses.hpp>
#include <eddy/clock.hpp>
#include <eddy/datagrams.hpp>
#include <eddy/events.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy {

namespace detail {
inline constexpr int kLocal = 1, kInternet = 2, kStream = 1;  // AF_UNIX, AF_INET, SOCK_STREAM
}

/// Owns a descriptor: one that came over a socket.
class FileDescriptor {
 public:
  FileDescriptor() noexcept = default;
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.detach()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() { close(); }

  int fileno() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  /// Gives it away: it is the caller's to close.
  int detach() noexcept { return std::exchange(fd_, -1); }
  void close() noexcept;

 private:
  int fd_ = -1;
};

/// What recv_fds() gives.
struct ReceivedDescriptors {
  std::string data;
  std::vector<FileDescriptor> descriptors;
  int flags;  // MSG_CTRUNC: more descriptors came than there was room for, and were closed
};

/// A socket: `socket.socket`. It owns its descriptor, which child processes do not inherit. Blocking unless it is told
/// otherwise. Calls go on after signals; failed ones throw the OSError of the family, which names the peer.
///
/// For one thread at a time. Closing it ends what tasks of this thread's loop do with it: ClosedResourceError.
class Socket {
 public:
  /// AF_INET, SOCK_STREAM unless given. `type` may have SOCK_NONBLOCK.
  explicit Socket(int family = detail::kInternet, int type = detail::kStream, int protocol = 0);
  /// Takes over an open socket. Throws OSError if it is none, and leaves it to the caller.
  static Socket from_fd(int fd);
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)), timeout_(other.timeout_) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(timeout_, other.timeout_);
    return *this;
  }
  ~Socket() { close(); }

  /// -1 once closed.
  int fileno() const noexcept { return fd_; }
  /// Gives the descriptor away: it is the caller's to close.
  int detach() noexcept;
  void close() noexcept;
  bool closed() const noexcept { return fd_ < 0; }
  /// AF_…, SOCK_…, IPPROTO_…, as the kernel has them.
  int family() const;
  int type() const;
  int protocol() const;
  /// Another descriptor of the same socket.
  Socket dup() const;

  // --- waiting

  void set_blocking(bool blocking);
  /// False only for timeout 0.
  bool get_blocking() const noexcept { return !timeout_ || timeout_->count() != 0; }
  /// How long a call waits before it throws TimeoutError; nothing: without end; 0: not at all, BlockingIOError. Throws
  /// ValueError for a negative one.
  void set_timeout(std::optional<Duration> timeout);
  std::optional<Duration> timeout() const noexcept { return timeout_; }

  // --- connections

  void bind(const Address& address);
  void listen(int backlog = 128);
  /// Where non-blocking, BlockingIOError (EINPROGRESS) means that it goes on: wait until it is writable, then ask
  /// getsockopt(SOL_SOCKET, SO_ERROR).
  void connect(const Address& address);
  /// The same; gives errno, or 0, and throws nothing of the call's.
  int connect_ex(const Address& address);
  Accepted accept();
  /// SHUT_RD, SHUT_WR, SHUT_RDWR.
  void shutdown(int how);
  Address getsockname() const;
  Address getpeername() const;
  /// Of a Unix socket. Throws OSError for others.
  PeerCredentials peer_credentials() const;

  // --- bytes; `flags`: MSG_…. No signal comes from writing to a peer that has gone: BrokenPipeError does.

  /// Up to `n` bytes; empty: the peer has ended the stream.
  std::string recv(std::size_t n, int flags = 0);
  std::size_t recv_into(std::span<char> room, int flags = 0);
  std::size_t recv_into(std::span<std::byte> room, int flags = 0) { return recv_into(chars(room), flags); }
  Datagram recvfrom(std::size_t n, int flags = 0);
  DatagramSize recvfrom_into(std::span<char> room, int flags = 0);
  /// Gives how many went: perhaps not all.
  std::size_t send(std::string_view data, int flags = 0);
  void sendall(std::string_view data, int flags = 0);
  std::size_t sendto(std::string_view data, const Address& address, int flags = 0);
  /// Never wait, whatever the timeout: nothing, where the call would block. 0 bytes: the end.
  std::optional<std::size_t> try_recv(std::span<char> room, int flags = 0);
  std::optional<std::size_t> try_send(std::string_view data, int flags = 0);

  /// Copies of descriptors over a Unix socket, with at least one byte. Throws ValueError for no byte and for more than
  /// 253 descriptors.
  std::size_t send_fds(std::string_view data, const std::vector<int>& descriptors);
  /// Up to `n` bytes, and the descriptors that came with them, at most `most`; what came beyond is closed.
  ReceivedDescriptors recv_fds(std::size_t n, std::size_t most);

  // --- options

  void setsockopt(int level, int option, int value);
  /// For those that are structures.
  void setsockopt(int level, int option, std::span<const std::byte> value);
  int getsockopt(int level, int option) const;
  std::string getsockopt(int level, int option, std::size_t size) const;
  /// By name: "SO_REUSEADDR", "TCP_NODELAY", "IPV6_V6ONLY". Throws ValueError for one that eddy does not know, or that has
  /// no number as its value.
  void set_option(std::string_view name, int value);
  int option(std::string_view name) const;

 private:
  struct Adopt {};
  Socket(Adopt, int fd, std::optional<Duration> timeout) noexcept : fd_(fd), timeout_(timeout) {}
  static std::span<char> chars(std::span<std::byte> bytes) noexcept {
    return {reinterpret_cast<char*>(bytes.data()), bytes.size()};
  }
  template <class F>
  std::size_t call(bool writes, const char* operation, F function);

  int fd_ = -1;
  std::optional<Duration> timeout_;  // 0: non-blocking; other lengths: non-blocking for the kernel, and we wait
};

/// What accept() gives: the connection, and where it comes from.
struct Accepted {
  Socket socket;
  Address address;
};

/// Two connected sockets; AF_UNIX, SOCK_STREAM unless given.
std::pair<Socket, Socket> socketpair(int family = detail::kLocal, int type = detail::kStream, int protocol = 0);

/// As the loop's: suspends until the descriptor can be read (written) without waiting.
inline auto wait_readable(int fd) { return detail::DescriptorWait(fd, false); }
inline auto wait_writable(int fd) { return detail::DescriptorWait(fd, true); }
inline auto wait_readable(const Socket& socket) { return wait_readable(socket.fileno()); }
inline auto wait_writable(const Socket& socket) { return wait_writable(socket.fileno()); }
/// Before a descriptor is closed: see EventLoop::notify_closing().
void notify_closing(int fd);

}  // namespace eddy
