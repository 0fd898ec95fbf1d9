// SPDX-License-Identifier: MIT
// PEP 380, `yield from`: the statements of the PEP and of CPython's test_pep380, each by its own test.
#include <eddy/eddy.hpp>
#include <eddy/generators.hpp>
#include <ranges>

#include "support.hpp"

using eddy::from;
using eddy::Generator;
using eddy::GeneratorExit;
using eddy::testing::Log;

namespace {

// A sub-iterator with next() alone.
struct Bare {
  int n = 0;
  std::optional<int> next() { return n < 3 ? std::optional(n++) : std::nullopt; }
};

// One with everything, none of it a coroutine.
struct Full {
  Log& log;
  explicit Full(Log& l) : log(l) {}
  std::optional<int> next() {
    log("next");
    return 1;
  }
  std::optional<int> send(int x) {
    log("send", x);
    return x;
  }
  std::optional<int> throw_(std::exception_ptr) {
    log("throw");
    return std::nullopt;
  }
  void close() { log("close"); }
  std::string result() { return "result"; }
};

Generator<int, int, std::string> inner(Log& log) {
  try {
    for (int i = 0;;) {
      const int sent = co_yield i;
      log("sent", sent);
      if (sent > 10) co_return "returned";
      i = sent;
    }
  } catch (const eddy::ValueError& e) {
    log("inner caught", e.what());
  } catch (const GeneratorExit&) {
    log("inner exit");
    throw;
  }
  co_return "recovered";
}

template <class Sub>
Generator<int, int, std::string> outer(Log& log, Sub sub) {
  std::string result;
  try {
    std::string returned = co_yield from(std::move(sub));  // g++ 12: a new variable, see docs/gcc12.md
    result = returned;
    log("result", result);
  } catch (const GeneratorExit&) {
    log("outer exit");
    throw;
  } catch (const std::exception& e) {
    log("outer caught", e.what());
  }
  co_yield -1;
  co_return result;
}

}  // namespace

TEST(Pep380, pep380_GEN_13_SentValuesReachTheSubGenerator) {
  Log log;
  auto g = outer(log, inner(log));
  EXPECT_EQ(g.next(), 0);
  EXPECT_EQ(g.send(4), 4);
  EXPECT_EQ(g.send(11), -1);
  EXPECT_EQ(log, "sent 4, sent 11, result returned");
}

TEST(Pep380, pep380_GEN_13_SendOfNothingBecomesNext) {
  Log log;
  auto g = outer(log, Full(log));
  g.next();
  g.send(std::nullopt);
  g.send(5);
  EXPECT_EQ(log, "next, next, send 5");
}

TEST(Pep380, pep380_GEN_13_PlainRangesTakeOnlyNext) {
  auto g = []() -> Generator<int, int> {
    std::string refused;
    try {
      co_yield from(std::views::iota(1, 4));
    } catch (const eddy::TypeError& e) {
      refused = e.what();
    }
    EXPECT_EQ(refused, "cannot send a value to a plain range: it has only next()");
    co_yield 9;
  }();
  EXPECT_EQ(g.next(), 1);
  EXPECT_EQ(g.next(), 2);
  EXPECT_EQ(g.send(7), 9);
}

TEST(Pep380, pep380_GEN_14a_CloseClosesTheSubGeneratorFirst) {
  Log log;
  auto g = outer(log, inner(log));
  g.next();
  g.close();
  EXPECT_EQ(log, "inner exit, outer exit");
}

TEST(Pep380, pep380_GEN_14a_CloseCallsTheCloseOfASubIterator) {
  Log log;
  auto g = outer(log, Full(log));
  g.next();
  g.close();
  EXPECT_EQ(log, "next, close, outer exit");
}

TEST(Pep380, pep380_GEN_14a_ASubIteratorWithoutCloseIsTolerated) {
  Log log;
  auto g = [](Log& out) -> Generator<int> {
    try {
      co_yield from(Bare{});
    } catch (const GeneratorExit&) {
      out("outer exit");
    }
  }(log);
  EXPECT_EQ(g.next(), 0);
  g.close();
  EXPECT_EQ(log, "outer exit");
}

TEST(Pep380, pep380_GEN_14b_ThrowGoesIntoTheSubGeneratorWhoseReturnIsTheResult) {
  Log log;
  auto g = outer(log, inner(log));
  g.next();
  EXPECT_EQ(g.throw_(eddy::ValueError("boom")), -1);
  EXPECT_EQ(log, "inner caught boom, result recovered");
}

TEST(Pep380, pep380_GEN_14b_ThrowGoesIntoASubIteratorThatHasIt) {
  Log log;
  auto g = outer(log, Full(log));
  g.next();
  EXPECT_EQ(g.throw_(eddy::ValueError("boom")), -1);
  EXPECT_EQ(log, "next, throw, result result");
}

