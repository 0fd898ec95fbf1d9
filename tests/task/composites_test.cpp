// SPDX-License-Identifier: MIT
// gather, wait, as_completed, shield.
#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::CancelledError;
using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::now;
using eddy::testing::settle;

namespace {

Coro<int> give(int value, eddy::Duration after) {
  co_await eddy::sleep(after);
  co_return value;
}
Coro<int> fail(const char* text, eddy::Duration after) {
  co_await eddy::sleep(after);
  throw std::runtime_error(text);
}

std::string ids(const std::vector<Task<int>>& tasks) {
  Log log;
  for (const auto& task : tasks) log(task.name());
  return log.str();
}

}  // namespace

ASYNC_TEST(Gather, WAIT_01_KeepsTheOrderOfItsArguments) {
  auto [a, b, c] = co_await eddy::gather(give(1, 3s), give(2, 1s), give(3, 2s));
  EXPECT_EQ(a * 100 + b * 10 + c, 123);
  EXPECT_EQ(now(), 3s);
  std::vector<Coro<int>> many;
  for (int i = 0; i < 3; ++i) many.push_back(give(i, (3 - i) * 1s));
  const auto values = co_await eddy::gather(std::move(many));
  EXPECT_EQ(values, (std::vector{0, 1, 2}));
}

ASYNC_TEST(Gather, WAIT_01_OfNothingIsDoneAtOnce) {
  EXPECT_TRUE((co_await eddy::gather(std::vector<Coro<int>>())).empty());
  co_await eddy::gather(std::vector<Coro<>>());
}

ASYNC_TEST(Gather, WAIT_02_ThrowsTheFirstExceptionAtOnceAndLetsTheOthersGoOn) {
  auto slow = eddy::create_task(give(1, 5s));
  auto error = co_await error_of<std::runtime_error>(eddy::gather(slow, fail("first", 1s), fail("second", 2s)));
  EXPECT_STREQ(error.what(), "first");
  EXPECT_EQ(now(), 1s);
  EXPECT_EQ(co_await slow, 1);
  EXPECT_EQ(now(), 5s);
}

ASYNC_TEST(Gather, WAIT_03_GivesExceptionsAsResultsWhenAsked) {
  auto cancelled = eddy::create_task(give(0, 1h));
  eddy::get_running_loop().call_later(1s, [&] { cancelled.cancel(); });
  auto [a, b, c, d] = co_await eddy::gather(eddy::return_exceptions, give(1, 1s), fail("bad", 2s), cancelled, eddy::sleep(0s));
  EXPECT_EQ(a.value(), 1);
  EXPECT_FALSE(b.has_value());
  EXPECT_EQ(TEXT_OF(std::runtime_error, b.value()), "bad");
  EXPECT_THROW(c.value(), CancelledError);
  EXPECT_TRUE(d.has_value());
}

// 2.2 item 15
ASYNC_TEST(Gather, TakesACancelledChildForItsFailure) {
  auto child = eddy::create_task(give(0, 1h));
  eddy::get_running_loop().call_later(1s, [&] { child.cancel(); });
  co_await error_of<CancelledError>(eddy::gather(child, give(1, 2s)));
  EXPECT_FALSE(eddy::current_task().cancelled());
  EXPECT_EQ(eddy::current_task().cancelling(), 0);
}

ASYNC_TEST(Gather, WAIT_04_CancelledCancelsAllAndEndsWhenTheyHave) {
  Log log;
  auto child = [&](int id, eddy::Duration clean_up) -> Coro<> {
    bool cancelled = false;
    try {
      co_await eddy::sleep(1h);
    } catch (const CancelledError&) {
      cancelled = true;
    }
    if (cancelled) co_await eddy::sleep(clean_up);
    log(id, "at", now());
    throw CancelledError();
  };
  auto body = [&]() -> Coro<> { co_await eddy::gather(eddy::return_exceptions, child(1, 1s), child(2, 3s)); };
  auto task = eddy::create_task(body());
  task.add_done_callback([&](auto&) { log("gather at", now()); });
  co_await settle();
  task.cancel();
  co_await eddy::sleep(5s);
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(log.str(), "1 at 1s, 2 at 3s, gather at 3s");
}

// 2.2 item 15
ASYNC_TEST(Gather, SharesAChildThatIsGivenTwice) {
  auto task = eddy::create_task(give(4, 1s));
  auto [a, b] = co_await eddy::gather(task, task);
  EXPECT_EQ(a + b, 8);
}

ASYNC_TEST(Gather, TakesFuturesTasksAndAwaitablesAtOnce) {
  auto future = eddy::get_running_loop().create_future<int>();
  eddy::get_running_loop().call_later(1s, [future] { future.set_result(1); });
  eddy::Queue<int> queue;
  queue.put_nowait(2);
  auto [a, b, c, d] = co_await eddy::gather(future, queue.get(), eddy::create_task(give(3, 1s)), eddy::sleep(1s));
  static_cast<void>(d);
  EXPECT_EQ(a + b + c, 6);
}

ASYNC_TEST(Wait, WAIT_05_GivesWhatIsDoneAndWhatIsPending) {
  auto tasks = [&] {
    return std::vector{eddy::create_task(give(1, 3s), {.name = "slow"}), eddy::create_task(fail("x", 2s), {.name = "bad"}),
                       eddy::create_task(give(2, 1s), {.name = "fast"})};
  };
  auto first = co_await eddy::wait(tasks(), {.return_when = eddy::FIRST_COMPLETED});
  EXPECT_EQ(ids(first.done) + " | " + ids(first.pending), "fast | slow, bad");
  auto failed = co_await eddy::wait(tasks(), {.return_when = eddy::FIRST_EXCEPTION});
  EXPECT_EQ(ids(failed.done) + " | " + ids(failed.pending), "bad, fast | slow");
  auto all = co_await eddy::wait(tasks());
  EXPECT_EQ(ids(all.done) + " | " + ids(all.pending), "slow, bad, fast | ");
  for (auto* sets : {&first, &failed, &all}) {
    for (auto& task : sets->pending) co_await eddy::gather(eddy::return_exceptions, task);
    for (auto& task : sets->done) static_cast<void>(task.exception());
  }
  auto bad = first.pending[1];
  static_cast<void>(bad.exception());
}

