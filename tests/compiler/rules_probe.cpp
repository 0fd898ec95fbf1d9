// SPDX-License-Identifier: MIT
// The rules that code must keep so that g++ 12 compiles its coroutines rightly, each as it has to be written.
// The lint of `./dev check` finds what breaks them. A Tracked counts: what lives, and what dies twice.
#include <eddy/eddy.hpp>

#include <string>
#include <vector>

#include "support.hpp"

namespace {

struct Tracked {
  static inline int alive = 0;
  std::string text;

  Tracked(std::string t = "text that is too long for the small buffer") : text(std::move(t)) { ++alive; }
  Tracked(const Tracked& other) : text(other.text) { ++alive; }
  Tracked(Tracked&& other) noexcept : text(std::move(other.text)) { ++alive; }
  Tracked& operator=(const Tracked&) = default;
  Tracked& operator=(Tracked&&) = default;
  ~Tracked() { --alive; }
};

class Rules : public ::testing::Test {
 protected:
  ~Rules() override { EXPECT_EQ(Tracked::alive, 0); }
  static void run(Coro<> body) { eddy::testing::run(std::move(body)); }
};

// Awaited values, at once and after a turn of the loop.
Coro<bool> yes(bool late) {
  if (late) co_await eddy::sleep(0s);
  co_return true;
}
Coro<Tracked> tracked(bool late) {
  if (late) co_await eddy::sleep(0s);
  co_return Tracked("a text that lives on the heap, for sure");
}
template <class F>
Coro<std::size_t> call(F function) {
  co_await eddy::sleep(0s);
  co_return function();
}

struct Options {
  std::string_view host = "localhost";
  int port = 80;
};
Coro<std::size_t> connect(Options options = {}) {
  co_await eddy::sleep(0s);
  co_return options.host.size() + static_cast<std::size_t>(options.port);
}

}  // namespace

// R1: a body whose condition awaits has a declaration.
TEST_F(Rules, AConditionThatAwaitsStandsInABodyWithADeclaration) {
  auto body = [](bool late) -> Coro<> {
    int rounds = 0;
    const bool ok = co_await yes(late);
    if (ok) ++rounds;
    if (co_await yes(late)) ++rounds;
    while (co_await yes(late)) {
      if (++rounds == 5) break;
    }
    for (; co_await yes(late);) {
      if (++rounds == 8) break;
    }
    switch (co_await yes(late)) {
      case true: ++rounds; break;
      default: break;
    }
    do {
      if (++rounds == 11) break;
    } while (co_await yes(late));
    EXPECT_EQ(rounds, 11);
  };
  run(body(false));
  run(body(true));
}

// R1: the sentence that heals a body with nothing to declare.
TEST_F(Rules, ABodyWithAUsingDeclarationRuns) {
  auto body = [](int& ran) -> Coro<> {
    using eddy_body [[maybe_unused]] = int;
    if (co_await yes(true)) ++ran;
  };
  int ran = 0;
  run(body(ran));
  EXPECT_EQ(ran, 1);
}

// R2: closures that own something are named first.
TEST_F(Rules, AClosureThatOwnsSomethingIsNamedFirst) {
  auto body = []() -> Coro<> {
    Tracked value;
    auto owns = [value] { return value.text.size(); };
    auto size = co_await call(owns);
    size += co_await call(std::move(owns));
    auto refers = co_await call([&] { return value.text.size(); });
    EXPECT_EQ(size, 2 * refers);
  };
  run(body());
}

// R3: option aggregates are trivially destructible.
TEST_F(Rules, OptionAggregatesStandWhereTheyAreUsed) {
  auto body = []() -> Coro<> {
    std::string host = "a host name of its own, on the heap";
    EXPECT_EQ(co_await connect({.host = host, .port = 1}), host.size() + 1);
    EXPECT_EQ(co_await connect({}), 89u);
    EXPECT_EQ(co_await connect(), 89u);
    EXPECT_EQ(co_await connect(Options{.port = 2}), 11u);
  };
  run(body());
}

