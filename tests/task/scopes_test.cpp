// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include <optional>
#include <string>

#include "loop/loop.hpp"
#include "support.hpp"

using eddy::CancelledError;
using eddy::CancelScope;
using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::now;
using eddy::testing::settle;

namespace {

Coro<int> slow(int value, eddy::Duration delay = 1h) {
  co_await eddy::sleep(delay);
  co_return value;
}

// Swallows every cancellation that comes in `rounds` waits.
Coro<> stubborn(Log& log, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    try {
      co_await eddy::sleep(1s);
      log("slept");
    } catch (const CancelledError&) {
      log("cancelled");
    }
  }
}

}  // namespace

ASYNC_TEST(Scopes, SCOPE_20_MoveOnAfterSwallowsItsOwnCancellationAndSaysSo) {
  EXPECT_TRUE(co_await eddy::move_on_after(1s, eddy::sleep(999ms)));
  EXPECT_FALSE(co_await eddy::move_on_after(1s, eddy::sleep(1h)));
  EXPECT_EQ(now(), 1999ms);
  std::optional<int> value = co_await eddy::move_on_after(1s, slow(5, 1ms));
  EXPECT_EQ(value, 5);
  value = co_await eddy::move_on_after(1s, slow(5));
  EXPECT_FALSE(value);
  EXPECT_EQ(eddy::current_task().cancelling(), 0);
  co_await eddy::sleep(1h);
}

ASYNC_TEST(Scopes, SCOPE_20_ACancellationFromOutsideIsNotSwallowed) {
  auto body = []() -> Coro<> { co_await eddy::move_on_after(1h, eddy::sleep(2h)); };
  auto task = eddy::create_task(body());
  co_await settle();
  task.cancel();
  co_await error_of<CancelledError>(task);
  EXPECT_TRUE(task.cancelled());
}

ASYNC_TEST(Scopes, ItsCancellationIsALevelAndNotAnEdge) {
  Log log;
  CancelScope scope;
  eddy::get_running_loop().call_later(1500ms, [&scope] { scope.cancel(); });
  const bool finished = co_await scope.run(stubborn(log, 4));
  EXPECT_EQ(log, "slept, cancelled, cancelled, cancelled");
  EXPECT_TRUE(finished);  // it swallowed them all and ended by itself
  EXPECT_TRUE(scope.cancel_called());
  EXPECT_FALSE(scope.cancelled_caught());
  EXPECT_EQ(now(), 1500ms);
  co_await eddy::sleep(1s);  // nothing is left of it
}

ASYNC_TEST(Scopes, CleanUpThatWaitsNeedsAShield) {
  Log log;
  CancelScope scope;
  auto body = [&log](CancelScope& self) -> Coro<> {
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
    }
    EXPECT_TRUE(self.cancel_called());
    CancelScope clean_up({.timeout = 10s, .shield = true});
    auto flush = [&log]() -> Coro<> {
      co_await eddy::sleep(1s);
      log("flushed");
    };
    EXPECT_TRUE(co_await clean_up.run(flush()));
    co_await eddy::sleep(1s);
    log("not reached");
  };
  eddy::get_running_loop().call_later(1s, [&scope] { scope.cancel(); });
  EXPECT_FALSE(co_await scope.run(body));
  EXPECT_TRUE(scope.cancelled_caught());
  EXPECT_EQ(log, "flushed");
  EXPECT_EQ(now(), 2s);
}

ASYNC_TEST(Scopes, SCOPE_18_AShieldKeepsOuterCancellationsOutButNotItsOwnDeadline) {
  CancelScope outer({.timeout = 1s});
  auto body = []() -> Coro<> {
    CancelScope inner({.timeout = 5s, .shield = true});
    EXPECT_FALSE(co_await inner.run(eddy::sleep(1h)));
    EXPECT_EQ(now(), 5s);
    co_await eddy::sleep(0s);
    ADD_FAILURE() << "the outer scope reaches what stands outside of the shield";
  };
  EXPECT_FALSE(co_await outer.run(body));
  EXPECT_EQ(now(), 5s);
}

