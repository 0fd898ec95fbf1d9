// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>
#include <unistd.h>
#include <sys/socket.h>

#include <cstdlib>
#include <functional>
#include <vector>

#include "base/unique_fd.hpp"
#include "support.hpp"

using eddy::EVENT_EDGE;
using eddy::EVENT_READ;
using eddy::EVENT_WRITE;
using eddy::Selector;
using eddy::Socket;
using eddy::detail::UniqueFd;

namespace {

// Each test on each selector.
enum class Kind { select, poll, epoll, best };
class Selectors : public testing::TestWithParam<Kind> {
 protected:
  static std::unique_ptr<Selector> make() {
    switch (GetParam()) {
      case Kind::select: return std::make_unique<eddy::SelectSelector>();
      case Kind::poll: return std::make_unique<eddy::PollSelector>();
      case Kind::epoll: return std::make_unique<eddy::EpollSelector>();
      case Kind::best: break;
    }
    return std::make_unique<eddy::DefaultSelector>();
  }
  std::unique_ptr<Selector> selector_ = make();
  Selector& selector = *selector_;
  std::pair<Socket, Socket> pair = eddy::socketpair();
  Socket& a = pair.first;
  Socket& b = pair.second;

  // "3:RW, 5:R" of those that are ready, with a and b for their descriptors.
  std::string ready(std::optional<eddy::Duration> timeout = 0ms) {
    std::string text;
    for (const auto& event : selector.select(timeout)) {
      if (!text.empty()) text += ", ";
      text += event.key.fd == a.fileno() ? "a:" : event.key.fd == b.fileno() ? "b:" : "other:";
      if (event.events & EVENT_READ) text += "R";
      if (event.events & EVENT_WRITE) text += "W";
    }
    return text;
  }
};

std::string name_of(const testing::TestParamInfo<Kind>& info) {
  const char* names[] = {"Select", "Poll", "Epoll", "Default"};
  return names[static_cast<int>(info.param)];
}

// Raises SIGALRM once, after a while, with a handler that does nothing.
class Alarm {
 public:
  explicit Alarm(std::chrono::microseconds delay) {
    struct sigaction action {};
    action.sa_handler = [](int) { rung = rung + 1; };
    ::sigaction(SIGALRM, &action, &before_);
    rung = 0;
    itimerval timer{{0, 0}, {0, static_cast<suseconds_t>(delay.count())}};
    ::setitimer(ITIMER_REAL, &timer, nullptr);
  }
  Alarm(const Alarm&) = delete;
  ~Alarm() {
    const itimerval off{};
    ::setitimer(ITIMER_REAL, &off, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
  }
  static inline volatile sig_atomic_t rung = 0;

 private:
  struct sigaction before_ {};
};

}  // namespace

INSTANTIATE_TEST_SUITE_P(Each, Selectors, testing::Values(Kind::select, Kind::poll, Kind::epoll, Kind::best), name_of);

TEST_P(Selectors, SEL_1_RegisterGivesAKeyAndKeepsItsData) {
  const auto key = selector.register_(a, EVENT_READ, std::string("left"));
  EXPECT_EQ(key.fd, a.fileno());
  EXPECT_EQ(key.events, EVENT_READ);
  EXPECT_EQ(key.fileobj.get<Socket>(), &a);
  EXPECT_EQ(std::any_cast<std::string>(key.data), "left");
  EXPECT_EQ(std::any_cast<std::string>(selector.get_key(a).data), "left");
  EXPECT_EQ(selector.get_key(a.fileno()).fd, a.fileno());
}

TEST_P(Selectors, TellAStateAgainUntilItIsOver) {
  selector.register_(a, EVENT_READ);
  EXPECT_EQ(ready(), "");
  b.send("0123456789");
  EXPECT_EQ(ready(1s), "a:R");
  EXPECT_EQ(a.recv(3), "012");
  EXPECT_EQ(ready(), "a:R");
  EXPECT_EQ(a.recv(100), "3456789");
  EXPECT_EQ(ready(), "");
}

TEST_P(Selectors, TellOnlyWhatWasAskedFor) {
  b.send("x");
  selector.register_(a, EVENT_WRITE);
  EXPECT_EQ(ready(), "a:W");
  selector.modify(a, EVENT_READ);
  EXPECT_EQ(ready(), "a:R");
  selector.modify(a, EVENT_READ | EVENT_WRITE);
  EXPECT_EQ(ready(), "a:RW");
}

TEST_P(Selectors, OneDescriptorRegistersOnce) {
  selector.register_(a.fileno(), EVENT_READ);
  EXPECT_EQ(TEXT_OF(eddy::KeyError, selector.register_(a.fileno(), EVENT_WRITE)),
            fmt::format("descriptor {} is already registered", a.fileno()));
  EXPECT_EQ(TEXT_OF(eddy::KeyError, selector.register_(a, EVENT_WRITE)),
            fmt::format("object {} (descriptor {}) is already registered", fmt::ptr(&a), a.fileno()));
  selector.unregister(a);
  selector.register_(a, EVENT_WRITE);
  EXPECT_EQ(ready(), "a:W");
}

TEST_P(Selectors, RefuseEventsAndDescriptorsThatAreNone) {
  EXPECT_EQ(TEXT_OF(eddy::ValueError, selector.register_(a, 0)),
            "invalid events 0: they are EVENT_READ, EVENT_WRITE or both");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, selector.register_(a, 9)),
            "invalid events 9: they are EVENT_READ, EVENT_WRITE or both");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, selector.register_(-1, EVENT_READ)), "invalid file descriptor: -1");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, selector.unregister(-1)), "invalid file descriptor: -1");
  UniqueFd closed(::dup(a.fileno()));
  const int number = closed.get();
  closed.reset();
  EXPECT_EQ(TEXT_OF(eddy::OSError, selector.register_(number, EVENT_READ)),
            fmt::format("watch descriptor {}: Bad file descriptor", number));
  EXPECT_TRUE(selector.get_map().empty());
}

