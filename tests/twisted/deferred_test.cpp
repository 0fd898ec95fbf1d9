// SPDX-License-Identifier: MIT
#include <eddy/testing.hpp>
#include <eddy/twisted.hpp>

#include <memory>
#include <string>
#include <vector>

#include "support.hpp"

namespace {

using eddy::testing::Log;
using eddy::twisted::Deferred;
using eddy::twisted::Failure;

struct Odd : std::runtime_error {
  using runtime_error::runtime_error;
};

}  // namespace

TEST(Deferred, TWI_04_EachCallbackGetsWhatTheOneBeforeGave) {
  Log log;
  Deferred d;
  d.add_callback([](int n) { return n + 1; })
      .add_callback([](int n) { return std::to_string(n); })
      .add_callback([&](const std::string& text) { log(text); })
      .add_callback([&] { log("nothing"); });
  d.callback(1);
  EXPECT_EQ(log, "2, nothing");
  d.add_callback([&] { log("late, at once"); });
  EXPECT_EQ(log, "2, nothing, late, at once");
}

TEST(Deferred, TWI_04_AnErrorSkipsToTheNextErrbackAndItsResultToTheNextCallback) {
  Log log;
  Deferred d;
  d.add_callback([](int) -> int { throw Odd("thrown"); })
      .add_callback([&](int) { log("skipped"); })
      .add_errback([&](Failure failure) {
        failure.trap<Odd>();
        log("errback", failure.message());
        return 5;
      })
      .add_errback([&](Failure) { log("skipped, too"); })
      .add_callback([&](int n) { log("callback", n); });
  d.callback(0);
  EXPECT_EQ(log, "errback thrown, callback 5");
}

TEST(Deferred, TWI_04_AFailureThatIsReturnedOrNotTrappedGoesOn) {
  Log log;
  Deferred d;
  d.add_callback([] { return Failure(Odd("returned")); })
      .add_errback([](Failure failure) { failure.trap<eddy::ValueError>(); })
      .add_both([&](auto result) {
        if constexpr (std::is_same_v<decltype(result), Failure>) log("both", result.message());
      });
  d.callback();
  EXPECT_EQ(log, "both returned");
}

TEST(Deferred, TWI_04_AddCallbacksTakesOneOfTheTwo) {
  Log log;
  Deferred d;
  d.add_callbacks([](int) -> int { throw Odd("from the callback"); }, [&](Failure) { log("not for its own callback"); })
      .add_errback([&](Failure failure) { log(failure.message()); });
  d.callback(1);
  EXPECT_EQ(log, "from the callback");
}

TEST(Deferred, TWI_04_AReturnedDeferredPausesTheChain) {
  Log log;
  Deferred outer, inner;
  outer.add_callback([&] {
    log("waiting");
    return inner;
  });
  outer.add_callback([&](int n) { log("got", n); });
  outer.callback();
  log("outside");
  EXPECT_EQ(log, "waiting, outside");
  inner.callback(7);
  EXPECT_EQ(log, "waiting, outside, got 7");
  // A Deferred that has its result pauses nothing.
  auto next = eddy::twisted::succeed(1);
  next.add_callback([](int n) { return eddy::twisted::succeed(n + 1); }).add_callback([&](int n) { log("sum", n); });
  EXPECT_EQ(log, "waiting, outside, got 7, sum 2");
}

TEST(Deferred, TWI_04_ADeferredIsCalledOnce) {
  Deferred d;
  d.callback(1);
  EXPECT_EQ(TEXT_OF(eddy::twisted::AlreadyCalledError, d.callback(2)), "this Deferred has its result already");
  EXPECT_EQ(TEXT_OF(eddy::twisted::AlreadyCalledError, d.errback(Odd("x"))), "this Deferred has its result already");
}

TEST(Deferred, TWI_04_CancelStartsTheChainWithCancelledErrorAndTheLateResultIsIgnored) {
  Log log;
  Deferred d;
  d.add_errback([&](Failure failure) { log(failure.check<eddy::twisted::CancelledError>() ? "cancelled" : "?", failure.message()); });
  d.cancel();
  EXPECT_EQ(log, "cancelled the Deferred was cancelled");
  d.callback(5);
  EXPECT_EQ(TEXT_OF(eddy::twisted::AlreadyCalledError, d.callback(5)), "this Deferred has its result already");
}

TEST(Deferred, TWI_04_ACancellerMayGiveTheResult) {
  Log log;
  Deferred d([&](Deferred& self) { self.callback(std::string("instead")); });
  d.add_callback([&](const std::string& text) { log(text); });
  d.cancel();
  EXPECT_EQ(log, "instead");
  // While a callback's Deferred is waited for, that one is cancelled.
  Deferred outer, inner;
  outer.add_callback([&] { return inner; }).add_errback([&](Failure failure) { log(failure.message()); });
  outer.callback();
  outer.cancel();
  EXPECT_EQ(log, "instead, the Deferred was cancelled");
}

