// SPDX-License-Identifier: MIT
// System calls that fail now and then, as they do when a signal comes, when the kernel is short of memory, when a peer
// breaks off: this program has its own recv, send, accept4 …, which fail as a test wishes.
#include <eddy/eddy.hpp>
#include <eddy/sockets.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "support.hpp"

using eddy::StreamReader;
using eddy::StreamWriter;
using eddy::testing::error_of;
using eddy::testing::Log;

namespace {

enum Calls : unsigned { kReceive = 1, kSend = 2, kAccept = 4, kAll = 7 };

// Of the calls of the kinds `calls`, each `every`th works and those before it fail.
class Failing {
 public:
  Failing(unsigned calls, int error_number, int every) {
    count_ = 0;
    error_ = error_number;
    every_ = every;
    calls_ = calls;
  }
  Failing(const Failing&) = delete;
  ~Failing() { calls_ = 0; }

  static bool now(unsigned call) noexcept {
    if (!(calls_ & call)) return false;
    if (++count_ % every_ == 0) return false;
    errno = error_;
    return true;
  }
  static int count() { return count_; }

 private:
  static inline std::atomic<unsigned> calls_{0};
  static inline std::atomic<int> error_{0}, every_{1}, count_{0};
};

bool is_ours(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_NONBLOCK);
}

template <class... Arguments>
ssize_t call(unsigned kind, long number, int fd, Arguments... arguments) noexcept {
  if (is_ours(fd) && Failing::now(kind)) return -1;
  return ::syscall(number, fd, arguments...);
}

}  // namespace

extern "C" {
ssize_t recv(int fd, void* to, size_t size, int flags) {
  return call(kReceive, SYS_recvfrom, fd, to, size, flags, nullptr, nullptr);
}
ssize_t recvfrom(int fd, void* to, size_t size, int flags, sockaddr* from, socklen_t* length) {
  return call(kReceive, SYS_recvfrom, fd, to, size, flags, from, length);
}
ssize_t recvmsg(int fd, msghdr* message, int flags) { return call(kReceive, SYS_recvmsg, fd, message, flags); }
int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  return static_cast<int>(call(kReceive, SYS_recvmmsg, fd, messages, count, flags, timeout));
}
ssize_t send(int fd, const void* from, size_t size, int flags) {
  return call(kSend, SYS_sendto, fd, from, size, flags, nullptr, 0);
}
ssize_t sendto(int fd, const void* from, size_t size, int flags, const sockaddr* to, socklen_t length) {
  return call(kSend, SYS_sendto, fd, from, size, flags, to, length);
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) { return call(kSend, SYS_sendmsg, fd, message, flags); }
int sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  return static_cast<int>(call(kSend, SYS_sendmmsg, fd, messages, count, flags));
}
ssize_t writev(int fd, const iovec* pieces, int count) { return call(kSend, SYS_writev, fd, pieces, count); }
int accept4(int fd, sockaddr* from, socklen_t* length, int flags) {
  return static_cast<int>(call(kAccept, SYS_accept4, fd, from, length, flags));
}
}

namespace {

constexpr auto kText = "the quick brown fox jumps over the lazy dog";

Coro<> echo(StreamReader reader, StreamWriter writer) {
  for (;;) {
    const auto bytes = co_await reader.read(64 * 1024);
    if (bytes.empty()) break;
    writer.write(bytes);
    co_await writer.drain();
  }
  writer.close();
}

Coro<> exchange_ten(int port) {
  auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", port);
  for (int i = 0; i < 10; ++i) {
    writer.writelines({"1", kText, "2"});
    const auto bytes = co_await reader.readexactly(std::string_view(kText).size() + 2);
    EXPECT_EQ(bytes, "1" + std::string(kText) + "2");
  }
  writer.close();
  co_await writer.wait_closed();
}

Coro<eddy::DatagramSocket> open_local() {
  auto socket = co_await eddy::open_datagram({.local = {"127.0.0.1", 0}});
  co_return socket;
}

}  // namespace

BACKEND_TEST(FailingCalls, IO_18_SignalsInterruptNoStream) {
  auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
  {
    const Failing failing(kAll, EINTR, 3);
    co_await exchange_ten(server.port());
    EXPECT_GT(Failing::count(), 20);
  }
  server.close();
  co_await server.wait_closed();
}

BACKEND_TEST(FailingCalls, SignalsInterruptNoPipe) {
  auto [reader, writer] = co_await eddy::open_pipe();
  const Failing failing(kAll, EINTR, 3);
  writer.write(kText);
  writer.close();
  const auto bytes = co_await reader.read();
  EXPECT_EQ(bytes, kText);
  EXPECT_GE(Failing::count(), 3);
}

BACKEND_TEST(FailingCalls, SignalsInterruptNoDatagram) {
  auto receiver = co_await open_local();
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  const Failing failing(kAll, EINTR, 3);
  for (int i = 0; i < 10; ++i) {
    co_await sender.send(kText);
    const auto datagram = co_await receiver.receive();
    EXPECT_EQ(datagram.data, kText);
  }
  EXPECT_GE(Failing::count(), 60);
}

