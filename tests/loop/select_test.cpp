// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <thread>

#include "base/unique_fd.hpp"
#include "support.hpp"

using eddy::Epoll;
using eddy::Poll;
using eddy::PollEvent;
using eddy::Socket;
using eddy::detail::UniqueFd;

using Events = std::vector<PollEvent>;

TEST(Select, GivesBackTheObjectsThatWerePassedIn) {
  auto [a, b] = eddy::socketpair();
  auto [c, d] = eddy::socketpair();
  b.send("x");
  auto [readable, writable, exceptional] = eddy::select<const Socket*>({&a, &c}, {&d}, {&a}, 1s);
  EXPECT_EQ(readable, std::vector<const Socket*>{&a});
  EXPECT_EQ(writable, std::vector<const Socket*>{&d});
  EXPECT_TRUE(exceptional.empty());
}

TEST(Select, TimesOutWithThreeEmptyLists) {
  auto [a, b] = eddy::socketpair();
  const auto began = std::chrono::steady_clock::now();
  const auto lists = eddy::select({a.fileno()}, {}, {}, 10ms);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 10ms);
  EXPECT_TRUE(lists.readable.empty() && lists.writable.empty() && lists.exceptional.empty());
}

TEST(Select, TellsOfUrgentBytesAsExceptional) {
  Socket listener;
  listener.bind(eddy::Address("127.0.0.1", 0));
  listener.listen();
  Socket client;
  client.connect(listener.getsockname());
  auto accepted = listener.accept();
  client.send("!", MSG_OOB);
  const auto lists = eddy::select({}, {}, {accepted.socket.fileno()}, 5s);
  EXPECT_EQ(lists.exceptional, std::vector<int>{accepted.socket.fileno()});
}

TEST(Select, RefusesWhatIsNoDescriptorAndNegativeTimes) {
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::select({-1}, {}, {}, 0s)), "invalid file descriptor: -1");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::select({}, {}, {}, -1s)), "select: the timeout must not be negative");
  UniqueFd gone(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = gone.get();
  gone.reset();
  EXPECT_EQ(TEXT_OF(eddy::OSError, eddy::select({number}, {}, {}, 0s)), "select: Bad file descriptor");
}

TEST(PollObjects, RegisterModifyUnregister) {
  auto [a, b] = eddy::socketpair();
  Poll poll;
  poll.register_(a.fileno());
  EXPECT_EQ(poll.poll(1s), (Events{{a.fileno(), POLLOUT}}));
  poll.register_(a.fileno(), POLLIN);  // again: the new events
  EXPECT_TRUE(poll.poll(0s).empty());
  b.send("x");
  EXPECT_EQ(poll.poll(), (Events{{a.fileno(), POLLIN}}));
  poll.modify(a.fileno(), POLLOUT);
  EXPECT_EQ(poll.poll(-1s), (Events{{a.fileno(), POLLOUT}}));
  poll.unregister(a.fileno());
  EXPECT_TRUE(poll.poll(0s).empty());
  EXPECT_EQ(TEXT_OF(eddy::KeyError, poll.unregister(a.fileno())),
            fmt::format("descriptor {} is not registered", a.fileno()));
  EXPECT_EQ(TEXT_OF(eddy::FileNotFoundError, poll.modify(a.fileno(), POLLIN)),
            fmt::format("poll: modify descriptor {}: No such file or directory", a.fileno()));
  EXPECT_EQ(TEXT_OF(eddy::ValueError, poll.register_(-3)), "invalid file descriptor: -3");
}

TEST(PollObjects, TellHangUpsWhetherAskedOrNotAndClosedDescriptors) {
  auto pair = eddy::socketpair();
  const int number = pair.first.fileno();
  Poll poll;
  poll.register_(number, 0);
  EXPECT_TRUE(poll.poll(0s).empty());
  pair.second.close();
  EXPECT_EQ(poll.poll(1s), (Events{{number, POLLHUP}}));
  poll.modify(number, POLLRDHUP);
  EXPECT_EQ(poll.poll(1s), (Events{{number, POLLHUP | POLLRDHUP}}));
  pair.first.close();
  EXPECT_EQ(poll.poll(1s), (Events{{number, POLLNVAL}}));
}

TEST(PollObjects, FindTheReadyOneAmongTwoThousand) {
  auto [a, b] = eddy::socketpair();
  rlim_t room = 0;
  {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    room = limit.rlim_cur;
  }
  ASSERT_GT(room, 2100u) << "the hard limit on descriptors is too low for this test";
  Poll poll;
  std::vector<UniqueFd> copies;
  for (int i = 0; i < 2000; ++i) {
    copies.emplace_back(::fcntl(a.fileno(), F_DUPFD_CLOEXEC, 0));
    ASSERT_TRUE(copies.back());
    poll.register_(copies.back().get(), POLLIN);
  }
  auto [c, d] = eddy::socketpair();
  poll.register_(c.fileno(), POLLIN);
  d.send("x");
  EXPECT_EQ(poll.poll(1s), (Events{{c.fileno(), POLLIN}}));
}

TEST(EpollObjects, RegisterModifyUnregister) {
  auto [a, b] = eddy::socketpair();
  Epoll epoll;
  epoll.register_(a.fileno());
  EXPECT_EQ(epoll.poll(1s), (Events{{a.fileno(), EPOLLOUT}}));
  epoll.modify(a.fileno(), EPOLLIN);
  EXPECT_TRUE(epoll.poll(0s).empty());
  b.send("x");
  EXPECT_EQ(epoll.poll(), (Events{{a.fileno(), EPOLLIN}}));
  EXPECT_EQ(TEXT_OF(eddy::FileExistsError, epoll.register_(a.fileno())),
            fmt::format("epoll: register descriptor {}: File exists", a.fileno()));
  epoll.unregister(a.fileno());
  EXPECT_EQ(TEXT_OF(eddy::FileNotFoundError, epoll.modify(a.fileno(), EPOLLIN)),
            fmt::format("epoll: modify descriptor {}: No such file or directory", a.fileno()));
  EXPECT_EQ(TEXT_OF(eddy::FileNotFoundError, epoll.unregister(a.fileno())),
            fmt::format("epoll: unregister descriptor {}: No such file or directory", a.fileno()));
}

