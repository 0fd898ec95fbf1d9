// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <eddy/functools.hpp>
#include <eddy/generators.hpp>
#include <map>
#include <memory>
#include <numeric>
#include <ranges>

#include "support.hpp"

using eddy::from;
using eddy::Generator;
using eddy::GeneratorExit;
using eddy::testing::Log;

namespace {

Generator<int> fibonacci(int n) {
  int a = 0, b = 1;
  for (int i = 0; i < n; ++i) {
    a = std::exchange(b, a + b);
    co_yield a;
  }
}

// The seed's inner generator: gives back what it was sent, until that is above ten.
Generator<int, int> echo_until_ten(Log& log) {
  log("do something before yield");
  int i = 1;
  while (i <= 10) i = co_yield i;
}

Generator<int, int, std::string> returns_at_two() {
  int i = 0;
  for (;;) {
    if (i == 2) co_return "i==2";
    i = co_yield i;
  }
}

struct AtExit {
  explicit AtExit(int& counter) : count(counter) {}
  ~AtExit() { ++count; }
  int& count;
};

Generator<int> counting(int& closed) {
  AtExit at_exit(closed);
  for (int i = 0;; ++i) co_yield i;
}

Generator<int> stubborn() {
  for (;;) {
    try {
      co_yield 1;
    } catch (const GeneratorExit&) {
    }
  }
}

Generator<int> raising(int n) {
  co_yield n;
  throw std::runtime_error("boom");
}

template <class G>
std::string listed(G&& generator) {
  Log log;
  for (auto&& x : generator) log(x);
  return log.str();
}

}  // namespace

TEST(Generators, GEN_01_SendPassesAValueInAndYieldOneOut) {
  Log log;
  auto inner = echo_until_ten(log);
  auto value = inner.next();
  while (value) {
    log(*value);
    value = inner.send(*value + 1);
  }
  EXPECT_EQ(log, "do something before yield, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10");
  EXPECT_TRUE(inner.done());
}

TEST(Generators, GEN_02_YieldFromReplacesTheHandWrittenLoop) {
  Log log;
  auto outer = [](Log& out) -> Generator<int, int> {
    out("do something before coroutine start");
    co_yield from(echo_until_ten(out));
  }(log);
  for (auto value = outer.next(); value; value = outer.send(*value + 1)) log(*value);
  EXPECT_EQ(log,
            "do something before coroutine start, do something before yield, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10");
}

TEST(Generators, GEN_03_TheFirstResumeMustBeNextOrSendOfNothing) {
  Log log;
  auto g = echo_until_ten(log);
  EXPECT_EQ(TEXT_OF(eddy::TypeError, g.send(5)), "can't send non-None value to a just-started generator");
  EXPECT_EQ(log, "");
  EXPECT_EQ(g.send(std::nullopt), 1);
}

TEST(Generators, GEN_04_TheReturnValueComesWithTheEnd) {
  auto g = returns_at_two();
  EXPECT_EQ(g.next(), 0);
  EXPECT_EQ(TEXT_OF(eddy::InvalidStateError, g.result()), "the generator has no result: it has not returned");
  EXPECT_EQ(g.send(1), 1);
  EXPECT_EQ(g.send(2), std::nullopt);
  EXPECT_EQ(g.result(), "i==2");
}

TEST(Generators, GEN_04_StopIterationCarriesTheReturnValue) {
  auto g = returns_at_two();
  EXPECT_EQ(eddy::next(g), 0);
  g.send(2);
  try {
    eddy::next(g);
    FAIL();
  } catch (const eddy::StopIteration<std::string>& stop) {
    EXPECT_EQ(stop.value, "i==2");
    EXPECT_STREQ(stop.what(), "StopIteration");
  }
}

TEST(Generators, GEN_05_AReturnEndsTheIterationAtOnceAndForEver) {
  auto g = [](int stop) -> Generator<int> {
    for (int i = 0; i < 5; ++i) {
      if (i == stop) co_return;
      co_yield i;
    }
  }(3);
  EXPECT_EQ(listed(g), "0, 1, 2");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(g.next(), std::nullopt);
  for (int i = 0; i < 3; ++i) EXPECT_THROW(eddy::next(g), eddy::StopIteration<>);
  EXPECT_EQ(eddy::next(g, 7), 7);
}

