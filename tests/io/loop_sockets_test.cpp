// SPDX-License-Identifier: MIT
// loop.sock_…, wait_readable, wait_writable.
#include <eddy/eddy.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>
#include <sys/socket.h>

#include <array>

#include "base/unique_fd.hpp"
#include "descriptor_count.hpp"
#include "support.hpp"

using eddy::Address;
using eddy::create_task;
using eddy::Socket;
using eddy::detail::UniqueFd;
using eddy::testing::error_of;
using eddy::testing::Log;

namespace {

eddy::EventLoop& loop() { return eddy::get_running_loop(); }

struct Pair {
  Socket a, b;
  Pair() : Pair(eddy::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK)) {}
  explicit Pair(std::pair<Socket, Socket> pair) : a(std::move(pair.first)), b(std::move(pair.second)) {}
};

Socket listener() {
  Socket socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  socket.bind(Address("127.0.0.1", 0));
  socket.listen();
  return socket;
}

// A file in memory with `text` in it.
UniqueFd file_of(std::string_view text) {
  UniqueFd file(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::string letters(std::size_t n) {
  std::string text(n, ' ');
  for (std::size_t i = 0; i < n; ++i) text[i] = static_cast<char>('a' + i % 26 + (i / 1000) % 3);
  return text;
}

Coro<std::string> receive_all(const Socket& socket) {
  std::string all;
  for (;;) {
    auto piece = co_await loop().sock_recv(socket, 64 * 1024);
    if (piece.empty()) co_return all;
    all += piece;
  }
}

}  // namespace

BACKEND_TEST(LoopSockets, LP_11_ConnectAcceptSendAndReceive) {
  auto listening = listener();
  auto accepting = create_task(loop().sock_accept(listening));
  Socket client(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  co_await loop().sock_connect(client, listening.getsockname());
  auto accepted = co_await std::move(accepting);
  EXPECT_EQ(accepted.address, client.getsockname());
  EXPECT_FALSE(accepted.socket.get_blocking());
  co_await loop().sock_sendall(client, "hello");
  const auto text = co_await loop().sock_recv(accepted.socket, 100);
  EXPECT_EQ(text, "hello");
  auto receiving = create_task(loop().sock_recv(client, 100));
  co_await eddy::sleep(1ms);
  EXPECT_FALSE(receiving.done());
  accepted.socket.send("later");
  const auto later = co_await receiving;
  EXPECT_EQ(later, "later");
  accepted.socket.close();
  const auto end = co_await loop().sock_recv(client, 100);
  EXPECT_EQ(end, "");
}

BACKEND_TEST(LoopSockets, IO_15_TenMegabytesGoThroughInOrder) {
  Pair pair;
  const auto data = letters(10 << 20);
  auto sending = create_task([](Socket& socket, const std::string& bytes) -> Coro<> {
    co_await loop().sock_sendall_view(socket, bytes);
    socket.shutdown(SHUT_WR);
  }(pair.a, data));
  const auto received = co_await receive_all(pair.b);
  EXPECT_TRUE(received == data);
  co_await sending;
}

BACKEND_TEST(LoopSockets, ReceiveIntoMemoryOfTheCallers) {
  Pair pair;
  std::array<char, 4> chars{};
  std::array<std::byte, 4> bytes{};
  pair.b.send("abcdef");
  const auto four = co_await loop().sock_recv_into(pair.a, chars);
  EXPECT_EQ(std::string(chars.data(), four), "abcd");
  const auto two = co_await loop().sock_recv_into(pair.a, bytes);
  EXPECT_EQ(two, 2u);
  EXPECT_EQ(static_cast<char>(bytes[1]), 'f');
}

BACKEND_TEST(LoopSockets, DatagramsHaveSenders) {
  Socket a(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK), b(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK);
  a.bind(Address("127.0.0.1", 0));
  b.bind(Address("127.0.0.1", 0));
  auto receiving = create_task(loop().sock_recvfrom(b, 100));
  co_await eddy::sleep(1ms);
  const auto sent = co_await loop().sock_sendto(a, "hello", b.getsockname());
  EXPECT_EQ(sent, 5u);
  const auto datagram = co_await std::move(receiving);
  EXPECT_EQ(datagram.data, "hello");
  EXPECT_EQ(datagram.from, a.getsockname());
  std::array<char, 8> room{};
  b.sendto("back", datagram.from);
  const auto back = co_await loop().sock_recvfrom_into(a, room);
  EXPECT_EQ(back.size, 4u);
  EXPECT_EQ(back.from, b.getsockname());
}

BACKEND_TEST(LoopSockets, CancelledReceivesTakeNothing) {
  Pair pair;
  for (int i = 0; i < 3; ++i) {
    auto receiving = create_task(loop().sock_recv(pair.a, 100));
    co_await eddy::sleep(0s);
    co_await eddy::sleep(0s);
    receiving.cancel();
    co_await error_of<eddy::CancelledError>(receiving);
  }
  pair.b.send("whole");
  auto late = create_task(loop().sock_recv(pair.a, 100));
  co_await eddy::sleep(0s);
  const auto text = co_await late;
  EXPECT_EQ(text, "whole");
  EXPECT_EQ(loop().metrics().descriptors, 0u);
}

BACKEND_TEST(LoopSockets, WhoCancelsMayCloseAtOnce) {
  Pair pair;
  auto receiving = create_task(loop().sock_recv(pair.a, 100));
  co_await eddy::sleep(1ms);
  const int number = pair.a.fileno();
  receiving.cancel();
  pair.a.close();
  // The number comes back, and what comes of the old wait must not disturb the new one.
  Pair other;
  EXPECT_EQ(other.a.fileno(), number);
  auto again = create_task(loop().sock_recv(other.a, 100));
  co_await error_of<eddy::CancelledError>(receiving);
  co_await eddy::sleep(1ms);
  other.b.send("mine");
  const auto text = co_await again;
  EXPECT_EQ(text, "mine");
}

BACKEND_TEST(LoopSockets, TRI_13_TwoReceiversAreTold) {
  Pair pair;
  auto first = create_task(loop().sock_recv(pair.a, 100));
  co_await eddy::sleep(1ms);
  const auto text = fmt::format("descriptor {}: another task already reads from it; one task at a time", pair.a.fileno());
  const auto busy = co_await error_of<eddy::BusyResourceError>(loop().sock_recv(pair.a, 100));
  EXPECT_EQ(busy.what(), text);
  auto wait = [&]() -> Coro<> { co_await eddy::wait_readable(pair.a); };
  const auto waiting = co_await error_of<eddy::BusyResourceError>(wait());
  EXPECT_EQ(waiting.what(), text);
  EXPECT_EQ(TEXT_OF(eddy::BusyResourceError, loop().add_reader(pair.a.fileno(), [] {})), text);
  co_await loop().sock_sendall(pair.a, "the other direction is free");
  pair.b.send("x");
  // Also between the bytes' coming and the first one's step.
  const auto got = co_await first;
  EXPECT_EQ(got, "x");
}

BACKEND_TEST(LoopSockets, TRI_13_TwoSendersDoNotMixTheirBytes) {
  Pair pair;
  const std::string block(4 << 20, 'x');
  auto first = create_task(loop().sock_sendall_view(pair.a, block));
  co_await eddy::sleep(1ms);
  const auto busy = co_await error_of<eddy::BusyResourceError>(loop().sock_sendall(pair.a, "y"));
  EXPECT_EQ(busy.what(), fmt::format("descriptor {}: another task already writes to it; one task at a time", pair.a.fileno()));
  auto receiving = create_task(receive_all(pair.b));
  co_await first;
  pair.a.close();
  const auto all = co_await receiving;
  EXPECT_TRUE(all == block);
}

BACKEND_TEST(LoopSockets, ACallbackAndATaskDoNotShareADirection) {
  Pair pair;
  loop().add_reader(pair.a.fileno(), [] {});
  auto wait = [&]() -> Coro<> { co_await loop().wait_readable(pair.a.fileno()); };
  const auto busy = co_await error_of<eddy::BusyResourceError>(wait());
  EXPECT_EQ(busy.what(), fmt::format("descriptor {}: add_reader() watches it already", pair.a.fileno()));
  co_await eddy::wait_writable(pair.a);
  EXPECT_TRUE(loop().remove_reader(pair.a.fileno()));
  EXPECT_EQ(loop().metrics().descriptors, 0u);
}

BACKEND_TEST(LoopSockets, TRI_13_ClosingEndsWhatWaits) {
  Pair pair;
  auto receiving = create_task(loop().sock_recv(pair.a, 100));
  const std::string block(4 << 20, 'x');
  auto sending = create_task(loop().sock_sendall_view(pair.a, block));
  co_await eddy::sleep(1ms);
  const int number = pair.a.fileno();
  pair.a.close();
  const auto text = fmt::format("descriptor {} was closed while a task waited for it", number);
  const auto receiver = co_await error_of<eddy::ClosedResourceError>(receiving);
  EXPECT_EQ(receiver.what(), text);
  const auto sender = co_await error_of<eddy::ClosedResourceError>(sending);
  EXPECT_EQ(sender.what(), text);
  const auto closed = TEXT_OF(eddy::ValueError, static_cast<void>(loop().sock_recv(pair.a, 1)));
  EXPECT_EQ(closed, "the socket is closed");
}

BACKEND_TEST(LoopSockets, NotifyClosingRemovesCallbacksToo) {
  Pair pair;
  auto token = std::make_shared<int>();
  loop().add_reader(pair.a.fileno(), [token] {});
  eddy::notify_closing(pair.a.fileno());
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_FALSE(loop().remove_reader(pair.a.fileno()));
  eddy::notify_closing(12345);
  co_return;
}

BACKEND_TEST(LoopSockets, STR_09_InDebugModeTheSocketMustBeNonBlocking) {
  Socket blocking;
  loop().set_debug(true);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, static_cast<void>(loop().sock_connect(blocking, Address("127.0.0.1", 1)))),
            "the socket must be non-blocking");
  loop().set_debug(false);
  // Without it, a blocking socket does not block the loop all the same.
  auto [a, b] = eddy::socketpair();
  auto receiving = create_task(loop().sock_recv(a, 100));
  co_await eddy::sleep(1ms);
  b.send("x");
  const auto text = co_await receiving;
  EXPECT_EQ(text, "x");
}