ASYNC_TEST(Scopes, AShieldThatIsLiftedLetsTheCancellationIn) {
  CancelScope outer;
  auto body = [&outer]() -> Coro<> {
    CancelScope inner({.shield = true});
    auto& loop = eddy::get_running_loop();
    loop.call_later(1s, [&outer] { outer.cancel(); });
    loop.call_later(2s, [&inner] { inner.set_shield(false); });
    co_await inner.run(eddy::sleep(1h));
    ADD_FAILURE();
  };
  EXPECT_FALSE(co_await outer.run(body));
  EXPECT_EQ(now(), 2s);
}

ASYNC_TEST(Scopes, SCOPE_19_InOneThatIsCancelledAlreadyTheFirstAwaitThrows) {
  CancelScope scope;
  scope.cancel();
  bool began = false;
  auto body = [&began]() -> Coro<> {
    began = true;
    co_await eddy::sleep(0s);
    ADD_FAILURE();
  };
  EXPECT_FALSE(co_await scope.run(body));
  EXPECT_TRUE(began);
  EXPECT_EQ(now(), 0s);
  co_await eddy::sleep(0s);
}

ASYNC_TEST(Scopes, NestedTheOuterOneIsNotCaughtByTheInner) {
  CancelScope outer, inner;
  auto body = [&]() -> Coro<> {
    co_await inner.run(eddy::sleep(1h));
    ADD_FAILURE() << "the outer scope's cancellation goes on";
  };
  eddy::get_running_loop().call_later(1s, [&] {
    outer.cancel();
    inner.cancel();
  });
  EXPECT_FALSE(co_await outer.run(body));
  EXPECT_TRUE(outer.cancelled_caught());
  EXPECT_FALSE(inner.cancelled_caught());
}

ASYNC_TEST(Scopes, CancelTheTasksOfTheirGroupsUntilTheyEnd) {
  Log log;
  CancelScope scope;
  auto body = [&log]() -> Coro<> {
    co_await eddy::task_group([&log](eddy::TaskGroup& group) -> Coro<> {
      group.create_task(stubborn(log, 3));
      group.create_task(stubborn(log, 2));
      co_return;
    });
    ADD_FAILURE();
  };
  eddy::get_running_loop().call_later(100ms, [&scope] { scope.cancel(); });
  EXPECT_FALSE(co_await scope.run(body));
  EXPECT_EQ(log, "cancelled, cancelled, cancelled, cancelled, cancelled");
  EXPECT_EQ(now(), 100ms);
  EXPECT_EQ(eddy::all_tasks().size(), 1u);
}

// The group's end cannot be cancelled while its tasks clean up: the scope's task sleeps, it does not spin.
ASYNC_TEST(Scopes, DoNotSpinWhileAGroupsTaskCleansUp) {
  CancelScope scope;
  auto clean = []() -> Coro<> {
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
    }
    CancelScope shield({.shield = true});
    co_await shield.run(eddy::sleep(10s));
  };
  auto body = [&clean]() -> Coro<> {
    co_await eddy::task_group([&clean](eddy::TaskGroup& group) -> Coro<> {
      group.create_task(clean());
      co_return;
    });
  };
  scope.set_deadline(eddy::get_running_loop().time() + 1s);
  const auto before = eddy::get_running_loop().impl().nodes_run;
  EXPECT_FALSE(co_await scope.run(body));
  EXPECT_LT(eddy::get_running_loop().impl().nodes_run - before, 40u);
  EXPECT_EQ(now(), 11s);
}

ASYNC_TEST(Scopes, TasksMadeOutsideOfTheirGroupsAreNotTheirs) {
  Task<int> free;
  auto body = [&free]() -> Coro<> {
    free = eddy::create_task(slow(7, 10s));
    co_await free;
  };
  eddy::Task<int> kept;
  EXPECT_FALSE(co_await eddy::move_on_after(1s, [&]() -> Coro<> {
    kept = eddy::create_task(slow(7, 10s));
    co_await eddy::shield(kept);
  }));
  EXPECT_EQ(co_await kept, 7);
  EXPECT_FALSE(co_await eddy::move_on_after(1s, body));
  EXPECT_TRUE(free.cancelled());  // it was awaited, so it was cancelled
}