TEST(Generators, GEN_06_ThrowRaisesAtTheYieldWhichMayCatchIt) {
  auto g = []() -> Generator<std::string> {
    std::string caught;
    try {
      co_yield "ready";
    } catch (const eddy::ValueError& e) {
      caught = e.what();
    }
    co_yield "caught " + caught;
  }();
  EXPECT_EQ(g.next(), "ready");
  EXPECT_EQ(g.throw_(eddy::ValueError("boom")), "caught boom");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, g.throw_(eddy::ValueError("again"))), "again");
  EXPECT_TRUE(g.done());
  EXPECT_EQ(g.next(), std::nullopt);
}

TEST(Generators, GEN_06_ThrowIntoOneThatHasNotStartedOrHasEndedThrowsAtOnce) {
  auto g = fibonacci(3);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, g.throw_(eddy::ValueError("early"))), "early");
  EXPECT_EQ(g.next(), std::nullopt);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, g.throw_(eddy::ValueError("late"))), "late");
  EXPECT_EQ(TEXT_OF(eddy::TypeError, g.throw_(std::exception_ptr())),
            "throw_() was given no exception: the exception_ptr is null");
}

TEST(Generators, GEN_07_CloseRunsDestructorsOnceAndIsQuiet) {
  int closed = 0;
  auto g = counting(closed);
  g.next();
  g.close();
  EXPECT_EQ(closed, 1);
  EXPECT_TRUE(g.done());
  g.close();
  EXPECT_EQ(closed, 1);
  EXPECT_EQ(g.next(), std::nullopt);
  EXPECT_EQ(TEXT_OF(eddy::InvalidStateError, g.result()),
            "the generator has no result: it was closed or threw");
}

TEST(Generators, GEN_07_CloseOfOneThatYieldsInAnswerThrows) {
  auto g = stubborn();
  g.next();
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, g.close()), "generator ignored GeneratorExit");
  EXPECT_EQ(g.next(), 1);
  testing::internal::CaptureStderr();
  { auto end = std::move(g); }
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "eddy: a generator that was destroyed threw when it was closed\n"
            "  eddy::RuntimeError: generator ignored GeneratorExit\n");
}

TEST(Generators, GEN_07_AReturnInAnswerToCloseGivesAResult) {
  auto g = []() -> Generator<int, void, std::string> {
    try {
      co_yield 1;
    } catch (const GeneratorExit&) {
    }
    co_return "closed";
  }();
  g.next();
  g.close();
  EXPECT_EQ(g.result(), "closed");
}

TEST(Generators, GEN_07_CloseThrowsWhatTheCleaningUpThrows) {
  auto g = []() -> Generator<int> {
    try {
      co_yield 1;
    } catch (const GeneratorExit&) {
      throw eddy::ValueError("while closing");
    }
  }();
  g.next();
  EXPECT_EQ(TEXT_OF(eddy::ValueError, g.close()), "while closing");
  EXPECT_TRUE(g.done());
}

TEST(Generators, GEN_07_DestructionClosesAndACatchOfGeneratorExitRuns) {
  Log log;
  {
    auto g = [](Log& out) -> Generator<int> {
      try {
        co_yield 1;
      } catch (const GeneratorExit&) {
        out("exit");
        throw;
      }
    }(log);
    g.next();
  }
  EXPECT_EQ(log, "exit");
}

TEST(Generators, GEN_07_CloseBeforeTheStartRunsNothing) {
  int closed = 0;
  auto g = counting(closed);
  g.close();
  EXPECT_EQ(closed, 0);
  EXPECT_EQ(g.next(), std::nullopt);
}

TEST(Generators, GEN_07_AFailedCloseInADestructorGoesToTheExceptionHandlerOfARunningLoop) {
  std::string told;
  eddy::testing::run([](std::string& text) -> Coro<> {
    eddy::get_running_loop().set_exception_handler(
        [&](const eddy::ExceptionContext& context) { text = context.message; });
    auto g = stubborn();
    g.next();
    co_return;
  }(told));
  EXPECT_EQ(told, "a generator that was destroyed threw when it was closed");
}

