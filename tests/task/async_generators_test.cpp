// SPDX-License-Identifier: MIT
#include <eddy/async_generators.hpp>
#include <eddy/eddy.hpp>
#include <memory>

#include "support.hpp"

using eddy::AsyncGenerator;
using eddy::create_task;
using eddy::Generator;
using eddy::GeneratorExit;
using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::now;

namespace {

AsyncGenerator<int> ticker(int n) {
  for (int i = 0; i < n; ++i) {
    co_await eddy::sleep(1s);
    co_yield i;
  }
}

AsyncGenerator<int> logged(Log& log) {
  try {
    for (int i = 0;; ++i) {
      co_await eddy::sleep(1s);
      co_yield i;
    }
  } catch (const eddy::CancelledError&) {
    log("cancelled");
    throw;
  } catch (const GeneratorExit&) {
    log("exit");
    throw;
  }
}

AsyncGenerator<int, int> echo() {
  int value = 0;
  for (;;) value = co_yield value;
}

AsyncGenerator<int> stubborn() {
  for (;;) {
    try {
      co_yield 1;
    } catch (const GeneratorExit&) {
    }
  }
}

// An asynchronous iterator that is no coroutine.
struct Lines {
  int left = 2;
  Coro<std::optional<std::string>> next() {
    co_await eddy::sleep(1s);
    if (left-- == 0) co_return std::nullopt;
    co_return "line";
  }
};

}  // namespace

ASYNC_TEST(AsyncGenerators, GEN_16_ValuesComeInOrderAndTheLoopEnds) {
  Log log;
  auto ticks = ticker(3);
  while (auto tick = co_await ticks.next()) log(*tick);
  EXPECT_EQ(log, "0, 1, 2");
  EXPECT_EQ(now(), 3s);
  EXPECT_TRUE(ticks.done());
  const auto after = co_await ticks.next();
  EXPECT_EQ(after, std::nullopt);
}

ASYNC_TEST(AsyncGenerators, GEN_16_ForEachTakesWhateverIsAsyncIterable) {
  static_assert(eddy::async_iterable<AsyncGenerator<int>> && eddy::async_iterable<Lines>);
  static_assert(eddy::async_iterable<eddy::AsCompleted<Task<int>>> && !eddy::async_iterable<int>);
  Log log;
  co_await eddy::for_each(ticker(2), [&](int tick) { log(tick); });
  Lines lines;
  co_await eddy::for_each(lines, [&](std::string line) -> Coro<> {
    co_await eddy::sleep(1s);
    log(line);
  });
  EXPECT_EQ(log, "0, 1, line, line");
  EXPECT_EQ(now(), 7s);
}

ASYNC_TEST(AsyncGenerators, GEN_16_AnextThrowsStopAsyncIterationAtTheEnd) {
  auto ticks = ticker(1);
  const int first = co_await eddy::anext(ticks);
  EXPECT_EQ(first, 0);
  const auto error = co_await error_of<eddy::StopAsyncIteration>(eddy::anext(ticks));
  EXPECT_STREQ(error.what(), "StopAsyncIteration");
  const int otherwise = co_await eddy::anext(ticks, 7);
  EXPECT_EQ(otherwise, 7);
}

ASYNC_TEST(AsyncGenerators, ABodyThatNeverAwaitsNeverSuspendsItsConsumer) {
  auto numbers = [](int n) -> AsyncGenerator<int> {
    for (int i = 0; i < n; ++i) co_yield i;
  }(10'000);
  int sum = 0;
  bool other_ran = false;
  auto other = create_task([&]() -> Coro<> {
    other_ran = true;
    co_return;
  });
  while (auto number = co_await numbers.next()) sum += *number;
  EXPECT_EQ(sum, 49'995'000);
  EXPECT_FALSE(other_ran);
  co_await other;
}

ASYNC_TEST(AsyncGenerators, AsendGivesTheYieldItsValue) {
  auto g = echo();
  const auto refused = co_await error_of<eddy::TypeError>(g.asend(1));
  EXPECT_STREQ(refused.what(), "can't send non-None value to a just-started async generator");
  const auto first = co_await g.next();
  const auto second = co_await g.asend(5);
  const auto third = co_await g.next();
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 5);
  EXPECT_EQ(third, 0);
}