// 2.2 item 17
ASYNC_TEST(Wait, WAIT_05_ReturnsAtItsTimeoutAndTouchesNothing) {
  auto slow = eddy::create_task(give(1, 3s));
  const auto all = std::vector{slow};
  auto sets = co_await eddy::wait(all, {.timeout = 1s});
  EXPECT_EQ(now(), 1s);
  EXPECT_TRUE(sets.done.empty());
  EXPECT_EQ(co_await slow, 1);
}

// 2.2 item 17
ASYNC_TEST(Wait, DoesNotTakeACancelledChildForAnException) {
  auto child = eddy::create_task(give(0, 1h));
  auto other = eddy::create_task(give(1, 2s));
  eddy::get_running_loop().call_later(1s, [&] { child.cancel(); });
  const auto all = std::vector{child, other};
  auto sets = co_await eddy::wait(all, {.return_when = eddy::FIRST_EXCEPTION});
  EXPECT_EQ(now(), 2s);
  EXPECT_EQ(sets.done.size(), 2u);
}

ASYNC_TEST(Wait, CancelledLeavesTheOthersRunning) {
  auto child = eddy::create_task(give(1, 5s));
  const auto all = std::vector{child};
  auto body = [&]() -> Coro<> { co_await eddy::wait(all); };
  auto task = eddy::create_task(body());
  co_await settle();
  task.cancel();
  co_await settle();
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(co_await child, 1);
}

ASYNC_TEST(Wait, ForNothingIsRefused) {
  auto error = co_await error_of<eddy::ValueError>(eddy::wait(std::vector<Task<int>>()));
  EXPECT_STREQ(error.what(), "wait: there is nothing to wait for: the list of futures is empty");
}

ASYNC_TEST(AsCompleted, WAIT_06_GivesThemAsTheyEnd) {
  Log log;
  std::vector<Coro<int>> jobs;
  for (int i : {3, 1, 2}) jobs.push_back(give(i, i * 1s));
  auto completed = eddy::as_completed(std::move(jobs));
  for (;;) {
    auto task = co_await completed.next();
    if (!task) break;
    log(task->result(), "at", now());
  }
  EXPECT_EQ(log.str(), "1 at 1s, 2 at 2s, 3 at 3s");
}

// 2.2 item 21
ASYNC_TEST(AsCompleted, WAIT_06_ThrowsAtTheNextOneWhenTheTimeIsOver) {
  auto slow = eddy::create_task(give(9, 1h));
  std::vector<Task<int>> jobs{eddy::create_task(give(1, 1s)), slow};
  auto completed = eddy::as_completed(jobs, 5s);
  auto first = co_await completed.next();
  EXPECT_EQ(first->result(), 1);
  co_await error_of<eddy::TimeoutError>(completed.next());
  EXPECT_EQ(now(), 5s);
  EXPECT_FALSE(slow.done());
  slow.cancel();
  co_await settle();
}

ASYNC_TEST(AsCompleted, ACancelledNextTakesNothing) {
  std::vector<Coro<int>> one;
  one.push_back(give(7, 2s));
  auto completed = eddy::as_completed(std::move(one));
  auto body = [&]() -> Coro<> { co_await completed.next(); };
  auto impatient = eddy::create_task(body());
  co_await settle();
  impatient.cancel();
  co_await settle();
  auto task = co_await completed.next();
  EXPECT_EQ(task->result(), 7);
  EXPECT_FALSE((co_await completed.next()).has_value());
}

// 2.2 item 16
ASYNC_TEST(Shield, WAIT_10_LetsTheInnerOneGoOn) {
  auto inner = eddy::create_task(give(1, 3s));
  auto body = [&]() -> Coro<> { co_await eddy::shield(inner); };
  auto outer = eddy::create_task(body());
  co_await settle();
  outer.cancel();
  co_await settle();
  EXPECT_TRUE(outer.cancelled());
  EXPECT_FALSE(inner.done());
  EXPECT_EQ(co_await inner, 1);
  EXPECT_EQ(co_await eddy::shield(give(2, 1s)), 2);
}

// 2.2 item 16
ASYNC_TEST(Shield, EndsCancelledWhenTheInnerOneIs) {
  auto inner = eddy::create_task(give(1, 1h));
  auto body = [&]() -> Coro<> { co_await eddy::shield(inner); };
  auto outer = eddy::create_task(body());
  co_await settle();
  inner.cancel();
  co_await settle();
  EXPECT_TRUE(outer.cancelled());
}

// 2.2 item 16
ASYNC_TEST(Shield, WAIT_10_ReportsOnceWhatTheInnerOneThrowsAfterwards) {
  Log log;
  eddy::get_running_loop().set_exception_handler([&](const eddy::ExceptionContext& context) {
    log(context.message.substr(0, context.message.find(" '")) + context.message.substr(context.message.find(") ") + 1));
  });
  auto body = []() -> Coro<> { co_await eddy::shield(fail("late", 1s)); };
  auto outer = eddy::create_task(body());
  co_await settle();
  outer.cancel();
  co_await eddy::sleep(2s);
  EXPECT_EQ(log.str(), "the exception of shielded task came after its awaiter was cancelled");
}