namespace {
struct Fibonacci : eddy::Iterator<Fibonacci> {
  int left, a = 0, b = 1;
  explicit Fibonacci(int n) : left(n) {}
  std::optional<int> next() {
    if (left-- <= 0) return std::nullopt;
    a = std::exchange(b, a + b);
    return a;
  }
};
std::vector<int> plain_fibonacci(int n) {
  std::vector<int> all;
  int a = 0, b = 1;
  for (int i = 0; i < n; ++i) all.push_back(a = std::exchange(b, a + b));
  return all;
}
struct Plain {};
struct Box {
  std::vector<int> items;
  auto begin() const { return items.begin(); }
  auto end() const { return items.end(); }
};
}  // namespace

TEST(Generators, GEN_08_FibonacciThreeWays) {
  const std::string expected = "1, 1, 2, 3, 5, 8, 13, 21, 34, 55";
  EXPECT_EQ(listed(plain_fibonacci(10)), expected);
  EXPECT_EQ(listed(Fibonacci(10)), expected);
  EXPECT_EQ(listed(fibonacci(10)), expected);
  static_assert(std::ranges::input_range<Fibonacci>);
  static_assert(std::ranges::input_range<Generator<int>> && std::ranges::view<Generator<int>>);
}

TEST(Generators, GEN_09_IterableAndIteratorAreTypeTests) {
  static_assert(!eddy::iterable<Plain> && !eddy::iterator_like<Plain>);
  static_assert(eddy::iterable<Box> && !eddy::iterator_like<Box>);
  static_assert(eddy::iterable<Fibonacci> && eddy::iterator_like<Fibonacci> &&
                !eddy::generator_like<Fibonacci>);
  static_assert(eddy::iterable<Generator<int>> && eddy::iterator_like<Generator<int>>);
  static_assert(eddy::generator_like<Generator<int, int, std::string>> &&
                !eddy::async_iterable<Generator<int>>);
  static_assert(eddy::iterable<std::vector<int>> && eddy::iterable<int[3]> && !eddy::iterable<int>);
  Fibonacci numbers(2);
  EXPECT_EQ(numbers.next(), 1);
}

TEST(Generators, GEN_10_ChainWalksContainersOfDifferentKindsAsOne) {
  const std::vector<std::string> names = {"小张", "小明"};
  const std::vector<std::string> more = {"小潘", "小周"};
  const std::map<std::string, std::string> dict = {{"name", "test1"}, {"name1", "test2"}};
  EXPECT_EQ(listed(eddy::chain(names, more, std::views::keys(dict))), "小张, 小明, 小潘, 小周, name, name1");
  EXPECT_EQ(listed(eddy::chain(names, more, std::views::values(dict))),
            "小张, 小明, 小潘, 小周, test1, test2");
  EXPECT_EQ(listed(eddy::chain(std::vector{1, 2}, fibonacci(3))), "1, 2, 1, 1, 2");
  EXPECT_EQ(names.front(), "小张");
}

TEST(Generators, GEN_11_YieldFromTakesAnyIterable) {
  auto g = [](std::vector<std::vector<std::string>> lists) -> Generator<std::string> {
    for (auto& list : lists) co_yield from(list);
    co_yield from(std::vector<std::string>(1, "小周"));
  }({{"小张", "小明"}, {}, {"小潘"}});
  EXPECT_EQ(listed(g), "小张, 小明, 小潘, 小周");
  auto numbers = []() -> Generator<int> {
    Fibonacci three(3);
    co_yield from(three);
    co_yield from(std::views::iota(7, 9));
  }();
  EXPECT_EQ(listed(numbers), "1, 1, 2, 7, 8");
}

namespace {
struct Statistics {
  int max, min;
  double avg;
};
using Sales = std::map<int, std::vector<int>>;
const Sales kSales = {{2344, {90, 76, 98, 120}}, {2345, {89, 30, 70, 56}}};

Generator<int, int, Statistics> statistics() {
  int most = 0, least = 1 << 30, count = 0, total = 0;
  for (;;) {
    const int value = co_yield count;
    if (value < 0) break;
    most = std::max(most, value);
    least = std::min(least, value);
    total += value;
    ++count;
  }
  co_return Statistics{most, least, static_cast<double>(total) / count};
}
Generator<int, int> collect(std::map<int, Statistics>& into) {
  for (const auto& [id, values] : kSales) {
    const Statistics found = co_yield from(statistics());
    into.emplace(id, found);
  }
}
}  // namespace

