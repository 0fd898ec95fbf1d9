// SPDX-License-Identifier: MIT
// Table 1a: generators and iterators.
#include <map>
#include <ranges>

#include "seed.hpp"

using eddy::from;
using eddy::Generator;

namespace {

Generator<int, int> inner() {
  print("do something before yield");
  int i = 1;
  while (i <= 10) i = co_yield i;
}
Generator<int, int> outer() {
  print("do something before coroutine start");
  co_yield from(inner());
}
template <class G>
void send_one_more_each_time(G g) {
  for (auto i = g.next(); i; i = g.send(*i + 1)) print(*i);
}

}  // namespace

PLAIN_SEED("GEN-01", "send() passes a value in, yield one out", any_time,
           "do something before yield\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10") {
  send_one_more_each_time(inner());
}

PLAIN_SEED("GEN-02", "yield from in place of the hand-written loop", any_time,
           "do something before coroutine start\ndo something before yield\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10") {
  send_one_more_each_time(outer());
}

PLAIN_SEED("GEN-03", "the first resume must be next() or send(None)", any_time,
           "can't send non-None value to a just-started generator") {
  auto g = inner();
  print(seed::thrown_by<eddy::TypeError>([&] { g.send(5); }));
}

static Generator<int, void, std::string> test_send() {
  for (int i = 0;; ++i) {
    if (i == 2) co_return "i==2";
    co_yield i;
  }
}
PLAIN_SEED("GEN-04", "the return value travels in StopIteration.value", any_time, "0\n1\ni==2") {
  auto g = test_send();
  try {
    for (;;) print(eddy::next(g));
  } catch (const eddy::StopIteration<std::string>& stop) {
    print(stop.value);
  }
}

PLAIN_SEED("GEN-05", "a return ends the iteration, for ever", any_time,
           "0\n1\nStopIteration\nStopIteration") {
  auto g = test_send();
  for (int i : g) print(i);
  for (int i = 0; i < 2; ++i) print(seed::thrown_by<eddy::StopIterationBase>([&] { eddy::next(g); }));
}

static Generator<std::string> catching() {
  std::string caught;
  try {
    co_yield "ready";
  } catch (const eddy::ValueError& error) {
    caught = error.what();
  }
  co_yield "caught " + caught;
}
PLAIN_SEED("GEN-06", "throw() raises at the yield", any_time, "ready\ncaught boom\nagain") {
  auto g = catching();
  print(g.next());
  print(g.throw_(eddy::ValueError("boom")));
  print(seed::thrown_by<eddy::ValueError>([&] { g.throw_(eddy::ValueError("again")); }));
}

static Generator<int> closing(bool stubborn) {
  struct Finally {
    ~Finally() { print("finally"); }
  } finally;
  for (;;) {
    try {
      co_yield 1;
    } catch (const eddy::GeneratorExit&) {
      if (!stubborn) throw;
      stubborn = false;
    }
  }
}
PLAIN_SEED("GEN-07", "close() throws GeneratorExit; a yield in answer is an error", any_time,
           "finally\ngenerator ignored GeneratorExit\nfinally") {
  auto good = closing(false);
  good.next();
  good.close();
  auto bad = closing(true);
  bad.next();
  print(seed::thrown_by<eddy::RuntimeError>([&] { bad.close(); }));
}

namespace {
std::vector<int> fibona_function(int n) {
  std::vector<int> all;
  for (int a = 0, b = 1; n > 0; --n) all.push_back(a = std::exchange(b, a + b));
  return all;
}
class FibonaIterator : public eddy::Iterator<FibonaIterator> {
 public:
  explicit FibonaIterator(int n) : left_(n) {}
  std::optional<int> next() {
    if (left_-- == 0) return std::nullopt;
    a_ = std::exchange(b_, a_ + b_);
    return a_;
  }

 private:
  int left_, a_ = 0, b_ = 1;
};
Generator<int> fibona(int n) {
  for (int a = 0, b = 1; n > 0; --n) {
    a = std::exchange(b, a + b);
    co_yield a;
  }
}
}  // namespace
PLAIN_SEED("GEN-08", "Fibonacci: a function, an iterator class, a generator", any_time,
           "[1, 1, 2, 3, 5, 8, 13, 21, 34, 55]\n[1, 1, 2, 3, 5, 8, 13, 21, 34, 55]\n[1, 1, 2, 3, 5, 8, 13, "
           "21, 34, 55]") {
  print(fibona_function(10));
  std::vector<int> by_class, by_generator;
  for (int x : FibonaIterator(10)) by_class.push_back(x);
  for (int x : fibona(10)) by_generator.push_back(x);
  print(by_class);
  print(by_generator);
}

namespace {
struct Plain {};
}  // namespace
PLAIN_SEED("GEN-09", "is it iterable, is it an iterator", any_time, "False False\nTrue False\nTrue True") {
  print(eddy::iterable<Plain>, eddy::iterator_like<Plain>);
  print(eddy::iterable<std::vector<int>>, eddy::iterator_like<std::vector<int>>);
  print(eddy::iterable<FibonaIterator>, eddy::iterator_like<FibonaIterator>);
  static_assert(eddy::iterable<Generator<int>> && eddy::generator_like<Generator<int>>);
}

