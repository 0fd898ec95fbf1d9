// SPDX-License-Identifier: MIT
#include <iostream>
#include <map>
#include <ranges>
#include <vector>

#include "snippets.hpp"

using namespace std::chrono_literals;
using eddy::AsyncGenerator;
using eddy::Coro;
using eddy::Generator;

namespace {

// [count]
Generator<int> count(int from) {
  for (;;) co_yield from++;
}
// [/count]

// [average]
Generator<double, double> average() {  // yields doubles, is sent doubles
  double sum = 0, mean = 0;
  for (int n = 1;; ++n) {
    sum += co_yield mean;
    mean = sum / n;
  }
}
// [/average]

// [delegate]
struct Node {
  int value;
  std::vector<Node> children;
};
Generator<const int&> walk(const Node& node) {
  co_yield node.value;
  for (const auto& child : node.children) co_yield eddy::from(walk(child));
}
// [/delegate]

// [returns]
Generator<int, int, int> sum_of_three() {
  int sum = 0;
  for (int i = 0; i < 3; ++i) sum += co_yield i;
  co_return sum;
}
Generator<int, int> two_sums(std::vector<int>& sums) {
  for (int i = 0; i < 2; ++i) {
    const int sum = co_yield eddy::from(sum_of_three());  // sends go through
    sums.push_back(sum);
  }
}
// [/returns]

// [async]
AsyncGenerator<int> ticker(int n) {
  for (int i = 0; i < n; ++i) {
    co_await eddy::sleep(1ms);
    co_yield i;
  }
}
// [/async]

Coro<> consume() {
  // [consume]
  auto ticks = ticker(3);
  while (auto tick = co_await ticks.next()) std::cout << *tick << '\n';

  co_await eddy::for_each(ticker(3), [](int tick) { std::cout << tick << '\n'; });
  // [/consume]
}

// [cleanup]
AsyncGenerator<int> rows(eddy::Lock& table) {
  co_await table.acquire();
  std::exception_ptr ended;
  try {
    for (int row = 0;; ++row) co_yield row;
  } catch (...) {  // GeneratorExit, or what a consumer threw in
    ended = std::current_exception();
  }
  co_await eddy::sleep(1ms);  // cleaning up may await
  table.release();
  std::rethrow_exception(ended);
}
Coro<> first_rows(eddy::Lock& table) {
  co_await eddy::with(eddy::aclosing(rows(table)), [](AsyncGenerator<int>& all) -> Coro<> {
    while (auto row = co_await all.next()) {
      if (*row == 3) co_return;
    }
  });
}
// [/cleanup]

}  // namespace

eddy::Coro<> generators_program() {
  // [use]
  for (int n : count(1) | std::views::filter([](int x) { return x % 2 == 0; }) | std::views::take(3)) {
    std::cout << n << '\n';  // 2 4 6
  }
  auto mean = average();
  mean.next();                          // runs to the first co_yield
  mean.send(10);                        // 10
  std::cout << *mean.send(20) << '\n';  // 15
  // [/use]

  const Node tree{1, {Node{2, {}}, Node{3, {Node{4, {}}}}}};
  int sum = 0;
  for (int value : walk(tree)) sum += value;
  std::vector<int> sums;
  auto g = two_sums(sums);
  for (auto i = g.next(); i; i = g.send(*i)) sum += *i;
  if (sum != 16 || sums.size() != 2) throw std::logic_error("the generators of the documentation went wrong");
  co_await consume();
  eddy::Lock table;
  co_await first_rows(table);
  if (table.locked()) throw std::logic_error("the generator did not clean up");
}
