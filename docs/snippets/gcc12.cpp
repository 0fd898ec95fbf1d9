// SPDX-License-Identifier: MIT
#include "snippets.hpp"

#include <memory>

using namespace std::chrono_literals;
using eddy::Coro;

static Coro<bool> ready() {
  co_await eddy::sleep(0s);
  co_return true;
}
static Coro<std::string> text() {
  co_await eddy::sleep(0s);
  co_return "text";
}

// [conditions]
Coro<int> rule_one() {
  const bool go_on = co_await ready();  // not: if (co_await ready()), as the first thing in a body
  if (go_on) co_return 1;
  co_return 2;
}
// [/conditions]

static Coro<> closures() {
  // [closures]
  auto shared = std::make_shared<int>(1);
  auto job = [shared] { return *shared; };  // not inside of the co_await expression
  const int value = co_await eddy::to_thread(job);
  // [/closures]
  static_cast<void>(value);
}

static Coro<> conditionals(bool wanted) {
  // [conditionals]
  std::string result;  // not: wanted ? co_await text() : std::string()
  if (wanted) result = co_await text();
  // [/conditionals]
}

eddy::Coro<> gcc12_program() {
  co_await rule_one();
  co_await closures();
  co_await conditionals(true);
}
