// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sys/time.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <ctime>
#include <thread>

#include "support.hpp"

using eddy::testing::Log;

namespace {

eddy::EventLoop& loop() { return eddy::get_running_loop(); }

auto action_of(int signal) {
  struct sigaction now {};
  ::sigaction(signal, nullptr, &now);
  return now.sa_handler;
}

}  // namespace

BACKEND_TEST(Signals, SYS_15_SYS_17_RunTheirHandlerOnTheLoopAndWakeItAtOnce) {
  auto came = loop().create_future<>();
  loop().add_signal_handler(SIGUSR1, [&] { came.set_result(); });
  loop().call_soon([] { ::raise(SIGUSR1); });
  co_await eddy::timeout(2s, [&]() -> Coro<> { co_await came; });
  EXPECT_TRUE(loop().remove_signal_handler(SIGUSR1));
}

BACKEND_TEST(Signals, SYS_15_AreReplacedAndRemovedBackToTheirDefault) {
  Log log;
  auto token = std::make_shared<int>();
  loop().add_signal_handler(SIGUSR1, [token] { FAIL(); });
  loop().add_signal_handler(SIGUSR1, [&] { log("second"); });
  EXPECT_EQ(token.use_count(), 1);
  ::raise(SIGUSR1);
  co_await eddy::sleep(1ms);
  EXPECT_EQ(log.str(), "second");
  EXPECT_TRUE(loop().remove_signal_handler(SIGUSR1));
  EXPECT_FALSE(loop().remove_signal_handler(SIGUSR1));
  EXPECT_EQ(action_of(SIGUSR1), SIG_DFL);
}

ASYNC_TEST(Signals, SYS_19_OfABurstArriveAtLeastOnceEach) {
  int first = 0, second = 0;
  loop().add_signal_handler(SIGUSR1, [&] { ++first; });
  loop().add_signal_handler(SIGUSR2, [&] { ++second; });
  for (int i = 0; i < 100; ++i) ::raise(i % 2 ? SIGUSR1 : SIGUSR2);
  co_await eddy::testing::settle();
  EXPECT_GE(first, 1);
  EXPECT_GE(second, 1);
  ::raise(SIGUSR2);
  const int before = second;
  co_await eddy::testing::settle();
  EXPECT_EQ(second, before + 1);
  loop().remove_signal_handler(SIGUSR1);
  loop().remove_signal_handler(SIGUSR2);
}

ASYNC_TEST(Signals, SYS_18_ThatCannotBeCaughtAreRefused) {
  auto text = [](int number) { return TEXT_OF(eddy::ValueError, loop().add_signal_handler(number, [] {})); };
  EXPECT_EQ(text(0), "signal 0: signal numbers are 1 to 64");
  EXPECT_EQ(text(65), "signal 65: signal numbers are 1 to 64");
  EXPECT_EQ(text(SIGKILL), "signal 9 (KILL) cannot be caught");
  EXPECT_EQ(text(SIGSTOP), "signal 19 (STOP) cannot be caught");
  EXPECT_EQ(text(32), "signal 32 (real-time) cannot be caught");
  EXPECT_FALSE(loop().remove_signal_handler(-1));
  co_return;
}

ASYNC_TEST(Signals, OfAnotherLoopAreRefused) {
  eddy::EventLoop other;
  other.add_signal_handler(SIGUSR1, [] {});
  other.add_signal_handler(SIGRTMIN + 1, [] {});
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, loop().add_signal_handler(SIGUSR1, [] {})),
            "signal 10 (USR1) belongs to another event loop");
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, loop().add_signal_handler(SIGRTMIN + 1, [] {})),
            "signal " + std::to_string(SIGRTMIN + 1) + " (real-time) belongs to another event loop");
  co_return;
}

TEST(Signals, AreGivenBackWhenTheLoopCloses) {
  {
    eddy::EventLoop closed;
    closed.add_signal_handler(SIGUSR1, [] { FAIL(); });
    EXPECT_NE(action_of(SIGUSR1), SIG_DFL);
  }
  EXPECT_EQ(action_of(SIGUSR1), SIG_DFL);
}