ASYNC_TEST(AsyncGenerators, AthrowRaisesAtTheYield) {
  Log log;
  auto g = [](Log& out) -> AsyncGenerator<int> {
    try {
      co_yield 1;
    } catch (const eddy::ValueError& e) {
      out("caught", e.what());
    }
    co_await eddy::sleep(1s);
    co_yield 2;
  }(log);
  co_await g.next();
  const auto second = co_await g.athrow(eddy::ValueError("boom"));
  EXPECT_EQ(second, 2);
  EXPECT_EQ(log, "caught boom");
  const auto out = co_await error_of<eddy::KeyError>(g.athrow(eddy::KeyError("key")));
  EXPECT_STREQ(out.what(), "key");
  EXPECT_TRUE(g.done());
  const auto end = co_await g.athrow(eddy::KeyError("late"));
  EXPECT_EQ(end, std::nullopt);
  auto fresh = ticker(1);
  co_await error_of<eddy::KeyError>(fresh.athrow(eddy::KeyError("early")));
  EXPECT_TRUE(fresh.done());
  auto other = ticker(1);
  const auto null = co_await error_of<eddy::TypeError>(other.athrow(std::exception_ptr()));
  EXPECT_STREQ(null.what(), "athrow() was given no exception: the exception_ptr is null");
}

ASYNC_TEST(AsyncGenerators, AcloseRunsTheCleaningUpWhichMayAwait) {
  Log log;
  auto g = [](Log& out) -> AsyncGenerator<int> {
    std::exception_ptr exit;
    try {
      co_yield 1;
    } catch (const GeneratorExit&) {
      exit = std::current_exception();
    }
    co_await eddy::sleep(2s);
    out("clean");
    if (exit) std::rethrow_exception(exit);
  }(log);
  co_await g.next();
  co_await g.aclose();
  EXPECT_EQ(log, "clean");
  EXPECT_EQ(now(), 2s);
  EXPECT_TRUE(g.done());
  co_await g.aclose();
  auto unstarted = ticker(1);
  co_await unstarted.aclose();
  EXPECT_TRUE(unstarted.done());
}

ASYNC_TEST(AsyncGenerators, AcloseOfOneThatYieldsInAnswerThrows) {
  auto g = stubborn();
  co_await g.next();
  const auto error = co_await error_of<eddy::RuntimeError>(g.aclose());
  EXPECT_STREQ(error.what(), "async generator ignored GeneratorExit");
}

ASYNC_TEST(AsyncGenerators, AnExceptionComesOutOfNextOnce) {
  auto g = []() -> AsyncGenerator<int> {
    co_yield 1;
    co_await eddy::sleep(1s);
    throw eddy::ValueError("boom");
  }();
  co_await g.next();
  const auto error = co_await error_of<eddy::ValueError>(g.next());
  EXPECT_STREQ(error.what(), "boom");
  const auto end = co_await g.next();
  EXPECT_EQ(end, std::nullopt);
}

ASYNC_TEST(AsyncGenerators, StopIterationOutOfABodyIsARuntimeError) {
  auto sync = []() -> AsyncGenerator<int> {
    co_yield 1;
    throw eddy::StopIteration<>();
  }();
  auto async = []() -> AsyncGenerator<int> {
    co_yield 1;
    throw eddy::StopAsyncIteration();
  }();
  co_await sync.next();
  co_await async.next();
  const auto first = co_await error_of<eddy::RuntimeError>(sync.next());
  const auto second = co_await error_of<eddy::RuntimeError>(async.next());
  EXPECT_STREQ(first.what(), "async generator raised StopIteration");
  EXPECT_STREQ(second.what(), "async generator raised StopAsyncIteration");
}

ASYNC_TEST(AsyncGenerators, TwoStepsAtOnceAreRefused) {
  auto ticks = ticker(3);
  auto first = create_task([&]() -> Coro<std::optional<int>> { co_return co_await ticks.next(); });
  co_await eddy::sleep(0s);
  const auto next = co_await error_of<eddy::RuntimeError>(ticks.next());
  const auto close = co_await error_of<eddy::RuntimeError>(ticks.aclose());
  const auto raise = co_await error_of<eddy::RuntimeError>(ticks.athrow(eddy::ValueError("x")));
  EXPECT_STREQ(next.what(), "anext(): asynchronous generator is already running");
  EXPECT_STREQ(close.what(), "aclose(): asynchronous generator is already running");
  EXPECT_STREQ(raise.what(), "athrow(): asynchronous generator is already running");
  const auto value = co_await first;
  EXPECT_EQ(value, 0);
}