// What the kernel says about readiness is a hint to the calls that wait for it: they ask again.
BACKEND_TEST(FailingCalls, DatagramsThatAreNotReadyAfterAllComeLater) {
  auto receiver = co_await open_local();
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  const Failing failing(kReceive | kSend, EAGAIN, 4);
  for (int i = 0; i < 10; ++i) {
    co_await sender.send(kText);
    const auto datagram = co_await receiver.receive();
    EXPECT_EQ(datagram.data, kText);
  }
  EXPECT_GE(Failing::count(), 80);
}

BACKEND_TEST(FailingCalls, TheLoopsSocketCallsAskAgain) {
  for (const int error : {EAGAIN, EINTR}) {
    auto& loop = eddy::get_running_loop();
    eddy::Socket listener;
    listener.set_blocking(false);
    listener.bind({"127.0.0.1", 0});
    listener.listen(1);
    eddy::Socket near;
    near.set_blocking(false);
    const Failing failing(kAll, error, 4);
    co_await loop.sock_connect(near, listener.getsockname());
    auto accepted = co_await loop.sock_accept(listener);
    std::string text(kText);
    co_await loop.sock_sendall(near, text);
    const auto bytes = co_await loop.sock_recv(accepted.socket, 100);
    EXPECT_EQ(bytes, kText);
    EXPECT_GE(Failing::count(), 12);
  }
}

// The peer sees the loss of one datagram, which it has to live with, and the socket works on.
BACKEND_TEST(FailingCalls, AFullNetworkFailsOneDatagram) {
  auto receiver = co_await open_local();
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  {
    const Failing failing(kSend, ENOBUFS, 1000);
    const auto error = co_await error_of<eddy::OSError>(sender.send("lost"));
    EXPECT_EQ(std::string(error.what()), "send to " + receiver.local_address().str() + ": No buffer space available");
  }
  co_await sender.send("kept");
  const auto datagram = co_await receiver.receive();
  EXPECT_EQ(datagram.data, "kept");
}

BACKEND_TEST(FailingCalls, WhatBreaksAWriteIsThrownByDrain) {
  for (const int error : {ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH, ENOBUFS}) {
    auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
    auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
    {
      const Failing failing(kSend, error, 1000);
      writer.write("lost");
      const auto failure = co_await error_of<eddy::OSError>(writer.drain());
      EXPECT_EQ(failure.error_number(), error);
    }
    server.close();
    co_await server.wait_closed();
  }
}

// On io_uring the kernel receives, and no call of ours can fail: a reset by the peer is tested there.
TEST(FailingCalls, WhatBreaksAReadIsThrownByItOnReadiness) {
  for (auto backend : {eddy::Backend::epoll, eddy::Backend::poll, eddy::Backend::select}) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    auto body = []() -> Coro<> {
      for (const int error : {ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOMEM}) {
        auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
        auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
        writer.write("x");
        {
          const Failing failing(kReceive, error, 1000);
          const auto failure = co_await error_of<eddy::OSError>(reader.read(1));
          EXPECT_EQ(failure.error_number(), error);
        }
        server.close_clients();
        server.close();
        co_await server.wait_closed();
      }
    };
    // The server's handler fails as well, which its loop's exception handler hears.
    auto quiet = [&body]() -> Coro<> {
      eddy::get_running_loop().set_exception_handler([](const eddy::ExceptionContext&) {});
      co_await body();
    };
    eddy::run(eddy::timeout(20s, quiet()), {.backend = backend});
  }
}

// accept(2) gives the errors of the connection that it would have been.
TEST(FailingCalls, IO_13_AConnectionThatFailedBeforeItWasAcceptedIsNoNews) {
  for (auto backend : {eddy::Backend::epoll, eddy::Backend::poll, eddy::Backend::select}) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    auto body = []() -> Coro<> {
      for (const int error : {EINTR, ECONNABORTED, EPERM, ENETDOWN, EPROTO, EHOSTUNREACH, ENETUNREACH}) {
        Log log;
        eddy::get_running_loop().set_exception_handler(
            [&](const eddy::ExceptionContext& context) { log(context.message); });
        auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
        {
          const Failing failing(kAccept, error, 3);
          co_await exchange_ten(server.port());
          EXPECT_GE(Failing::count(), 3);
        }
        EXPECT_EQ(log, "");
        server.close();
        co_await server.wait_closed();
      }
    };
    eddy::run(eddy::timeout(20s, body()), {.backend = backend});
  }
}

TEST(FailingCalls, IO_13_AServerShortOfDescriptorsOrMemoryTriesAgainInASecond) {
  for (auto backend : {eddy::Backend::epoll, eddy::Backend::poll, eddy::Backend::select}) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    auto body = []() -> Coro<> {
      for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
        Log log;
        eddy::get_running_loop().set_exception_handler(
            [&](const eddy::ExceptionContext& context) { log(context.message); });
        auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
        {
          const Failing failing(kAccept, error, 3);
          const auto begin = eddy::get_running_loop().time();
          co_await exchange_ten(server.port());
          EXPECT_EQ(eddy::get_running_loop().time() - begin, 2s);
        }
        const auto text = "accept on " + server.address().str() + " failed: " + std::strerror(error) +
                          "; trying again in 1s";
        // A third one may follow: of the call that looks whether there is another connection.
        EXPECT_TRUE(log.str().starts_with(text + ", " + text)) << log.str();
        server.close();
        co_await server.wait_closed();
      }
    };
    eddy::run(body(), {.backend = backend, .virtual_time = true});
  }
}