BACKEND_TEST(LoopSockets, STR_06_ConnectErrorsNameTheAddress) {
  auto listening = listener();
  const auto address = listening.getsockname();
  listening.close();
  Socket socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  const auto refused = co_await error_of<eddy::ConnectionRefusedError>(loop().sock_connect(socket, address));
  EXPECT_EQ(refused.what(), fmt::format("connect to {}: Connection refused", address.str()));
  Socket unix_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
  const auto missing = co_await error_of<eddy::FileNotFoundError>(
      loop().sock_connect(unix_socket, Address::from_path("/nowhere/at/all")));
  EXPECT_STREQ(missing.what(), "connect to /nowhere/at/all: No such file or directory");
}

BACKEND_TEST(LoopSockets, LP_9_SendfileSendsAFileOrAPart) {
  Pair pair;
  const auto text = letters(3 << 20);
  auto file = file_of(text);
  auto receiving = create_task(receive_all(pair.b));
  const auto part = co_await loop().sock_sendfile(pair.a, file.get(), 10, 5);
  EXPECT_EQ(part, 5u);
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 15);
  const auto all = co_await loop().sock_sendfile(pair.a, file.get());
  EXPECT_EQ(all, text.size());
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), static_cast<off_t>(text.size()));
  const auto beyond = co_await loop().sock_sendfile(pair.a, file.get(), text.size() + 5);
  EXPECT_EQ(beyond, 0u);
  pair.a.close();
  const auto received = co_await receiving;
  EXPECT_TRUE(received == text.substr(10, 5) + text);
}