TEST(Deferred, PauseHoldsTheChain) {
  Log log;
  Deferred d;
  d.add_callback([&](int n) { log(n); });
  d.pause();
  d.pause();
  d.callback(1);
  d.unpause();
  EXPECT_EQ(log, "");
  d.unpause();
  EXPECT_EQ(log, "1");
}

TEST(Deferred, AWrongTypeIsATypeError) {
  Log log;
  Deferred d;
  d.add_callback([](int) {}).add_errback([&](Failure failure) { log(failure.message()); });
  d.callback(1.5);
  EXPECT_EQ(log, "a Deferred's callback takes int, and its result is double");
}

TEST(Deferred, AnyTakesTheResultAsItIs) {
  Log log;
  Deferred d;
  d.add_callback([&](std::any& value) { log(value.has_value() ? "something" : "nothing"); });
  d.callback();
  EXPECT_EQ(log, "nothing");
}

TEST(Deferred, ADeferredThatReturnsItselfFails) {
  Log log;
  Deferred d;
  d.add_callback([&] { return d; });
  d.add_errback([&](Failure failure) { log(failure.message()); });
  d.callback();
  EXPECT_EQ(log, "a Deferred's callback returned the Deferred itself: it would wait for ever");
}

TEST(Deferred, ChainsOfAnyLengthNeedNoStack) {
  auto d = eddy::twisted::succeed(0);
  for (int i = 0; i < 100'000; ++i) d.add_callback([](int n) { return eddy::twisted::succeed(n + 1); });
  int result = 0;
  d.add_callback([&](int n) { result = n; });
  EXPECT_EQ(result, 100'000);
}

TEST(Deferred, ChainDeferredHandsTheResultOn) {
  Log log;
  Deferred first, second;
  second.add_callback([&](int n) { log(n); });
  first.chain_deferred(second);
  first.callback(3);
  EXPECT_EQ(log, "3");
}

ASYNC_TEST(Deferred, AFailureThatNobodyHandledIsReported) {
  std::string report;
  eddy::get_running_loop().set_exception_handler([&](const eddy::ExceptionContext& context) { report += context.message; });
  {
    Deferred handled;
    handled.errback(Odd("x"));
    handled.add_errback([](Failure) {});
  }
  EXPECT_EQ(report, "");
  {
    Deferred d;
    d.errback(Odd("x"));
  }
  EXPECT_EQ(report, "Unhandled error in Deferred");
  eddy::get_running_loop().set_exception_handler(nullptr);
  co_return;
}

ASYNC_TEST(Deferred, TWI_05_ADeferredCanBeAwaited) {
  Deferred d;
  eddy::get_running_loop().call_later(2s, [d]() mutable { d.callback(5); });
  EXPECT_EQ(co_await d.as<int>(), 5);
  EXPECT_EQ(eddy::testing::now(), 2s);
  Deferred failing;
  eddy::get_running_loop().call_later(1s, [failing]() mutable { failing.errback(Odd("late")); });
  auto wait = [&]() -> Coro<> { static_cast<void>(co_await failing); };
  auto error = co_await eddy::testing::error_of<Odd>(wait());
  EXPECT_EQ(std::string(error.what()), "late");
  auto text = eddy::twisted::succeed(std::string("there"));
  auto value = co_await text;
  EXPECT_EQ(std::any_cast<std::string>(value), "there");
}

ASYNC_TEST(Deferred, TWI_05_CancellingATaskThatAwaitsItCancelsIt) {
  Log log;
  Deferred d([&](Deferred&) { log("cancelled"); });
  auto wait = [&]() -> Coro<> { static_cast<void>(co_await d); };
  auto task = eddy::create_task(wait());
  co_await eddy::testing::settle();
  task.cancel();
  co_await eddy::testing::settle();
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(log, "cancelled");
  d.add_errback([](Failure) {});
}

ASYNC_TEST(Deferred, TWI_05_InlineCallbacksRunsACoroutineAndCancelReachesIt) {
  Log log;
  auto add = [](int a, int b) -> Coro<int> {
    co_await eddy::sleep(1s);
    co_return a + b;
  };
  auto d = eddy::twisted::inline_callbacks(add(1, 2));
  d.add_callback([&](int sum) { log("sum", sum); });
  co_await eddy::sleep(2s);
  EXPECT_EQ(log, "sum 3");
  auto sleeper = eddy::twisted::inline_callbacks(add(1, 2));
  sleeper.add_errback([&](Failure failure) { log(failure.message()); });
  co_await eddy::testing::settle();
  sleeper.cancel();
  co_await eddy::testing::settle();
  EXPECT_EQ(log, "sum 3, the Deferred was cancelled");
}

ASYNC_TEST(Deferred, TWI_05_FuturesGoBothWays) {
  auto& loop = eddy::get_running_loop();
  auto future = loop.create_future<int>();
  auto d = eddy::twisted::from_future(future);
  d.add_callback([](int n) { return n * 2; });
  auto back = d.as_future<int>();
  future.set_result(4);
  EXPECT_EQ(co_await back, 8);
  auto never = loop.create_future<>();
  auto cancelled = eddy::twisted::from_future(never);
  cancelled.add_errback([](Failure) {});
  cancelled.cancel();
  EXPECT_TRUE(never.cancelled());
  // Nobody sets this one: nothing leaks, and cancelling is harmless.
  auto orphan = eddy::twisted::from_future(loop.create_future<int>());
  orphan.add_errback([](Failure) {});
  orphan.cancel();
  co_await eddy::testing::settle();
}

ASYNC_TEST(Deferred, TWI_05_AddTimeoutCancelsAndSaysHowLong) {
  Log log;
  Deferred d;
  d.add_timeout(5s);
  d.add_errback([&](Failure failure) { log(failure.check<eddy::TimeoutError>() ? "timeout:" : "?", failure.message()); });
  co_await eddy::sleep(6s);
  EXPECT_EQ(log, "timeout: timed out after 5s");
  Deferred quick;
  quick.add_timeout(5s);
  quick.add_callback([&](int n) { log(n); });
  quick.callback(1);
  co_await eddy::sleep(6s);
  EXPECT_EQ(log, "timeout: timed out after 5s, 1");
}

TEST(Deferred, TWI_05_MaybeDeferredTakesWhateverAFunctionDoes) {
  Log log;
  eddy::twisted::maybe_deferred([] { return 1; }).add_callback([&](int n) { log(n); });
  eddy::twisted::maybe_deferred([]() -> int { throw Odd("thrown"); }).add_errback([&](Failure f) { log(f.message()); });
  eddy::twisted::maybe_deferred([] { return eddy::twisted::succeed(2); }).add_callback([&](int n) { log(n); });
  EXPECT_EQ(log, "1, thrown, 2");
}

TEST(DeferredList, TWI_05_GivesEachOutcomeInOrder) {
  std::string text;
  Deferred a, b, c;
  eddy::twisted::deferred_list({a, b, c}, {.consume_errors = true})
      .add_callback([&](const std::vector<eddy::twisted::ListedResult>& results) {
        for (const auto& result : results) text += result.success ? std::to_string(std::any_cast<int>(result.value)) : "x";
      });
  c.callback(3);
  b.errback(Odd("b"));
  EXPECT_EQ(text, "");
  a.callback(1);
  EXPECT_EQ(text, "1x3");
  bool empty = false;
  eddy::twisted::deferred_list({}).add_callback([&] { empty = true; });
  EXPECT_TRUE(empty);
}

TEST(DeferredList, TWI_05_MayFireOnTheFirst) {
  std::string text;
  Deferred a, b;
  eddy::twisted::deferred_list({a, b}, {.fire_on_one_callback = true})
      .add_callback([&](std::pair<std::any, std::size_t> first) {
        text = std::to_string(std::any_cast<int>(first.first)) + " from " + std::to_string(first.second);
      });
  b.callback(7);
  EXPECT_EQ(text, "7 from 1");
  a.callback(8);
}

TEST(DeferredList, TWI_05_GatherResultsGivesTheValuesOrTheFirstError) {
  std::string text;
  Deferred a, b;
  eddy::twisted::gather_results({a, b}).add_callback([&](const std::vector<std::any>& values) {
    for (const auto& value : values) text += std::to_string(std::any_cast<int>(value));
  });
  b.callback(2);
  a.callback(1);
  EXPECT_EQ(text, "12");
  Deferred c, d;
  eddy::twisted::gather_results({c, d}, true).add_errback([&](Failure failure) {
    failure.trap<eddy::twisted::FirstError>();
    text = failure.message();
  });
  d.errback(Odd("no"));
  EXPECT_EQ(text, "the first of several Deferreds to fail was number 1: no");
  c.callback(1);
}

TEST(DeferredList, CancelReachesAll) {
  Log log;
  Deferred a([&](Deferred&) { log("a"); }), b([&](Deferred&) { log("b"); });
  auto all = eddy::twisted::gather_results({a, b}, true);
  all.add_errback([](Failure) {});
  all.cancel();
  EXPECT_EQ(log, "a, b");
}
