// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::settle;

namespace {

template <class T = int>
eddy::Future<T> make() {
  return eddy::get_running_loop().create_future<T>();
}
std::exception_ptr oops(const char* text = "oops") { return std::make_exception_ptr(std::runtime_error(text)); }

}  // namespace

ASYNC_TEST(Futures, FUT_01_HaveNoResultAtFirst) {
  auto future = make();
  EXPECT_FALSE(future.done() || future.cancelled());
  EXPECT_EQ(TEXT_OF(eddy::InvalidStateError, future.result()), "the future has no result yet");
  EXPECT_EQ(TEXT_OF(eddy::InvalidStateError, future.exception()), "the future has no result yet");
  co_return;
}

ASYNC_TEST(Futures, FUT_02_TakeOneResultAndRefuseASecond) {
  auto future = make();
  future.set_result(1);
  EXPECT_EQ(TEXT_OF(eddy::InvalidStateError, future.set_result(2)), "set_result: the future is done already");
  EXPECT_EQ(TEXT_OF(eddy::InvalidStateError, future.set_exception(oops())), "set_exception: the future is done already");
  EXPECT_EQ(future.result(), 1);
  EXPECT_EQ(future.exception(), nullptr);
  co_return;
}

ASYNC_TEST(Futures, FUT_03_ThrowTheirExceptionEachTimeTheyAreRead) {
  auto future = make();
  future.set_exception(oops());
  for (int i = 0; i < 2; ++i) EXPECT_EQ(TEXT_OF(std::runtime_error, future.result()), "oops");
  const auto error = co_await error_of<std::runtime_error>(future);
  EXPECT_STREQ(error.what(), "oops");
}

ASYNC_TEST(Futures, FUT_04_AreCancelledOnlyWhilePending) {
  auto future = make();
  EXPECT_TRUE(future.cancel());
  EXPECT_TRUE(future.cancelled() && future.done());
  EXPECT_FALSE(future.cancel());
  EXPECT_THROW(future.result(), eddy::CancelledError);
  EXPECT_THROW(future.exception(), eddy::CancelledError);
  auto finished = make();
  finished.set_result(1);
  EXPECT_FALSE(finished.cancel());
  EXPECT_EQ(co_await finished, 1);
}

ASYNC_TEST(Futures, FUT_05_FUT_06_CallBackThroughTheLoopInOrderOfRegistration) {
  Log log;
  auto future = make();
  future.add_done_callback([&](eddy::Future<int>& done) { log("a", done.result()); });
  future.add_done_callback([&](auto&) { log("b"); });
  future.set_result(7);
  EXPECT_EQ(log.str(), "");
  future.add_done_callback([&](auto&) { log("late"); });
  co_await settle();
  EXPECT_EQ(log.str(), "a 7, b, late");
}

ASYNC_TEST(Futures, FUT_08_ReportACallbackThatThrowsAndCallTheOthers) {
  Log log;
  eddy::get_running_loop().set_exception_handler([&](const eddy::ExceptionContext& context) { log(context.message); });
  auto future = make();
  future.add_done_callback([](auto&) { throw std::runtime_error("bad callback"); });
  future.add_done_callback([&](auto&) { log("second"); });
  future.set_result(1);
  co_await settle();
  EXPECT_EQ(log.str(), "a done callback threw, second");
}

ASYNC_TEST(Futures, FUT_07_DoNotCallARemovedCallback) {
  auto future = eddy::get_running_loop().create_future<>();
  Log log;
  auto guard = std::make_shared<int>();
  eddy::DoneCallbackHandle second;
  auto first = future.add_done_callback([&log](auto&) { log("first"); });
  auto third = future.add_done_callback([&log, guard](auto&) { log("third"); });
  second = future.add_done_callback([&log](auto&) { log("second"); });
  EXPECT_TRUE(future.remove_done_callback(third));
  EXPECT_EQ(guard.use_count(), 1);
  EXPECT_FALSE(future.remove_done_callback(third));
  EXPECT_FALSE(eddy::get_running_loop().create_future<>().remove_done_callback(first));
  EXPECT_FALSE(future.remove_done_callback({}));
  future.set_result();
  EXPECT_FALSE(future.remove_done_callback(first));  // due already: it is called, as in asyncio
  co_await settle();
  EXPECT_EQ(log, "first, second");
}

ASYNC_TEST(Futures, FUT_07_LetACallbackRemoveAnotherOfAnotherFuture) {
  auto& loop = eddy::get_running_loop();
  auto first = loop.create_future<>();
  auto second = loop.create_future<>();
  bool called = false;
  auto doomed = second.add_done_callback([&called](auto&) { called = true; });
  first.add_done_callback([&](auto&) { EXPECT_TRUE(second.remove_done_callback(doomed)); });
  first.set_result();
  co_await settle();
  second.set_result();
  co_await settle();
  EXPECT_FALSE(called);
}