BACKEND_TEST(LoopSockets, LP_9_SendfileReadsWhatTheKernelCannotSend) {
  Pair pair;
  UniqueFd file(::open("/proc/self/comm", O_RDONLY | O_CLOEXEC));
  std::array<char, 64> room{};
  const auto size = ::pread(file.get(), room.data(), room.size(), 0);
  EXPECT_GT(size, 0);
  const auto sent = co_await loop().sock_sendfile(pair.a, file.get());
  EXPECT_EQ(sent, static_cast<std::size_t>(size));
  pair.a.close();
  const auto received = co_await receive_all(pair.b);
  EXPECT_EQ(received, std::string(room.data(), static_cast<std::size_t>(size)));
}

BACKEND_TEST(LoopSockets, LP_9_SendfileToAPeerThatHasGoneIsABrokenPipe) {
  Pair pair;
  auto file = file_of("text");
  pair.b.close();
  const auto broken = co_await error_of<eddy::BrokenPipeError>(loop().sock_sendfile(pair.a, file.get()));
  EXPECT_EQ(broken.what(), fmt::format("send a file to descriptor {}: Broken pipe", pair.a.fileno()));
  Socket datagrams(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, static_cast<void>(loop().sock_sendfile(datagrams, file.get()))),
            "sock_sendfile: only a stream socket can send a file");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, static_cast<void>(loop().sock_sendfile(pair.a, file.get(), 0, 0))),
            "sock_sendfile: count must be above 0");
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reading(ends[0]), writing(ends[1]);
  Pair fresh;
  const auto refused = co_await error_of<eddy::SendfileNotAvailableError>(
      loop().sock_sendfile(fresh.a, reading.get(), 0, std::nullopt, false));
  EXPECT_EQ(refused.what(), fmt::format("file descriptor {} cannot be sent by the kernel", reading.get()));
}