TEST(Generators, GEN_12_ADelegatingGeneratorBuildsTheChart) {
  std::map<int, Statistics> chart;
  auto g = collect(chart);
  g.next();
  for (const auto& [id, values] : kSales) {
    for (int value : values) g.send(value);
    g.send(-1);
  }
  Log log;
  for (const auto& [id, found] : chart) log(id, found.max, found.min, static_cast<int>(found.avg * 100));
  EXPECT_EQ(log, "2344 120 76 9600, 2345 89 30 6125");
}

TEST(Generators, GEN_18_WrapKeepsTheNameAndTheFunction) {
  Log log;
  auto login_out = eddy::wrap([&log] { log("已经退出登录"); },
                              [&log](auto& self) {
                                log(self.name());
                                self.wrapped()();
                              },
                              "login_out");
  login_out();
  login_out.wrapped()();
  EXPECT_EQ(log, "login_out, 已经退出登录, 已经退出登录");
}

TEST(Generators, TRAP_01_StopIterationOutOfABodyIsARuntimeError) {
  auto g = []() -> Generator<int> {
    co_yield 1;
    throw eddy::StopIteration<int>(3);
  }();
  EXPECT_EQ(g.next(), 1);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, g.next()), "generator raised StopIteration");
}

TEST(Generators, TRAP_01_StopIterationThrownInIsARuntimeErrorUnlessCaught) {
  auto g = fibonacci(5);
  g.next();
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, g.throw_(eddy::StopIteration())), "generator raised StopIteration");
}

TEST(Generators, AGeneratorThatRunsCannotBeResumed) {
  Generator<int>* self = nullptr;
  auto g = [](Generator<int>*& me) -> Generator<int> {
    me->next();
    co_yield 1;
  }(self);
  self = &g;
  EXPECT_EQ(TEXT_OF(eddy::ValueError, g.next()), "generator already executing");
  EXPECT_TRUE(g.done());
}

TEST(Generators, AnExceptionEndsTheGeneratorAndIsThrownOnce) {
  auto g = raising(4);
  EXPECT_EQ(g.next(), 4);
  EXPECT_EQ(TEXT_OF(std::runtime_error, g.next()), "boom");
  EXPECT_EQ(g.next(), std::nullopt);
}

TEST(Generators, YieldsOfNamedObjectsAreCopiesThatTheConsumerMayTake) {
  auto g = []() -> Generator<std::string> {
    std::string text = "a text that is longer than any small buffer";
    for (int i = 0; i < 2; ++i) co_yield text;
  }();
  std::string all;
  for (auto& text : g) all += std::move(text).substr(0, 6);
  EXPECT_EQ(all, "a texta text");
}

TEST(Generators, YieldsOfReferencesAreTheObjectsThemselves) {
  std::vector<std::string> texts = {"x", "y"};
  auto g = [](std::vector<std::string>& all) -> Generator<std::string&> {
    for (auto& text : all) co_yield text;
  }(texts);
  EXPECT_EQ(g.next(), &texts[0]);
  for (auto& text : g) text += "!";
  EXPECT_EQ(texts[1], "y!");
  EXPECT_EQ(g.next(), nullptr);
}

namespace {
struct CopyCounter {
  int* copies;
  explicit CopyCounter(int& count) : copies(&count) {}
  CopyCounter(const CopyCounter& other) : copies(other.copies) { ++*copies; }
};
}  // namespace

TEST(Generators, ConstReferencesAreYieldedWithoutACopy) {
  int copies = 0;
  auto g = [](int& count) -> Generator<const CopyCounter&> {
    const CopyCounter one(count);
    co_yield one;
    std::vector<CopyCounter> list;
    list.reserve(1);
    list.emplace_back(count);
    co_yield from(list);
    co_yield CopyCounter(count);
  }(copies);
  int seen = 0;
  for (const auto& counter : g) seen += *counter.copies + 1;
  EXPECT_EQ(seen, 3);
  EXPECT_EQ(copies, 0);
}