// R4: awaited into locals, then built.
TEST_F(Rules, AggregatesAreBuiltOfLocals) {
  struct Pair {
    Tracked a, b;
  };
  auto body = [](bool late) -> Coro<> {
    auto a = co_await tracked(late);
    auto b = co_await tracked(late);
    Pair pair{std::move(a), std::move(b)};
    EXPECT_EQ(pair.a.text, pair.b.text);
  };
  run(body(false));
  run(body(true));
}

// R5: variadic instead of an initializer_list.
TEST_F(Rules, SeveralAwaitablesAreArguments) {
  auto body = []() -> Coro<> {
    auto [a, b] = co_await eddy::gather(tracked(true), tracked(false));
    std::vector<Tracked> both;
    both.push_back(co_await tracked(true));
    both.emplace_back(co_await tracked(false));
    EXPECT_EQ(a.text + b.text, both[0].text + both[1].text);
  };
  run(body());
}

// R6, R10: `if` instead of `?:`, `&&` and `||` around an await.
TEST_F(Rules, ChoicesAreIfStatements) {
  auto body = [](bool wanted) -> Coro<Tracked> {
    int asked = 0;
    auto ask = [&]() -> Coro<bool> {
      ++asked;
      co_return true;
    };
    bool both = wanted;
    if (both) both = co_await ask();
    EXPECT_EQ(asked, wanted ? 1 : 0);
    if (both) co_return co_await tracked(true);
    co_return Tracked("not wanted");
  };
  auto main = [&]() -> Coro<> {
    auto yes_please = co_await body(true);
    auto no_thanks = co_await body(false);
    EXPECT_EQ(yes_please.text.substr(0, 6), "a text");
    EXPECT_EQ(no_thanks.text, "not wanted");
  };
  run(main());
}

// R7: awaited before it is thrown.
TEST_F(Rules, AnErrorIsMadeOfAnAwaitedLocal) {
  auto body = []() -> Coro<> {
    auto text = co_await tracked(true);
    throw std::runtime_error(text.text);
  };
  EXPECT_EQ(TEXT_OF(std::runtime_error, run(body())), "a text that lives on the heap, for sure");
}

// Allowed: temporaries through constructors and functions, lifetime extension, range-for, folds.
TEST_F(Rules, TemporariesThroughFunctionsAndConstructorsAreFine) {
  auto join = [](const Tracked& a, Tracked b) -> Coro<std::string> {
    co_await eddy::sleep(0s);
    co_return a.text + b.text;
  };
  auto many = []() -> Coro<std::vector<Tracked>> {
    co_await eddy::sleep(0s);
    std::vector<Tracked> all(3);
    co_return all;
  };
  auto body = [&]() -> Coro<> {
    const auto joined = co_await join(Tracked("left, long enough for the heap "), Tracked(std::string("right")));
    EXPECT_EQ(joined, "left, long enough for the heap right");
    auto&& kept = co_await tracked(true);
    EXPECT_FALSE(kept.text.empty());
    int count = 0;
    for (auto& one : co_await many()) count += !one.text.empty();
    EXPECT_EQ(count, 3);
    EXPECT_EQ((co_await tracked(true)).text.size(), 39u);
  };
  run(body());
}

// Coroutines of members, of lambdas, with parameters of every kind, destroyed while they wait.
TEST_F(Rules, ParametersDieOnceWhereverTheCoroutineEnds) {
  struct Member {
    Tracked own;
    Coro<std::size_t> size(Tracked by_value, const Tracked& by_reference, Tracked&& moved, bool late) {
      Tracked local = std::move(moved);
      if (late) co_await eddy::sleep(1h);
      co_return own.text.size() + by_value.text.size() + by_reference.text.size() + local.text.size();
    }
  };
  auto body = []() -> Coro<> {
    Member member;
    Tracked value, reference, moved, other;
    EXPECT_GT(co_await member.size(value, reference, std::move(moved), false), 0u);
    auto task = eddy::create_task(member.size(value, reference, std::move(other), true));
    co_await eddy::sleep(1ms);
    task.cancel();
    auto never_begun = eddy::create_task(member.size(value, reference, std::move(value), true));
    never_begun.cancel();
    co_await eddy::testing::settle();
    EXPECT_TRUE(task.cancelled() && never_begun.cancelled());
  };
  run(body());
}