TEST(Pep380, pep380_GEN_14c_WithoutAThrowMethodTheExceptionIsRaisedAtTheYieldFrom) {
  Log log;
  auto g = [](Log& out) -> Generator<int> {
    try {
      co_yield from(Bare{});
    } catch (const eddy::ValueError& e) {
      out("caught", e.what());
    }
    co_yield from(std::views::iota(7, 8));
  }(log);
  g.next();
  EXPECT_EQ(g.throw_(eddy::ValueError("boom")), 7);
  EXPECT_EQ(log, "caught boom");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, g.throw_(eddy::ValueError("out"))), "out");
}

TEST(Pep380, pep380_GEN_14d_TheResultIsWhatTheSubGeneratorReturns) {
  auto g = []() -> Generator<int, void, int> {
    const int below = co_yield from([]() -> Generator<int, void, int> {
      co_yield 1;
      co_return 41;
    }());
    co_return below + 1;
  }();
  g.next();
  g.next();
  EXPECT_EQ(g.result(), 42);
}

TEST(Pep380, pep380_AnUncaughtExceptionOfTheSubGeneratorGoesToTheDelegatingOne) {
  Log log;
  auto g = outer(log, [](Log&) -> Generator<int, int, std::string> {
    co_yield 1;
    throw eddy::KeyError("lost");
  }(log));
  g.next();
  EXPECT_EQ(g.next(), -1);
  EXPECT_EQ(log, "outer caught lost");
}

TEST(Pep380, pep380_AThrownGeneratorExitClosesTheSubGeneratorAndIsRaisedOutside) {
  Log log;
  auto g = outer(log, inner(log));
  g.next();
  EXPECT_THROW(g.throw_(GeneratorExit()), GeneratorExit);
  EXPECT_EQ(log, "inner exit, outer exit");
}

TEST(Pep380, pep380_ASubGeneratorThatIgnoresItsExitRaisesRuntimeErrorInTheDelegatingOne) {
  Log log;
  auto g = outer(log, []() -> Generator<int, int, std::string> {
    for (int i = 0; i < 2; ++i) {
      try {
        co_yield i;
      } catch (const GeneratorExit&) {
      }
    }
    co_return "";
  }());
  g.next();
  // The delegating one catches that and yields in its turn.
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, g.close()), "generator ignored GeneratorExit");
  EXPECT_EQ(log, "outer caught generator ignored GeneratorExit");
}

TEST(Pep380, pep380_AnExceptionWhileTheSubGeneratorClosesIsRaisedInTheDelegatingOne) {
  Log log;
  auto g = [](Log& out) -> Generator<int> {
    try {
      co_yield from([]() -> Generator<int> {
        try {
          co_yield 1;
        } catch (const GeneratorExit&) {
          throw eddy::ValueError("cannot");
        }
      }());
    } catch (const eddy::ValueError& e) {
      out("caught", e.what());
    }
  }(log);
  g.next();
  g.close();
  EXPECT_EQ(log, "caught cannot");
}

TEST(Pep380, pep380_AnEndedGeneratorGivesItsResultAtOnce) {
  auto ended = []() -> Generator<int, void, int> {
    co_yield 1;
    co_return 5;
  }();
  while (ended.next()) {
  }
  auto g = [](Generator<int, void, int> sub) -> Generator<int, void, int> {
    const int result = co_yield from(std::move(sub));
    co_return result;
  }(std::move(ended));
  EXPECT_EQ(g.next(), std::nullopt);
  EXPECT_EQ(g.result(), 5);
}

TEST(Pep380, pep380_AGeneratorThatWasStartedIsGoneOnWith) {
  Log log;
  auto middle = outer(log, inner(log));
  middle.next();
  auto g = [](auto sub) -> Generator<int, int> { co_yield from(std::move(sub)); }(std::move(middle));
  EXPECT_EQ(g.next(), 0);
  EXPECT_EQ(g.send(3), 3);
  g.close();
  EXPECT_EQ(log, "sent 0, sent 3, inner exit, outer exit");
}

TEST(Pep380, pep380_GeneratorsOfOtherTypesAreConverted) {
  auto g = []() -> Generator<std::string, int, int> {
    auto small = []() -> Generator<const char*, int, int> {
      const int sent = co_yield "a";
      co_yield sent > 0 ? "positive" : "none";
      co_return 3;
    };
    const int result = co_yield from(small());
    co_return result;
  }();
  EXPECT_EQ(g.next(), "a");
  EXPECT_EQ(g.send(1), "positive");
  EXPECT_EQ(g.next(), std::nullopt);
  EXPECT_EQ(g.result(), 3);
}

TEST(Pep380, pep380_AGeneratorMovedIntoItselfStopsTheProgram) {
  Generator<int>* self = nullptr;
  auto g = [](Generator<int>*& me) -> Generator<int> { co_yield from(std::move(*me)); }(self);
  self = &g;
  Generator<int> holder = std::move(g);
  self = &holder;
  EXPECT_DEATH(holder.next(), "a generator was destroyed while it runs");
}