ASYNC_TEST(AsyncGenerators, ACancellationIsThrownAtTheInnermostAwait) {
  Log log;
  auto g = logged(log);
  auto consumer = create_task([&]() -> Coro<> {
    while (auto i = co_await g.next()) log(*i);
  });
  co_await eddy::sleep(1500ms);
  consumer.cancel();
  co_await error_of<eddy::CancelledError>(consumer);
  EXPECT_EQ(log, "0, cancelled");
  EXPECT_TRUE(g.done());
  EXPECT_EQ(now(), 1500ms);
}

ASYNC_TEST(AsyncGenerators, OneTaskAfterTheOtherMayTakeFromAGenerator) {
  auto ticks = ticker(4);
  Log log;
  auto taker = [&](int id) -> Coro<> {
    const auto tick = co_await ticks.next();
    log(id, *tick);
  };
  for (int id = 0; id < 4; ++id) co_await create_task(taker(id));
  EXPECT_EQ(log, "0 0, 1 1, 2 2, 3 3");
}

ASYNC_TEST(AsyncGenerators, AStepMayBeATaskAndMayHaveATimeout) {
  auto ticks = ticker(3);
  const auto first = co_await create_task(ticks.next());
  EXPECT_EQ(first, 0);
  const auto second = co_await eddy::wait_for(ticks.next(), 2s);
  EXPECT_EQ(second, 1);
  co_await error_of<eddy::TimeoutError>(eddy::wait_for(ticks.next(), 500ms));
  EXPECT_TRUE(ticks.done());  // the cancellation went through it
  EXPECT_EQ(now(), 2500ms);
}

ASYNC_TEST(AsyncGenerators, AGeneratorThatWasMovedAwayIsRefused) {
  auto a = ticker(1);
  auto b = std::move(a);
  EXPECT_TRUE(a.done());
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, static_cast<void>(a.next())),
            "the generator was moved away: from() or another object has it");
  co_return;
}

ASYNC_TEST(AsyncGenerators, TheAwaitChainGoesThroughTheGenerator) {
  auto ticks = ticker(1);
  auto consumer = create_task([&]() -> Coro<> { co_await ticks.next(); });
  co_await eddy::sleep(0s);
  const auto text = eddy::format_tasks();
  const auto at = text.find("ticker  async_generators_test.cpp:");
  EXPECT_NE(at, std::string::npos) << text;
  EXPECT_LT(text.find("operator()  async_generators_test.cpp:"), at) << text;
  EXPECT_NE(text.find("waits for sleep, 1s left", at), std::string::npos) << text;
  co_await consumer;
}