ASYNC_TEST(Scopes, ATimeoutInsideTellsItsOwnTimeFromTheScopes) {
  auto body = []() -> Coro<> {
    co_await error_of<eddy::TimeoutError>(eddy::timeout(1s, eddy::sleep(1h)));
    co_await eddy::timeout(1h, eddy::sleep(2h));
    ADD_FAILURE();
  };
  EXPECT_FALSE(co_await eddy::move_on_after(5s, body));
  EXPECT_EQ(now(), 5s);
}

ASYNC_TEST(Scopes, FailAfterThrowsAndCannotBeSwallowed) {
  Log log;
  const auto error = co_await error_of<eddy::TimeoutError>(eddy::fail_after(2500ms, [&log]() -> Coro<> {
    co_await stubborn(log, 4);
    co_await eddy::sleep(1s);
  }));
  EXPECT_STREQ(error.what(), "timed out after 2.5s");
  EXPECT_EQ(log, "slept, slept, cancelled, cancelled");
  EXPECT_EQ(co_await eddy::fail_after(1s, slow(3, 1ms)), 3);
}

ASYNC_TEST(Scopes, TheirDeadlineMoves) {
  CancelScope scope({.timeout = 1s});
  EXPECT_EQ(scope.deadline(), eddy::TimePoint::max());
  auto body = [](CancelScope& self) -> Coro<> {
    EXPECT_EQ(self.deadline().time_since_epoch(), 1s + (eddy::get_running_loop().time().time_since_epoch()));
    EXPECT_EQ(eddy::current_effective_deadline(), self.deadline());
    self.set_deadline(eddy::get_running_loop().time() + 10s);
    co_await eddy::sleep(5s);
    self.set_deadline(eddy::TimePoint::max());
    EXPECT_EQ(eddy::current_effective_deadline(), eddy::TimePoint::max());
    co_await eddy::sleep(1h);
    self.set_deadline(eddy::get_running_loop().time());
    co_await eddy::sleep(1s);
  };
  EXPECT_FALSE(co_await scope.run(body));
  EXPECT_EQ(now(), 1h + 5s);
}

ASYNC_TEST(Scopes, LetForeignExceptionsPass) {
  CancelScope scope;
  auto body = [](CancelScope& self) -> Coro<> {
    self.cancel();
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
      throw eddy::ValueError("while cleaning up");
    }
  };
  EXPECT_STREQ((co_await error_of<eddy::ValueError>(scope.run(body))).what(), "while cleaning up");
  EXPECT_FALSE(scope.cancelled_caught());
  co_await eddy::sleep(0s);
}

ASYNC_TEST(Scopes, RunOnce) {
  CancelScope scope;
  co_await scope.run(eddy::sleep(0s));
  const auto error = co_await error_of<eddy::RuntimeError>(scope.run(eddy::sleep(0s)));
  EXPECT_STREQ(error.what(), "a cancel scope runs once; make another one");
}

TEST(ScopesSweep, CancelledAtEveryPlaceTheyLeaveNothingBehind) {
  const auto runs = eddy::testing::cancel_everywhere([]() -> Coro<> {
    CancelScope scope({.timeout = 3s});
    auto group_body = [](eddy::TaskGroup& group) -> Coro<> {
      group.create_task(eddy::sleep(1s));
      group.create_task(eddy::sleep(10s));
      co_await eddy::move_on_after(1s, eddy::sleep(2s));
    };
    auto body = [&group_body]() -> Coro<> { co_await eddy::task_group(group_body); };
    co_await scope.run(body);
  });
  EXPECT_GT(runs, 8u);
}

TEST(ScopesOfAClosedLoop, LetTheirTasksGo) {
  eddy::EventLoop loop{{.backend = eddy::Backend::simulated}};
  loop.set_exception_handler([](const eddy::ExceptionContext&) {});
  auto body = []() -> Coro<> {
    CancelScope scope;
    auto group_body = [](eddy::TaskGroup& group) -> Coro<> {
      group.create_task(eddy::sleep(1h));
      co_await eddy::sleep(1h);
    };
    auto inner = [&group_body]() -> Coro<> { co_await eddy::task_group(group_body); };
    co_await scope.run(inner);
  };
  auto task = loop.create_task(body());
  loop.call_later(1s, [&loop] { loop.stop(); });
  loop.run_forever();
  loop.close();
  EXPECT_TRUE(task.cancelled());
}