TEST_P(Selectors, WhatIsNotRegisteredIsAKeyError) {
  const auto text = fmt::format("descriptor {} is not registered", a.fileno());
  EXPECT_EQ(TEXT_OF(eddy::KeyError, selector.unregister(a.fileno())), text);
  EXPECT_EQ(TEXT_OF(eddy::KeyError, selector.modify(a.fileno(), EVENT_READ)), text);
  EXPECT_EQ(TEXT_OF(eddy::KeyError, selector.get_key(a.fileno())), text);
}

TEST_P(Selectors, ModifyReplacesEventsAndDataAndABadOneChangesNothing) {
  selector.register_(a, EVENT_WRITE, 1);
  EXPECT_EQ(std::any_cast<int>(selector.modify(a, EVENT_WRITE, 2).data), 2);
  EXPECT_THROW(selector.modify(a, 0), eddy::ValueError);
  EXPECT_EQ(std::any_cast<int>(selector.get_key(a).data), 2);
  EXPECT_FALSE(selector.modify(a, EVENT_READ).data.has_value());
  EXPECT_EQ(ready(), "");
}

TEST_P(Selectors, TheMapFollowsTheSelector) {
  const auto map = selector.get_map();
  selector.register_(a, EVENT_READ, 'a');
  selector.register_(b, EVENT_READ, 'b');
  EXPECT_EQ(map.size(), 2u);
  std::string letters;
  for (const auto& key : map) letters += std::any_cast<char>(key.data);
  EXPECT_EQ(letters, "ab");
  EXPECT_TRUE(map.contains(a));
  selector.unregister(a);
  EXPECT_FALSE(map.contains(a));
}