BACKEND_TEST(LoopSockets, DescriptorsTravel) {
  Pair pair;
  auto receiving = create_task(loop().sock_recv_fds(pair.b, 100, 4));
  co_await eddy::sleep(1ms);
  {
    Pair sent;
    co_await loop().sock_send_fds(pair.a, "one", sent.a.fileno());
    sent.b.send("still in its buffer");
  }
  auto received = co_await std::move(receiving);
  EXPECT_EQ(received.data, "one");
  auto socket = Socket::from_fd(received.descriptors.at(0).detach());
  EXPECT_EQ(socket.recv(100), "still in its buffer");
}

BACKEND_TEST(WaitingForDescriptors, LP_12_AnyDescriptorWillDo) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  UniqueFd reading(ends[0]), writing(ends[1]);
  Log log;
  auto reader = [&]() -> Coro<> {
    co_await eddy::wait_readable(reading.get());
    log("readable");
  };
  auto task = create_task(reader());
  co_await loop().wait_writable(writing.get());
  log("writable");
  EXPECT_EQ(::write(writing.get(), "x", 1), 1);
  co_await task;
  EXPECT_EQ(log.str(), "writable, readable");
  EXPECT_EQ(loop().metrics().descriptors, 0u);
  writing.reset();
  char byte = 0;
  EXPECT_EQ(::read(reading.get(), &byte, 1), 1);
  co_await eddy::wait_readable(reading.get());  // a hang-up
}

