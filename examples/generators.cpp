// SPDX-License-Identifier: MIT
// Fibonacci numbers, a running average that is sent its values, a tree that is walked through `yield from`,
// and a ticker that awaits.
//
//     $ ./generators
//     1 1 2 3 5 8 13 21 34 55
//     mean of 10, 20, 60: 10 15 30
//     root left right leaf
//     tick 0 tick 1 tick 2
#include <eddy/eddy.hpp>
#include <iostream>
#include <ranges>
#include <string>
#include <vector>

using namespace std::chrono_literals;

eddy::Generator<int> fibonacci() {
  int a = 0, b = 1;
  for (;;) {
    a = std::exchange(b, a + b);
    co_yield a;
  }
}

eddy::Generator<double, double> average() {
  double sum = 0, mean = 0;
  for (int n = 1;; ++n) {
    sum += co_yield mean;
    mean = sum / n;
  }
}

struct Node {
  std::string name;
  std::vector<Node> children;
};

eddy::Generator<const std::string&> walk(const Node& node) {
  co_yield node.name;
  for (const auto& child : node.children) co_yield eddy::from(walk(child));
}

eddy::AsyncGenerator<int> ticker(int n) {
  for (int i = 0; i < n; ++i) {
    co_await eddy::sleep(10ms);
    co_yield i;
  }
}

eddy::Coro<> show_ticks() {
  auto ticks = ticker(3);
  while (auto tick = co_await ticks.next()) std::cout << (*tick == 0 ? "" : " ") << "tick " << *tick;
  std::cout << '\n';
}

int main() {
  for (int n : fibonacci() | std::views::take(10)) std::cout << (n == 55 ? "55\n" : std::to_string(n) + " ");

  auto mean = average();
  mean.next();
  std::cout << "mean of 10, 20, 60:";
  for (double x : {10.0, 20.0, 60.0}) std::cout << ' ' << *mean.send(x);
  std::cout << '\n';

  const Node tree{"root", {{"left", {}}, {"right", {{"leaf", {}}}}}};
  for (const auto& name : walk(tree)) std::cout << name << (name == "leaf" ? "\n" : " ");

  eddy::run(show_ticks());
}