TEST_P(Selectors, AnObjectThatWasClosedIsStillUnregistered) {
  selector.register_(a, EVENT_READ, 7);
  a.close();
  EXPECT_EQ(std::any_cast<int>(selector.unregister(a).data), 7);
  EXPECT_EQ(TEXT_OF(eddy::KeyError, selector.unregister(a)),
            fmt::format("object {} (descriptor -1) is not registered", fmt::ptr(&a)));
}

TEST_P(Selectors, AHangUpIsReadinessForWhateverWasAsked) {
  selector.register_(a, EVENT_READ);
  b.close();
  EXPECT_EQ(ready(1s), "a:R");
  selector.modify(a, EVENT_WRITE);
  EXPECT_EQ(ready(1s), "a:W");
  selector.modify(a, EVENT_READ | EVENT_WRITE);
  EXPECT_EQ(ready(1s), "a:RW");
}

TEST_P(Selectors, AHalfCloseIsReadableAndWritableOnlyWhereThereIsRoom) {
  selector.register_(a, EVENT_READ | EVENT_WRITE);
  a.set_blocking(false);
  const std::string block(1 << 16, 'x');
  while (a.try_send(block)) {
  }
  EXPECT_EQ(ready(), "");
  b.shutdown(SHUT_WR);
  EXPECT_EQ(ready(), "a:R");
}

TEST_P(Selectors, ATimeoutPassesWithNothing) {
  selector.register_(a, EVENT_READ);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(selector.select(20ms).empty());
  EXPECT_GE(std::chrono::steady_clock::now() - began, 20ms);
  EXPECT_TRUE(selector.select(-5s).empty());
}

TEST_P(Selectors, ASelectWithoutDescriptorsIsASleep) {
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(selector.select(10ms).empty());
  EXPECT_GE(std::chrono::steady_clock::now() - began, 10ms);
}

TEST_P(Selectors, GoOnAfterASignal) {
  selector.register_(a, EVENT_READ);
  const Alarm alarm(5ms);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(selector.select(30ms).empty());
  EXPECT_GE(std::chrono::steady_clock::now() - began, 30ms);
  EXPECT_EQ(Alarm::rung, 1);
}

TEST_P(Selectors, ClosedRefuseEverythingAndCloseTwice) {
  selector.register_(a, EVENT_READ);
  selector.close();
  selector.close();
  const auto text = fmt::format("the {} selector is closed", selector.name());
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, selector.register_(a, EVENT_READ)), text);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, selector.select()), text);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, selector.get_key(a)), text);
  EXPECT_TRUE(selector.get_map().empty());
  EXPECT_EQ(b.send("a is open"), 9u);
}

TEST_P(Selectors, TellOfHundredsAtOnce) {
  constexpr int kMany = 300;
  std::vector<std::pair<Socket, Socket>> pairs;
  for (int i = 0; i < kMany; ++i) {
    pairs.push_back(eddy::socketpair());
    pairs.back().second.send("x");
  }
  for (auto& each : pairs) selector.register_(each.first, EVENT_READ);
  EXPECT_EQ(selector.select().size(), std::size_t{kMany});
  EXPECT_EQ(selector.select(1s).size(), std::size_t{kMany});
}

TEST_P(Selectors, KeysCarryCallbacks) {
  using Callback = std::function<void(Socket&)>;
  std::string echoed;
  Callback echo = [&](Socket& socket) {
    echoed += socket.recv(100);
    if (echoed.size() >= 6) selector.unregister(socket);
  };
  selector.register_(a, EVENT_READ, echo);
  b.send("one");
  for (int turn = 0; !selector.get_map().empty(); ++turn) {
    for (auto& event : selector.select(1s)) {
      std::any_cast<Callback&>(event.key.data)(*event.key.fileobj.get<Socket>());
    }
    if (turn == 0) b.send("two");
  }
  EXPECT_EQ(echoed, "onetwo");
}