TEST(Generators, MoveOnlyObjectsAreYielded) {
  auto g = []() -> Generator<std::unique_ptr<int>, void, std::unique_ptr<int>> {
    for (int i = 0; i < 2; ++i) co_yield std::make_unique<int>(i);
    co_return std::make_unique<int>(9);
  }();
  auto first = g.next();
  EXPECT_EQ(**first, 0);
  auto outer = [](auto inner) -> Generator<std::unique_ptr<int>> {
    auto last = co_yield from(std::move(inner));
    co_yield std::move(last);
  }(std::move(g));
  std::vector<std::unique_ptr<int>> all;
  for (auto& item : outer) all.push_back(std::move(item));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(*all[1], 9);
}

TEST(Generators, AreViews) {
  EXPECT_EQ(std::ranges::distance(fibonacci(5) | std::views::filter([](int x) { return x % 2 == 1; })), 4);
  EXPECT_EQ(listed(fibonacci(10) | std::views::transform([](int x) { return x * x; }) | std::views::take(4)),
            "1, 1, 4, 9");
}

TEST(Generators, ARangeForThatIsLeftCanBeTakenUpAgain) {
  auto g = fibonacci(6);
  for (int x : g) {
    if (x == 2) break;
  }
  EXPECT_EQ(listed(g), "3, 5, 8");
}

TEST(Generators, AGeneratorMovesAndIsAssigned) {
  int closed = 0;
  auto a = counting(closed);
  a.next();
  auto b = std::move(a);
  EXPECT_EQ(b.next(), 1);
  b = counting(closed);
  EXPECT_EQ(closed, 1);
  EXPECT_EQ(b.next(), 0);
}

TEST(Generators, AGeneratorThatWasMovedAwayIsRefused) {
  auto a = fibonacci(3);
  auto b = std::move(a);
  EXPECT_TRUE(a.done());
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, a.next()),
            "the generator was moved away: from() or another object has it");
  EXPECT_EQ(b.next(), 1);
}

namespace {
Generator<int> descend(int depth) {
  if (depth > 0)
    co_yield from(descend(depth - 1));
  else
    for (int i = 0; i < 3; ++i) co_yield i;
}
Generator<int, int, int> sum_down(int depth) {
  if (depth == 0) co_return co_yield 0;
  const int below = co_yield from(sum_down(depth - 1));
  co_return below + 1;
}
}  // namespace

TEST(Generators, AHundredThousandLevelsOfDelegationDoNotRecurse) {
  auto g = descend(100'000);
  EXPECT_EQ(g.next(), 0);
  EXPECT_EQ(g.next(), 1);
  EXPECT_EQ(g.next(), 2);
  EXPECT_EQ(g.next(), std::nullopt);
}

TEST(Generators, ResultsComeUpThroughAHundredThousandLevels) {
  auto g = sum_down(100'000);
  g.next();
  EXPECT_EQ(g.send(5), std::nullopt);
  EXPECT_EQ(g.result(), 100'005);
}

TEST(Generators, ErrorsAndCloseGoUpThroughAHundredThousandLevels) {
  auto g = descend(100'000);
  g.next();
  EXPECT_EQ(TEXT_OF(eddy::ValueError, g.throw_(eddy::ValueError("x"))), "x");
  auto dropped = descend(100'000);
  dropped.next();
}

TEST(Generators, StubbornChainsAreDestroyedInnermostFirst) {
  int closed = 0;
  auto chain = [](auto& self, int depth, int& count) -> Generator<int> {
    AtExit at_exit(count);
    for (;;) {
      try {
        if (depth > 0)
          co_yield from(self(self, depth - 1, count));
        else
          co_yield 1;
      } catch (const GeneratorExit&) {
      } catch (const eddy::RuntimeError&) {
      }
    }
  };
  testing::internal::CaptureStderr();
  {
    auto g = chain(chain, 4, closed);
    g.next();
  }
  EXPECT_NE(testing::internal::GetCapturedStderr(), "");
  EXPECT_GE(closed, 5);
}