ASYNC_TEST(AsyncGenerators, DestructionDestroysWhatItHoldsAtOnce) {
  auto held = std::make_shared<int>(1);
  Log log;
  {
    auto g = [](std::shared_ptr<int> value, Log& out) -> AsyncGenerator<int> {
      try {
        co_yield *value;
      } catch (const GeneratorExit&) {
        out("no handler runs");
      }
    }(held, log);
    co_await g.next();
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(log, "");
}

ASYNC_TEST(AsyncGenerators, MoveOnlyValuesAndReferencesAreYielded) {
  auto boxes = []() -> AsyncGenerator<std::unique_ptr<int>> {
    for (int i = 0; i < 2; ++i) {
      co_await eddy::sleep(0s);
      co_yield std::make_unique<int>(i);
    }
  }();
  int sum = 0;
  while (auto box = co_await boxes.next()) sum += **box + 1;
  EXPECT_EQ(sum, 3);
  std::vector<std::string> texts = {"a", "b"};
  auto references = [](std::vector<std::string>& all) -> AsyncGenerator<std::string&> {
    for (auto& text : all) co_yield text;
  }(texts);
  while (auto* text = co_await references.next()) *text += "!";
  EXPECT_EQ(texts[1], "b!");
}

ASYNC_TEST(AsyncGenerators, AGeneratorMayTakeFromAnotherToAnyDepth) {
  auto nested = [](auto& self, int depth) -> AsyncGenerator<int> {
    if (depth == 0) {
      co_await eddy::sleep(1s);
      co_yield 1;
      co_return;
    }
    auto inner = self(self, depth - 1);
    while (auto value = co_await inner.next()) co_yield *value + 1;
  };
  auto g = nested(nested, 2000);
  const auto value = co_await g.next();
  EXPECT_EQ(value, 2001);
  const auto end = co_await g.next();
  EXPECT_EQ(end, std::nullopt);
}

TEST(AsyncGenerators, RUN_5_WhatIsNotFinishedIsClosedAtTheEndTheNewestFirst) {
  Log log;
  std::vector<AsyncGenerator<int>> kept;
  eddy::testing::run([](Log& out, std::vector<AsyncGenerator<int>>& all) -> Coro<> {
    auto cleaning = [](Log& to, int id) -> AsyncGenerator<int> {
      std::exception_ptr exit;
      try {
        co_yield id;
      } catch (const GeneratorExit&) {
        exit = std::current_exception();
      }
      co_await eddy::sleep(1s);
      to("closed", id);
      std::rethrow_exception(exit);
    };
    for (int id = 0; id < 3; ++id) {
      all.push_back(cleaning(out, id));
      co_await all.back().next();
    }
    all.push_back(cleaning(out, 9));  // never started: nothing to close
  }(log, kept));
  EXPECT_EQ(log, "closed 2, closed 1, closed 0");
  EXPECT_TRUE(kept[0].done());
  EXPECT_FALSE(kept[3].done());
}

TEST(AsyncGenerators, RUN_5_ErrorsOfTheClosingAreReported) {
  Log log;
  std::vector<AsyncGenerator<int>> kept;
  eddy::testing::run([](Log& out, std::vector<AsyncGenerator<int>>& all) -> Coro<> {
    eddy::get_running_loop().set_exception_handler([&](const eddy::ExceptionContext& context) {
      out(context.message.substr(0, context.message.find('(')));
    });
    all.push_back(stubborn());
    all.push_back(logged(out));
    for (auto& g : all) co_await g.next();
  }(log, kept));
  EXPECT_EQ(log, "exit, an error occurred during closing of asynchronous generator 'stubborn' ");
}

ASYNC_TEST(AsyncGenerators, RUN_5_AGeneratorStartedAfterTheShutdownIsReported) {
  Log log;
  auto& loop = eddy::get_running_loop();
  loop.set_exception_handler([&](const eddy::ExceptionContext& context) {
    log(context.message.substr(context.message.find("was")));
  });
  co_await loop.shutdown_asyncgens();
  auto ticks = ticker(1);
  co_await ticks.next();
  EXPECT_EQ(log, "was started after shutdown_asyncgens(): nobody will close it");
}

TEST(AsyncGenerators, AGeneratorMayOutliveTheLoopThatAbandonedItsConsumer) {
  auto ticks = ticker(3);
  {
    eddy::EventLoop loop({.backend = eddy::Backend::simulated});
    loop.set_exception_handler([](const eddy::ExceptionContext&) {});
    auto task = loop.create_task([](AsyncGenerator<int>& g) -> Coro<> { co_await g.next(); }(ticks));
    loop.call_later(500ms, [&] { loop.stop(); });
    loop.run_forever();
  }
  EXPECT_TRUE(ticks.done());
}

TEST(AsyncGenerators, DestructionInTheMiddleOfAStepStopsTheProgram) {
  EXPECT_DEATH(eddy::testing::run([]() -> Coro<> {
                 auto ticks = std::make_unique<AsyncGenerator<int>>(ticker(3));
                 auto task = create_task([&]() -> Coro<> { co_await ticks->next(); });
                 co_await eddy::sleep(0s);
                 ticks.reset();
               }()),
               "eddy: asynchronous generator 'ticker' .* was destroyed while a task waits in it");
}

ASYNC_TEST(AsyncGenerators, GEN_15_AGeneratorIsAwaitedThroughAsCoroutine) {
  Log log;
  auto old_style = [](Log& out) -> Generator<int, void, std::string> {
    out("this is a test");
    co_yield 1;
    out("on the next turn");
    co_return "ok";
  };
  const std::string result = co_await eddy::as_coroutine(old_style(log));
  EXPECT_EQ(result, "ok");
  EXPECT_EQ(log, "this is a test, on the next turn");
  // By hand, it is still a generator.
  auto by_hand = old_style(log);
  EXPECT_EQ(by_hand.send(std::nullopt), 1);
}

ASYNC_TEST(AsyncGenerators, GEN_15_AYieldOfSomethingAwaitableAwaitsIt) {
  auto waits = []() -> Generator<Coro<>> {
    for (int i = 0; i < 2; ++i)
      co_yield [](eddy::Duration delay) -> Coro<> { co_await eddy::sleep(delay); }(1s);
  };
  co_await create_task(eddy::as_coroutine(waits()));
  EXPECT_EQ(now(), 2s);
}

TEST(AsyncGenerators, EachPlaceOfACancellationLeavesNothingBehind) {
  EXPECT_GE(eddy::testing::cancel_everywhere([]() -> Coro<> {
              auto ticks = ticker(3);
              while (auto tick = co_await ticks.next()) co_await eddy::sleep(1ms);
            }),
            6u);
}
