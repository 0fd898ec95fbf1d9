// SPDX-License-Identifier: MIT
// A back end over io_uring by itself, and what stands above it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "loop/backend.hpp"
#include "loop/uring_features.hpp"

namespace eddy::detail {

/// Skips the test, aloud, where the kernel does not let us.
#define NEEDS_IO_URING() \
  if (const auto features = eddy::detail::uring_features(); !features.usable) GTEST_SKIP() << features.reason

/// Two ends of a TCP connection over the loopback, with small buffers in the kernel. (Unix sockets go another way.)
struct SocketPair {
  UniqueFd ours, theirs;
  SocketPair() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const UniqueFd listener(make());
    theirs = make();
    if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener.get(), 1) != 0 ||
        ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
        ::connect(theirs.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
      std::abort();
    }
    ours = UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    ::fcntl(theirs.get(), F_SETFL, O_NONBLOCK);
  }

 private:
  static UniqueFd make() {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int buffer = 64 * 1024, on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
  }
};

/// Reads all the time, or when it is told to; keeps what came.
struct CollectingSink final : StreamSink {
  std::unique_ptr<StreamDriver> driver;
  std::string came, to_send;
  std::vector<char> room;
  bool reads_on = true;
  bool ended_reading = false;
  bool heard_hangup = false;
  int error = 0;

  explicit CollectingSink(std::size_t room_for = 64 * 1024) : room(room_for) {}

  void open(Backend& backend, UniqueFd fd, bool read_on = true) {
    reads_on = read_on;
    driver = backend.make_stream(fd.get(), *this);
    fd.release();
    if (reads_on) driver->read();
  }
  void send(std::string bytes) {
    to_send += bytes;
    driver->flush();
  }
  void go_on() {
    reads_on = true;
    driver->read();
  }

  std::span<char> read_space() override { return room; }
  void readable() noexcept override { driver->read(); }
  void received(std::size_t count) noexcept override {
    came.append(room.data(), count);
    if (reads_on) driver->read();
  }
  void ended() noexcept override { ended_reading = true; }
  void read_failed(int number) noexcept override { error = number; }
  std::string_view unsent() noexcept override { return to_send; }
  std::string_view sent(std::size_t count) noexcept override {
    to_send.erase(0, count);
    return to_send;
  }
  void write_failed(int number) noexcept override {
    error = number;
    to_send.clear();
  }
  void hung_up() noexcept override { heard_hangup = true; }
};

struct CountingSink final : AcceptSink {
  std::vector<UniqueFd> connections;
  std::vector<int> errors;
  void accepted(int fd) noexcept override { connections.emplace_back(fd); }
  void accept_failed(int error_number) noexcept override { errors.push_back(error_number); }
};

/// A back end that runs on this thread while it lives.
class RunningBackend {
 public:
  explicit RunningBackend(UringFeatures features = uring_features()) : backend_(make_uring_backend(features)) {
    backend_->run_begins();
  }
  RunningBackend(const RunningBackend&) = delete;
  ~RunningBackend() { backend_->settle(); }

  Backend& operator*() const noexcept { return *backend_; }
  Backend* operator->() const noexcept { return backend_.get(); }
  /// Polls until the kernel has nothing to tell for a moment.
  void settle(int times = 5) const {
    for (int i = 0; i < times; ++i) backend_->poll(1'000'000);
  }

 private:
  std::unique_ptr<Backend> backend_;
};

}  // namespace eddy::detail
