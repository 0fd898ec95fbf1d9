// SPDX-License-Identifier: MIT
#include "io/sockets.hpp"

#include <eddy/exceptions.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/text.hpp"
#include "loop/loop.hpp"
#include "task/plain_wait.hpp"

namespace eddy::detail {
namespace {

template <int (*name_of_socket)(int, sockaddr*, socklen_t*)>
Address address_of(int fd) noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (fd < 0 || name_of_socket(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return Address::from_data(&storage, size);
}
int peer_name(int fd, sockaddr* address, socklen_t* size) { return ::getpeername(fd, address, size); }
int local_name(int fd, sockaddr* address, socklen_t* size) { return ::getsockname(fd, address, size); }

UniqueFd new_socket(int family, std::string_view operation) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw_os_error(errno, operation);
  return fd;
}

// Waits until a descriptor that nothing else watches can be written: until it is connected to `remote`.
class WritableWait final : private IoWatch {
 public:
  WritableWait(Loop& loop, int descriptor, const Address& remote) : loop_(loop), remote_(remote) {
    fd = descriptor;
    interest = kWritable;
    on_events = [](IoWatch& watch, unsigned) noexcept {
      if (auto* task = static_cast<WritableWait&>(watch).waiter_) task->wake();
    };
    loop_.backend->watch(*this);
    loop_.io_opened();
  }
  WritableWait(const WritableWait&) = delete;
  ~WritableWait() {
    loop_.backend->unwatch(*this);
    loop_.io_closed();
  }

  class Awaiter {
   public:
    explicit Awaiter(WritableWait& wait) noexcept : wait_(&wait) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> where) {
      wait_->waiter_ = &current_task_core();
      wait_->waiter_->wait(where, kOps, wait_);
    }
    void await_resume() { std::exchange(wait_->waiter_, nullptr)->throw_if_cancelled(); }

   private:
    WritableWait* wait_;
  };
  Awaiter wait() noexcept { return Awaiter(*this); }

 private:
  static void describe(const TaskCore& task, Text& text) {
    const auto& self = *static_cast<const WritableWait*>(task.object);
    text.add("a connection to {} (descriptor {})", self.remote_.str(), self.fd);
  }
  static constexpr WaitOps kOps{&cancel_at_once, &detach_nothing, &describe, nullptr, nullptr, "connect"};
  Loop& loop_;
  const Address& remote_;
  TaskCore* waiter_ = nullptr;
};

}  // namespace

Address peer_of(int fd) noexcept { return address_of<peer_name>(fd); }
Address local_of(int fd) noexcept { return address_of<local_name>(fd); }

void check_port(std::string_view operation, int port) {
  if (port < 0 || port > 65535) throw ValueError(fmt::format("{}: port {} is outside of 0 to 65535", operation, port));
}

void set_nodelay(int fd) noexcept {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Coro<UniqueFd> connect_to(Address remote, Address local) {
  const auto operation = "connect to " + remote.str();
  UniqueFd fd = new_socket(remote.family(), operation);
  set_nodelay(fd.get());
  if (local && local.port() == 0) {  // connect() takes the port then, which may serve other remote addresses, too
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  }
  if (local && ::bind(fd.get(), static_cast<const sockaddr*>(local.data()), local.size()) != 0) {
    throw_os_error(errno, fmt::format("bind to {} in order to {}", local.str(), operation));
  }
  if (::connect(fd.get(), static_cast<const sockaddr*>(remote.data()), remote.size()) == 0) co_return fd;
  if (errno != EINPROGRESS && errno != EINTR) throw_os_error(errno, operation);
  {
    WritableWait writable(Loop::running(), fd.get(), remote);
    co_await writable.wait();
  }
  int failure = 0;
  socklen_t size = sizeof failure;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
  if (failure != 0) throw_os_error(failure, operation);
  co_return fd;
}

UniqueFd listen_on(const Address& address, int backlog, bool reuse_address, bool reuse_port) {
  const auto operation = "listen on " + address.str();
  UniqueFd fd = new_socket(address.family(), operation);
  const int on = 1;
  if (reuse_address) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (reuse_port) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  // Each family has its own socket: "::" must not take IPv4's port as well.
  if (address.family() == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(fd.get(), static_cast<const sockaddr*>(address.data()), address.size()) != 0 ||
      ::listen(fd.get(), backlog) != 0) {
    const int failure = errno;
    if (failure != EADDRINUSE || address.port() != 0) throw_os_error(failure, operation);
    throw_os_error(failure, operation + ": no port is free; connections that ended may still hold them (TIME_WAIT)");
  }
  return fd;
}

}  // namespace eddy::detail