BACKEND_TEST(Signals, OfALoopThatDoesNotRunKeepNoOtherLoopBusy) {
  eddy::EventLoop idle;
  idle.add_signal_handler(SIGUSR1, [] {});
  loop().add_signal_handler(SIGUSR2, [] {});
  ::raise(SIGUSR1);
  const auto before = std::clock();
  co_await eddy::sleep(100ms);
  EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 20);
}

BACKEND_TEST(Signals, LOOP_34_ThatInterruptTheWaitLoseNoTimer) {
  struct sigaction quiet {}, before {};
  quiet.sa_handler = [](int) {};
  ::sigaction(SIGALRM, &quiet, &before);
  const itimerval every{{0, 1000}, {0, 1000}}, never{};
  ::setitimer(ITIMER_REAL, &every, nullptr);
  const auto begin = loop().time();
  co_await eddy::sleep(30ms);
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
  EXPECT_GE(loop().time() - begin, 30ms);
}

// --- signals() ----------------------------------------------------------------------------------------------

ASYNC_TEST(SignalReceivers, GiveEachSignalOnceByNumber) {
  auto signals = eddy::signals({SIGUSR2, SIGUSR1});
  for (int i = 0; i < 3; ++i) ::raise(SIGUSR2), ::raise(SIGUSR1);
  co_await eddy::testing::settle();
  const auto first = co_await signals.next();
  const auto second = co_await signals.next();
  EXPECT_EQ(first, SIGUSR1);
  EXPECT_EQ(second, SIGUSR2);
}

BACKEND_TEST(SignalReceivers, WakeTheLoop) {
  auto signals = eddy::signals({SIGUSR1});
  const auto self = ::pthread_self();
  std::thread sender([self] {
    std::this_thread::sleep_for(10ms);
    ::pthread_kill(self, SIGUSR1);
  });
  const auto number = co_await signals.next();
  EXPECT_EQ(number, SIGUSR1);
  sender.join();
}

ASYNC_TEST(SignalReceivers, ShareASignalWithAHandlerAndGiveItBackWithTheLast) {
  int calls = 0;
  loop().add_signal_handler(SIGUSR1, [&] { ++calls; });
  {
    auto one = eddy::signals({SIGUSR1}), two = eddy::signals({SIGUSR1});
    ::raise(SIGUSR1);
    const auto first = co_await one.next();
    const auto second = co_await two.next();
    EXPECT_EQ(first, SIGUSR1);
    EXPECT_EQ(second, SIGUSR1);
    EXPECT_TRUE(loop().remove_signal_handler(SIGUSR1));
    EXPECT_NE(action_of(SIGUSR1), SIG_DFL);
  }
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(action_of(SIGUSR1), SIG_DFL);
}

ASYNC_TEST(SignalReceivers, LoseNoneToACancellation) {
  auto signals = eddy::signals({SIGUSR1});
  auto wait = [&]() -> Coro<> { co_await signals.next(); };
  auto task = eddy::create_task(wait());
  co_await eddy::testing::settle();
  ::raise(SIGUSR1);
  task.cancel();
  co_await eddy::testing::settle();
  EXPECT_TRUE(task.cancelled());
  const auto number = co_await signals.next();
  EXPECT_EQ(number, SIGUSR1);
}

ASYNC_TEST(SignalReceivers, ServeOneTaskAtATimeAndSayWhatTheyWaitFor) {
  auto signals = eddy::signals({SIGUSR1, SIGHUP});
  auto wait = [&]() -> Coro<> { co_await signals.next(); };
  auto task = eddy::create_task(wait());
  co_await eddy::testing::settle();
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, static_cast<void>(signals.next())),
            "another task already waits for these signals; one task waits at a time");
  const auto tree = eddy::format_task_tree();
  EXPECT_NE(tree.find("a signal: USR1 HUP"), tree.npos) << tree;
  task.cancel();
}