TEST(EpollObjects, TellStatesAndChanges) {
  auto [a, b] = eddy::socketpair();
  Epoll level, edge;
  level.register_(a.fileno(), EPOLLIN);
  edge.register_(a.fileno(), EPOLLIN | EPOLLET);
  b.send("0123456789");
  EXPECT_EQ(level.poll(1s).size(), 1u);
  EXPECT_EQ(edge.poll(1s).size(), 1u);
  EXPECT_EQ(a.recv(3), "012");
  EXPECT_EQ(level.poll(0s).size(), 1u);
  EXPECT_TRUE(edge.poll(0s).empty());
  b.send("x");
  EXPECT_EQ(edge.poll(1s).size(), 1u);
}

TEST(EpollObjects, SEL_2_AOneShotSpeaksOnceUntilItIsModified) {
  auto [a, b] = eddy::socketpair();
  Epoll epoll;
  epoll.register_(a.fileno(), EPOLLIN | EPOLLONESHOT);
  b.send("x");
  EXPECT_EQ(epoll.poll(1s).size(), 1u);
  EXPECT_TRUE(epoll.poll(0s).empty());
  epoll.modify(a.fileno(), EPOLLIN | EPOLLONESHOT);
  EXPECT_EQ(epoll.poll(1s).size(), 1u);
}

TEST(EpollObjects, SEL_2_TellHalfClosesAndTakeTheRareFlags) {
  auto [a, b] = eddy::socketpair();
  Epoll epoll;
  epoll.register_(a.fileno(), EPOLLRDHUP | EPOLLWAKEUP);
  b.shutdown(SHUT_WR);
  EXPECT_EQ(epoll.poll(1s), (Events{{a.fileno(), EPOLLRDHUP}}));
  // Of several that wait exclusively for one descriptor, some are told, at least one.
  Epoll one, two;
  auto [c, d] = eddy::socketpair();
  one.register_(c.fileno(), EPOLLIN | EPOLLEXCLUSIVE);
  two.register_(c.fileno(), EPOLLIN | EPOLLEXCLUSIVE);
  d.send("x");
  EXPECT_GE(one.poll(0s).size() + two.poll(0s).size(), 1u);
  EXPECT_EQ(TEXT_OF(eddy::OSError, one.modify(c.fileno(), EPOLLIN)),
            fmt::format("epoll: modify descriptor {}: Invalid argument", c.fileno()));
}

TEST(EpollObjects, FillTheCallersArrayAndNoMore) {
  std::vector<std::pair<Socket, Socket>> pairs;
  Epoll epoll;
  for (std::uint64_t i = 0; i < 3; ++i) {
    pairs.push_back(eddy::socketpair());
    pairs.back().second.send("x");
    epoll.register_(pairs.back().first.fileno(), EPOLLIN, 100 + i);
  }
  std::array<epoll_event, 1> one{};
  EXPECT_EQ(epoll.wait(one, 1s).size(), 1u);
  std::array<epoll_event, 8> many{};
  std::uint64_t sum = 0;
  for (const auto& event : epoll.wait(many)) {
    EXPECT_EQ(event.events, static_cast<unsigned>(EPOLLIN));
    sum += event.data.u64;
  }
  EXPECT_EQ(sum, 303u);
  EXPECT_EQ(epoll.poll(0s, 2).size(), 2u);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, epoll.poll(0s, 0)), "epoll: maxevents must be above 0, or -1, and is 0");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, epoll.wait({}, 0s)), "epoll: the array for events has no room");
}

TEST(EpollObjects, ASignalThatTheMaskHoldsBackDoesNotInterrupt) {
  static volatile sig_atomic_t handled;
  handled = 0;
  struct sigaction action {}, before {};
  action.sa_handler = [](int) { handled = handled + 1; };
  ::sigaction(SIGUSR2, &action, &before);
  sigset_t usr2, thread_mask;
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &usr2, &thread_mask);
  ::pthread_kill(::pthread_self(), SIGUSR2);  // pending: it comes as soon as a mask lets it
  Epoll epoll;
  std::array<epoll_event, 1> events{};
  EXPECT_TRUE(epoll.wait(events, 10ms, &usr2).empty());
  EXPECT_EQ(handled, 0);
  sigset_t none;
  sigemptyset(&none);
  EXPECT_EQ(TEXT_OF(eddy::InterruptedError, epoll.wait(events, 10s, &none)), "epoll_wait: Interrupted system call");
  EXPECT_EQ(handled, 1);
  ::pthread_sigmask(SIG_SETMASK, &thread_mask, nullptr);
  ::sigaction(SIGUSR2, &before, nullptr);
}

TEST(EpollObjects, CloseAndAdopt) {
  Epoll epoll;
  auto [a, b] = eddy::socketpair();
  epoll.register_(a.fileno(), EPOLLOUT);
  auto adopted = Epoll::fromfd(::fcntl(epoll.fileno(), F_DUPFD_CLOEXEC, 0));
  epoll.close();
  EXPECT_TRUE(epoll.closed());
  EXPECT_EQ(epoll.fileno(), -1);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, epoll.poll(0s)), "I/O operation on a closed epoll object");
  EXPECT_EQ(adopted.poll(1s), (Events{{a.fileno(), EPOLLOUT}}));
}