TEST(EpollSelectors, TellAChangeOnce) {
  eddy::EpollSelector selector;
  auto [a, b] = eddy::socketpair();
  selector.register_(a, EVENT_READ | EVENT_EDGE);
  b.send("0123456789");
  EXPECT_EQ(selector.select(1s).size(), 1u);
  EXPECT_EQ(a.recv(3), "012");
  EXPECT_TRUE(selector.select(0ms).empty());
  b.send("x");
  const auto again = selector.select(1s);
  EXPECT_EQ(again.size(), 1u);
  EXPECT_EQ(again.at(0).events, EVENT_READ);
  selector.modify(a, EVENT_WRITE | EVENT_EDGE);
  EXPECT_EQ(selector.select(1s).at(0).events, EVENT_WRITE);
  EXPECT_TRUE(selector.select(0ms).empty());
}

TEST(EpollSelectors, EdgesAreRefusedElsewhere) {
  eddy::PollSelector poll;
  auto [a, b] = eddy::socketpair();
  EXPECT_EQ(TEXT_OF(eddy::ValueError, poll.register_(a, EVENT_READ | EVENT_EDGE)),
            "EVENT_EDGE: poll tells states, not changes; EpollSelector tells changes");
}

TEST(EpollSelectors, HaveADescriptorThatAnotherSelectorWatches) {
  eddy::EpollSelector inner;
  eddy::PollSelector outer;
  auto [a, b] = eddy::socketpair();
  inner.register_(a, EVENT_READ);
  outer.register_(inner, EVENT_READ);
  EXPECT_TRUE(outer.select(0ms).empty());
  b.send("x");
  EXPECT_EQ(outer.select(1s).at(0).key.fileobj.get<eddy::EpollSelector>(), &inner);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, static_cast<void>(outer.fileno())), "a poll selector has no descriptor of its own");
}

TEST(EpollSelectors, RefuseARegularFile) {
  eddy::EpollSelector selector;
  UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(TEXT_OF(eddy::PermissionError, selector.register_(file.get(), EVENT_READ)),
            fmt::format("watch descriptor {}: Operation not permitted", file.get()));
}

TEST(SelectSelectors, TakeDescriptorsBelowFdSetsizeOnly) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur <= FD_SETSIZE) {
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, FD_SETSIZE + 64);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
  auto [a, b] = eddy::socketpair();
  UniqueFd high(::fcntl(a.fileno(), F_DUPFD_CLOEXEC, FD_SETSIZE));
  ASSERT_TRUE(high);
  eddy::SelectSelector select;
  EXPECT_EQ(TEXT_OF(eddy::ValueError, select.register_(high.get(), EVENT_READ)),
            fmt::format("watch descriptor {}: select() takes descriptors below 1024; choose poll or epoll", high.get()));
  EXPECT_TRUE(select.get_map().empty());
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::select({high.get()}, {}, {}, 0s)),
            fmt::format("select: descriptor {} is not below 1024; choose poll or epoll", high.get()));
  eddy::PollSelector poll;
  poll.register_(high.get(), EVENT_WRITE);
  EXPECT_EQ(poll.select(1s).size(), 1u);
}

TEST(DefaultSelectors, AreEpollUnlessTheEnvironmentNamesAnother) {
  ::unsetenv("EDDY_SELECTOR");
  EXPECT_EQ(eddy::DefaultSelector().name(), "epoll");
  for (const char* name : {"poll", "select", "epoll"}) {
    ::setenv("EDDY_SELECTOR", name, 1);
    EXPECT_EQ(eddy::DefaultSelector().name(), name);
  }
  ::setenv("EDDY_SELECTOR", "kqueue", 1);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::DefaultSelector()),
            "EDDY_SELECTOR is 'kqueue': it must be epoll, poll or select");
  ::unsetenv("EDDY_SELECTOR");
  EXPECT_FALSE(eddy::has_kqueue);
}