BACKEND_TEST(WaitingForDescriptors, IsNamedInATaskTree) {
  Pair pair;
  auto wait = [&]() -> Coro<> { co_await eddy::wait_readable(pair.a); };
  auto task = create_task(wait(), {.name = "waiter"});
  co_await eddy::sleep(0s);
  co_await eddy::sleep(0s);
  const auto tree = eddy::format_task_tree();
  EXPECT_NE(tree.find(fmt::format("descriptor {} to be readable", pair.a.fileno())), tree.npos) << tree;
  task.cancel();
  co_await error_of<eddy::CancelledError>(task);
}

BACKEND_TEST(WaitingForDescriptors, RefusesWhatCannotBeWatched) {
  auto wait = [](int fd) -> Coro<> { co_await eddy::wait_readable(fd); };
  const auto negative = co_await error_of<eddy::ValueError>(wait(-1));
  EXPECT_STREQ(negative.what(), "descriptor -1: it must be open");
  UniqueFd gone(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = gone.get();
  gone.reset();
  const auto closed = co_await error_of<eddy::OSError>(wait(number));
  EXPECT_EQ(closed.what(), fmt::format("watch descriptor {}: Bad file descriptor", number));
}

BACKEND_TEST(WaitingForDescriptors, AStreamsOwnDescriptorIsRefused) {
  auto listening = listener();
  auto streams = co_await eddy::open_connection("127.0.0.1", listening.getsockname().port());
  const int fd = streams.writer.fileno();
  auto wait = [](int descriptor) -> Coro<> { co_await eddy::wait_readable(descriptor); };
  const auto text = fmt::format("File descriptor {} is used by transport", fd);
  const auto waiting = co_await error_of<eddy::RuntimeError>(wait(fd));
  EXPECT_EQ(waiting.what(), text);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, loop().add_reader(fd, [] {})), text);
  EXPECT_FALSE(loop().remove_reader(fd));
}

// --- sweeps: an echo over raw sockets, cancelled and failing at each await, on each back end

namespace {

Coro<> raw_echo() {
  auto pair = eddy::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
  auto& far = pair.second;
  auto serve = [&]() -> Coro<> {
    for (;;) {
      auto text = co_await loop().sock_recv(far, 100);
      if (text.empty()) co_return;
      co_await loop().sock_sendall(far, text);
    }
  };
  co_await eddy::task_group([&](eddy::TaskGroup& group) -> Coro<> {
    group.create_task(serve());
    for (int i = 0; i < 2; ++i) {
      co_await eddy::wait_writable(pair.first);
      co_await loop().sock_sendall(pair.first, "echo");
      co_await loop().sock_recv(pair.first, 100);
    }
    pair.first.shutdown(SHUT_WR);
  });
}

Coro<> raw_connection() {
  auto listening = listener();
  auto serve = [&]() -> Coro<> {
    auto accepted = co_await loop().sock_accept(listening);
    auto file = file_of("a file");
    co_await loop().sock_sendfile(accepted.socket, file.get());
    co_await loop().sock_send_fds(accepted.socket, "x");
  };
  co_await eddy::task_group([&](eddy::TaskGroup& group) -> Coro<> {
    group.create_task(serve());
    Socket client(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    co_await loop().sock_connect(client, listening.getsockname());
    std::string all;
    while (all.size() < 7) {
      auto piece = co_await loop().sock_recv_fds(client, 100, 1);
      if (piece.data.empty()) co_return;
      all += piece.data;
    }
  });
}

}  // namespace

TEST(LoopSocketSweeps, LeaveNothingWhereverTheyEnd) {
  const auto before = open_descriptors();
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    for (auto program : {raw_echo, raw_connection}) {
      EXPECT_GE(eddy::testing::cancel_everywhere(program, {.cancel_rest = true, .backend = backend}), 4u);
      EXPECT_GE(eddy::testing::fail_everywhere(program, eddy::OSError(EIO, "test"), {.cancel_rest = true, .backend = backend}),
                2u);
    }
  }
  EXPECT_EQ(open_descriptors(), before);
}
