// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "support.hpp"

using eddy::detail::UniqueFd;
using eddy::testing::Log;

namespace {

eddy::EventLoop& loop() { return eddy::get_running_loop(); }

struct Pair {
  UniqueFd a, b;
  Pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    a = UniqueFd(ends[0]);
    b = UniqueFd(ends[1]);
  }
  void send_to_a() const { EXPECT_EQ(::send(b.get(), "x", 1, 0), 1); }
  void read_a() const {
    char byte;
    EXPECT_EQ(::recv(a.get(), &byte, 1, 0), 1);
  }
};

}  // namespace

BACKEND_TEST(Descriptors, IO_01_AReaderAndAWriterAreRemovedIndependently) {
  Pair pair;
  Log log;
  loop().add_reader(pair.a.get(), [&] {
    log("read");
    pair.read_a();
  });
  loop().add_writer(pair.a.get(), [&] {
    log("write");
    EXPECT_TRUE(loop().remove_writer(pair.a.get()));
  });
  co_await eddy::sleep(1ms);
  pair.send_to_a();
  co_await eddy::sleep(1ms);
  EXPECT_EQ(log.str(), "write, read");
  EXPECT_TRUE(loop().remove_reader(pair.a.get()));
}

BACKEND_TEST(Descriptors, IO_02_ANewCallbackReplacesTheOldAndFreesIt) {
  Pair pair;
  Log log;
  auto token = std::make_shared<int>();
  loop().add_reader(pair.a.get(), [token] { FAIL(); });
  loop().add_reader(pair.a.get(), [&] {
    log("new");
    pair.read_a();
  });
  EXPECT_EQ(token.use_count(), 1);
  pair.send_to_a();
  co_await eddy::sleep(1ms);
  EXPECT_EQ(log.str(), "new");
  EXPECT_TRUE(loop().remove_reader(pair.a.get()));
}

BACKEND_TEST(Descriptors, IO_03_RemovingWhatIsNotThereGivesFalse) {
  Pair pair;
  EXPECT_FALSE(loop().remove_reader(pair.a.get()));
  loop().add_reader(pair.a.get(), [] {});
  EXPECT_FALSE(loop().remove_writer(pair.a.get()));
  EXPECT_TRUE(loop().remove_reader(pair.a.get()));
  EXPECT_FALSE(loop().remove_reader(pair.a.get()));
  co_return;
}

BACKEND_TEST(Descriptors, IO_04_OneRemovedByAnotherOfTheSameBatchIsNotCalled) {
  Pair first, second;
  int calls = 0;
  auto once = [&] {
    ++calls;
    loop().remove_reader(first.a.get());
    loop().remove_reader(second.a.get());
  };
  loop().add_reader(first.a.get(), once);
  loop().add_reader(second.a.get(), once);
  first.send_to_a();
  second.send_to_a();
  co_await eddy::sleep(1ms);
  EXPECT_EQ(calls, 1);
}

BACKEND_TEST(Descriptors, IO_05_AReusedNumberGetsNoEventsOfItsPredecessor) {
  auto old = std::make_unique<Pair>();
  const int number = old->a.get();
  old->send_to_a();
  loop().add_reader(number, [] { FAIL() << "an event of the closed descriptor"; });
  loop().remove_reader(number);
  old.reset();
  Pair fresh;
  EXPECT_EQ(fresh.a.get(), number);
  Log log;
  loop().add_reader(number, [&] {
    log("fresh");
    fresh.read_a();
  });
  co_await eddy::sleep(1ms);
  EXPECT_EQ(log.str(), "");
  fresh.send_to_a();
  co_await eddy::sleep(1ms);
  EXPECT_EQ(log.str(), "fresh");
  loop().remove_reader(number);
}

BACKEND_TEST(Descriptors, IO_08_AHangUpWakesTheReader) {
  Pair pair;
  bool told = false;
  loop().add_reader(pair.a.get(), [&] {
    told = true;
    char byte;
    EXPECT_EQ(::recv(pair.a.get(), &byte, 1, 0), 0);
    loop().remove_reader(pair.a.get());
  });
  pair.b.reset();
  co_await eddy::sleep(1ms);
  EXPECT_TRUE(told);
}

BACKEND_TEST(Descriptors, IO_08_AHangUpWakesAWriterThatWaitsForRoom) {
  Pair pair;
  std::string block(1 << 16, 'x');
  while (::send(pair.a.get(), block.data(), block.size(), MSG_NOSIGNAL) > 0) {
  }
  bool told = false;
  loop().add_writer(pair.a.get(), [&] {
    told = true;
    loop().remove_writer(pair.a.get());
  });
  co_await eddy::sleep(1ms);
  EXPECT_FALSE(told);
  pair.b.reset();
  co_await eddy::sleep(1ms);
  EXPECT_TRUE(told);
}

BACKEND_TEST(Descriptors, IsCalledAsLongAsThereIsSomethingToRead) {
  Pair pair;
  int calls = 0;
  loop().add_reader(pair.a.get(), [&] {
    if (++calls == 3) loop().remove_reader(pair.a.get());
  });
  pair.send_to_a();
  co_await eddy::sleep(2ms);
  EXPECT_EQ(calls, 3);
}

BACKEND_TEST(Descriptors, ThatAreNotOpenAreRefused) {
  int fd = ::dup(0);
  ::close(fd);
  EXPECT_EQ(TEXT_OF(eddy::OSError, loop().add_reader(fd, [] {})),
            "watch descriptor " + std::to_string(fd) + ": Bad file descriptor");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, loop().add_writer(-1, [] {})), "descriptor -1: it must be open");
  EXPECT_FALSE(loop().remove_reader(fd));
  co_return;
}

TEST(DescriptorsOfSelect, IO_29_AboveItsLimitAreRefusedWithAHint) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit raised{std::max<rlim_t>(limit.rlim_cur, FD_SETSIZE + 16), limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &raised), 0);
  UniqueFd high(::fcntl(0, F_DUPFD_CLOEXEC, FD_SETSIZE + 3));
  ASSERT_GE(high.get(), FD_SETSIZE);
  eddy::EventLoop with_select({.backend = eddy::Backend::select});
  EXPECT_EQ(TEXT_OF(eddy::ValueError, with_select.add_reader(high.get(), [] {})),
            "watch descriptor " + std::to_string(high.get()) +
                ": select() takes descriptors below 1024; choose poll or epoll");
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

TEST(DescriptorsOfTheSimulatedLoop, AreRefusedWithAHint) {
  eddy::EventLoop simulated({.backend = eddy::Backend::simulated});
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, simulated.add_reader(0, [] {})),
            "the simulated back end has no descriptors; use the memory streams of eddy/testing.hpp");
}

TEST(DescriptorsOfAClosedLoop, LOOP_16_LetGoOfTheirCallbacks) {
  Pair pair;
  auto token = std::make_shared<int>();
  for (auto backend : eddy::available_backends()) {
    eddy::EventLoop closed({.backend = backend});
    closed.add_reader(pair.a.get(), [token] {});
    closed.add_writer(pair.a.get(), [token] {});
  }
  EXPECT_EQ(token.use_count(), 1);
}