ASYNC_TEST(Tasks, FUT_07_DoNotCallARemovedCallback) {
  auto task = eddy::create_task(eddy::sleep(1s));
  bool called = false;
  auto handle = task.add_done_callback([&called](auto&) { called = true; });
  EXPECT_TRUE(task.remove_done_callback(handle));
  co_await task;
  co_await settle();
  EXPECT_FALSE(called);
}

ASYNC_TEST(Futures, FUT_10_WhosePromiseGoesWithoutAResultThrow) {
  auto& loop = eddy::get_running_loop();
  auto promise = std::make_unique<eddy::Promise<int>>(loop);
  auto future = promise->get_future();
  loop.call_soon([promise = std::move(promise)] {});
  const auto error = co_await error_of<eddy::BrokenPromiseError>(future);
  EXPECT_STREQ(error.what(), "the promise was destroyed without a result");
  eddy::Promise<int> kept(loop);
  auto promised = kept.get_future();
  kept.set_result(5);
  EXPECT_EQ(co_await promised, 5);
  eddy::Promise<> failing(loop.create_future<>());
  auto failed = failing.get_future();
  failing.set_exception(std::make_exception_ptr(eddy::ValueError("no")));
  EXPECT_STREQ((co_await error_of<eddy::ValueError>(failed)).what(), "no");
}

ASYNC_TEST(Futures, FUT_09_ReportAnExceptionThatNobodyReadOnce) {
  Log log;
  eddy::get_running_loop().set_exception_handler([&](const eddy::ExceptionContext& context) { log(context.message); });
  make().set_exception(oops());
  EXPECT_EQ(log.str(), "the exception of a future was never retrieved; await it, or look at exception()");
  {
    auto read = make();
    read.set_exception(oops());
    EXPECT_NE(read.exception(), nullptr);
    auto copy = read;
    EXPECT_EQ(copy, read);
  }
  EXPECT_EQ(log.str(), "the exception of a future was never retrieved; await it, or look at exception()");
  co_return;
}

ASYNC_TEST(Futures, FUT_11_WakeAllWhoWaitInOrder) {
  Log log;
  auto future = make();
  auto wait = [&](int id) -> Coro<> { log(id, co_await future); };
  auto all = eddy::gather(wait(1), wait(2), wait(3));
  eddy::get_running_loop().call_later(1s, [future] { future.set_result(9); });
  co_await std::move(all);
  EXPECT_EQ(log.str(), "1 9, 2 9, 3 9");
}

ASYNC_TEST(Futures, FUT_12_MoveResultsThatCannotBeCopied) {
  auto future = make<std::unique_ptr<int>>();
  future.set_result(std::make_unique<int>(5));
  const std::unique_ptr<int>& seen = co_await future;
  EXPECT_EQ(*seen, 5);
  const std::unique_ptr<int> taken = co_await std::move(future);
  EXPECT_EQ(*taken, 5);
}

ASYNC_TEST(Futures, GiveReferences) {
  int value = 1;
  auto future = make<int&>();
  future.set_result(value);
  EXPECT_EQ(&co_await future, &value);
}

// 2.2 item 14
TEST(FuturesOfAnotherLoop, FUT_14_AreRefused) {
  eddy::EventLoop other;
  auto foreign = other.create_future<int>();
  auto wait = [&]() -> Coro<> { co_await foreign; };
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, eddy::testing::run(wait())),
            "a future or task of another event loop cannot be awaited here; use run_coroutine_threadsafe(), whose "
            "result any thread can wait for");
}

ASYNC_TEST(Futures, MayLoseTheHandleThatIsAwaited) {
  auto owner = std::make_unique<eddy::Future<std::string>>(make<std::string>());
  auto wait = [&]() -> Coro<std::string> { co_return co_await *owner; };
  auto task = eddy::create_task(wait());
  co_await settle();
  auto setter = *owner;
  owner.reset();
  setter.set_result("still here");
  setter = {};
  EXPECT_EQ(co_await task, "still here");
}

TEST(FuturesOfAClosedLoop, LetGoOfTheirCallbacks) {
  auto token = std::make_shared<int>();
  eddy::Future<int> kept;
  {
    eddy::EventLoop loop;
    kept = loop.create_future<int>();
    auto done = loop.create_future<int>();
    done.add_done_callback([token](auto&) {});
    done.set_result(1);
    kept.add_done_callback([token](auto&) {});
  }
  EXPECT_EQ(token.use_count(), 2);
  kept = {};
  EXPECT_EQ(token.use_count(), 1);
}