static const std::vector<std::string> kNames = {"小张", "小明"}, kMoreNames = {"小潘", "小周"};
static const std::map<std::string, std::string> kDict = {{"name", "test1"}, {"name1", "test2"}};
PLAIN_SEED("GEN-10", "chain walks containers as one; a dict gives its keys", any_time,
           "小张\n小明\n小潘\n小周\nname\nname1\ntest1\ntest2") {
  for (const auto& item : eddy::chain(kNames, kMoreNames, std::views::keys(kDict))) print(item);
  for (const auto& item : eddy::chain(std::views::values(kDict))) print(item);
}

static Generator<std::string> my_chain(std::vector<std::vector<std::string>> lists) {
  for (auto& list : lists) co_yield from(list);
}
PLAIN_SEED("GEN-11", "yield from over any iterable", any_time, "小张\n小明\n小潘\n小周") {
  for (const auto& item : my_chain({kNames, kMoreNames})) print(item);
}

namespace {
struct Chart {
  int id, max, min;
  double avg;
};
Generator<int, int, Chart> one_chart(int id) {
  Chart chart{id, 0, 1 << 30, 0};
  int count = 0;
  for (;;) {
    const int value = co_yield count;
    if (value < 0) break;
    chart.max = std::max(chart.max, value);
    chart.min = std::min(chart.min, value);
    chart.avg = (chart.avg * count + value) / (count + 1);
    ++count;
  }
  co_return chart;
}
Generator<int, int> charts() {
  for (int id : {2344, 2345}) {
    const Chart chart = co_yield from(one_chart(id));
    print(chart.id, "max", chart.max, "min", chart.min, "avg", chart.avg);
  }
}
}  // namespace
PLAIN_SEED("GEN-12", "a delegating generator builds the chart's data", any_time,
           "2344 max 120 min 76 avg 96\n2345 max 89 min 30 avg 61.25") {
  auto g = charts();
  g.next();
  for (int value : {90, 76, 98, 120, -1, 89, 30, 70, 56, -1}) g.send(value);
}

static Generator<int, int> over_a_list() { co_yield from(std::views::iota(1, 4)); }
PLAIN_SEED("GEN-13", "PEP 380: send goes through; send(None) is next()", any_time,
           "1\n2\ncannot send a value to a plain range: it has only next()") {
  auto g = over_a_list();
  print(g.next());
  print(g.send(std::nullopt));
  print(seed::thrown_by<eddy::TypeError>([&] { g.send(7); }));
}

namespace {
Generator<int, void, std::string> sub() {
  try {
    for (int i = 0;; ++i) co_yield i;
  } catch (const eddy::ValueError&) {
  } catch (const eddy::GeneratorExit&) {
    print("sub closed");
    throw;
  }
  co_return "recovered";
}
Generator<int> delegating() {
  try {
    for (;;) {
      const std::string result = co_yield from(sub());
      print("result", result);
    }
  } catch (const eddy::GeneratorExit&) {
    print("outer closed");
    throw;
  }
}
}  // namespace
PLAIN_SEED("GEN-14", "PEP 380: throw and close are forwarded", any_time,
           "result recovered\nsub closed\nouter closed") {
  auto g = delegating();
  g.next();
  g.throw_(eddy::ValueError("boom"));
  g.close();
}

static Generator<std::string, void, std::string> old_style() {
  co_yield "小明";
  co_return "done";
}
SEED("GEN-15", "a generator is a coroutine through as_coroutine()", 0_s, "小明\ndone") {
  auto by_hand = old_style();
  print(by_hand.send(std::nullopt));
  const std::string result = co_await eddy::as_coroutine(old_style());
  print(result);
  // co_await old_style() does not compile: "a generator cannot be awaited …"
}

static eddy::AsyncGenerator<int> reader() {
  for (int i = 0; i < 3; ++i) {
    co_await eddy::sleep(1_s);
    co_yield i;
  }
}
SEED("GEN-16", "async for: values in order, then the end", 3_s, "0\n1\n2\nend") {
  auto lines = reader();
  while (auto line = co_await lines.next()) print(*line);
  print("end");
}

namespace {
struct Connection {
  Coro<> aenter() {
    co_await eddy::sleep(1_s);
    print("enter");
  }
  Coro<> aexit(std::exception_ptr error) {
    co_await eddy::sleep(1_s);
    print(error ? "exit after an exception" : "exit");
  }
};
Coro<> waits_too_long() { co_await eddy::sleep(100_s); }
}  // namespace
SEED("GEN-17", "async with: the exit part runs, however the body ends", 5_s,
     "enter\nbody\nexit\nenter\nexit after an exception") {
  co_await eddy::with(Connection(), []() -> Coro<> {
    print("body");
    co_return;
  });
  auto task = create_task(eddy::with(Connection(), waits_too_long));
  co_await eddy::sleep(2_s);
  task.cancel();
  co_await eddy::gather(eddy::return_exceptions, task);
}

PLAIN_SEED("GEN-18", "wraps: the decorator keeps name and function", any_time,
           "login_out\n已经退出登录\n已经退出登录") {
  auto login_out = eddy::wrap([] { print("已经退出登录"); },
                              [](auto& self) {
                                print(self.name());
                                self.wrapped()();
                              },
                              "login_out");
  login_out();
  login_out.wrapped()();
}

static Generator<int> raises_stop() {
  co_yield 1;
  throw eddy::StopIteration<>();
}
PLAIN_SEED("TRAP-01", "raise StopIteration in a generator (PEP 479)", any_time,
           "1\ngenerator raised StopIteration") {
  auto g = raises_stop();
  print(g.next());
  print(seed::thrown_by<eddy::RuntimeError>([&] { g.next(); }));
}