ASYNC_TEST(SignalReceivers, RefuseWhatCannotBeCaughtAndLeaveNothingBehind) {
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::signals({SIGUSR1, SIGKILL})), "signal 9 (KILL) cannot be caught");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::signals({SIGUSR1, 0})), "signal 0: signal numbers are 1 to 64");
  EXPECT_EQ(action_of(SIGUSR1), SIG_DFL);
  co_return;
}

TEST(SignalReceivers, MayOutliveTheirLoop) {
  std::optional<eddy::Signals> signals;
  auto main = [&]() -> Coro<> {
    signals = eddy::signals({SIGUSR1});
    co_return;
  };
  eddy::run(main());
  EXPECT_EQ(action_of(SIGUSR1), SIG_DFL);
}

// A signal reaches the loop whatever thread the kernel gives it to, also one that was there before the handler.
BACKEND_TEST(Signals, ReachTheLoopThroughAnyThread) {
  std::atomic<bool> go{false}, over{false};
  std::thread older([&] {
    while (!go) std::this_thread::sleep_for(1ms);
    ::pthread_kill(::pthread_self(), SIGUSR1);
    while (!over) std::this_thread::sleep_for(1ms);
  });
  auto signals = eddy::signals({SIGUSR1});
  go = true;
  const auto number = co_await signals.next();
  EXPECT_EQ(number, SIGUSR1);
  over = true;
  older.join();
}

// --- Ctrl-C: each in a process of its own ------------------------------------------------------------------

namespace {

struct Child {
  pid_t id = -1;
  int output = -1;

  // Runs `body`, which prints, in a child; the child says "ready" before it may be interrupted.
  explicit Child(int (*body)()) {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    id = ::fork();
    if (id == 0) {
      ::signal(SIGINT, SIG_DFL);
      ::dup2(ends[1], 1);
      ::close(ends[0]);
      const int status = body();
      ::fflush(stdout);
      ::_exit(status);
    }
    ::close(ends[1]);
    output = ends[0];
  }
  std::string read_until(std::string_view mark) {
    std::string text;
    char byte;
    while (text.find(mark) == text.npos && ::read(output, &byte, 1) == 1) text += byte;
    return text;
  }
  void interrupt() const { ::kill(id, SIGINT); }
  void terminate() const { ::kill(id, SIGTERM); }
  int wait() {
    int status = 0;
    ::waitpid(id, &status, 0);
    ::close(output);
    return status;
  }
};

void say(const char* text) { static_cast<void>(!::write(1, text, std::strlen(text))); }

Coro<> sleep_and_tell() {
  struct Unwound {
    explicit Unwound() noexcept {}
    ~Unwound() { say("unwound,"); }
  } unwound;
  say("ready,");
  co_await eddy::sleep(1h);
}

Coro<> refuse_to_end() {
  say("ready,");
  for (;;) {
    try {
      co_await eddy::sleep(1h);
    } catch (const eddy::CancelledError&) {
      say("refused,");
      break;
    }
  }
  co_await eddy::sleep(1h);
}

int run_and_tell(Coro<> main) {
  try {
    eddy::run(std::move(main));
  } catch (const eddy::KeyboardInterrupt&) {
    say("KeyboardInterrupt.");
    return 3;
  }
  return 0;
}

}  // namespace

TEST(CtrlC, SYS_16_OnceUnwindsAndThrowsKeyboardInterrupt) {
  Child child([] { return run_and_tell(sleep_and_tell()); });
  child.read_until("ready,");
  child.interrupt();
  EXPECT_EQ(child.read_until("."), "unwound,KeyboardInterrupt.");
  EXPECT_EQ(WEXITSTATUS(child.wait()), 3);
}

TEST(CtrlC, SYS_16_TwiceEndsATaskThatRefusesTheFirst) {
  Child child([] { return run_and_tell(refuse_to_end()); });
  child.read_until("ready,");
  child.interrupt();
  child.read_until("refused,");
  child.interrupt();
  EXPECT_EQ(child.read_until("."), "KeyboardInterrupt.");
  EXPECT_EQ(WEXITSTATUS(child.wait()), 3);
}

TEST(CtrlC, ThriceEndsAProgramWhoseLoopDoesNotRun) {
  Child child([] {
    auto block = []() -> Coro<> {
      say("ready,");
      for (;;) ::pause();
      co_return;
    };
    return run_and_tell(block());
  });
  child.read_until("ready,");
  for (int i = 0; i < 3; ++i) {
    child.interrupt();
    std::this_thread::sleep_for(20ms);
  }
  const int status = child.wait();
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGINT);
}

TEST(Terminate, LeavesSigtermAloneUnlessItIsAskedFor) {
  Child child([] { return run_and_tell(sleep_and_tell()); });
  child.read_until("ready,");
  child.terminate();
  const int status = child.wait();
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST(Terminate, OnceUnwindsAndThrowsSystemExit) {
  Child child([] {
    try {
      eddy::run(sleep_and_tell(), {.terminate = true});
    } catch (const eddy::SystemExit& exit) {
      say("SystemExit.");
      return exit.code();
    }
    return 0;
  });
  child.read_until("ready,");
  child.terminate();
  EXPECT_EQ(child.read_until("."), "unwound,SystemExit.");
  EXPECT_EQ(WEXITSTATUS(child.wait()), 143);
}

TEST(Terminate, ThatNobodyCatchesIsTheProcessesExitCode) {
  Child child([]() noexcept {
    eddy::run(sleep_and_tell(), {.terminate = true});
    return 0;
  });
  child.read_until("ready,");
  child.terminate();
  EXPECT_EQ(WEXITSTATUS(child.wait()), 143);
}

TEST(Terminate, TwiceEndsATaskThatRefusesTheFirst) {
  Child child([]() noexcept {
    eddy::run(refuse_to_end(), {.terminate = true});
    return 0;
  });
  child.read_until("ready,");
  child.terminate();
  child.read_until("refused,");
  child.terminate();
  EXPECT_EQ(WEXITSTATUS(child.wait()), 143);
}

TEST(CtrlC, GoesToAHandlerOfTheProgramsOwn) {
  Child child([] {
    auto main = []() -> Coro<> {
      eddy::Event stop;
      eddy::get_running_loop().add_signal_handler(SIGINT, [&] { stop.set(); });
      say("ready,");
      co_await stop.wait();
      say("stopped.");
    };
    return run_and_tell(main());
  });
  child.read_until("ready,");
  child.interrupt();
  EXPECT_EQ(child.read_until("."), "stopped.");
  EXPECT_EQ(child.wait(), 0);
}

TEST(CtrlC, GoesToAReceiverWhileThereIsOneAndCancelsAgainAfterIt) {
  Child child([] {
    auto main = []() -> Coro<> {
      {
        auto stops = eddy::signals({SIGINT});
        say("ready,");
        const auto number = co_await stops.next();
        if (number == SIGINT) say("heard,");
      }
      co_await sleep_and_tell();
    };
    return run_and_tell(main());
  });
  child.read_until("ready,");
  child.interrupt();
  child.read_until("heard,ready,");
  child.interrupt();
  EXPECT_EQ(child.read_until("."), "unwound,KeyboardInterrupt.");
  EXPECT_EQ(WEXITSTATUS(child.wait()), 3);
}

ASYNC_TEST(CtrlC, OfRunItselfIsNotTheUsersToRemove) {
  EXPECT_FALSE(loop().remove_signal_handler(SIGINT));
  EXPECT_NE(action_of(SIGINT), SIG_DFL);
  co_return;
}

TEST(CtrlC, HasItsDefaultActionAgainAfterRun) {
  eddy::Runner runner;
  runner.run(eddy::sleep(0s));
  EXPECT_EQ(action_of(SIGINT), SIG_DFL);
}
