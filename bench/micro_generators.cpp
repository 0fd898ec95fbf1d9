// SPDX-License-Identifier: MIT
// What a step of a generator costs, at the depths of delegation that follow. `hand_loop` is a class with
// next(), called through a pointer that the compiler cannot see through; `bare_generator` a coroutine that
// can do nothing but yield; `recursive_resume` the same in which each level resumes the next; `bare_delegated`
// one whose outermost level knows the innermost, and can do nothing else.
#include <coroutine>
#include <eddy/async_generators.hpp>
#include <eddy/runners.hpp>
#include <optional>
#include <ranges>
#include <utility>

#include "micro.hpp"

namespace {

using bench::expect;
using bench::Stopwatch;

constexpr std::size_t kSteps = 20'000'000;
constexpr std::size_t kSum = kSteps * (kSteps - 1) / 2;
constexpr std::size_t kDeepSteps = 2'000'000;

struct Counter {
  std::size_t n = 0, end = kSteps;
  [[gnu::noinline]] std::optional<std::size_t> next() { return n < end ? std::optional(n++) : std::nullopt; }
};

void hand_loop() {
  Counter counter;
  std::size_t sum = 0;
  const Stopwatch watch;
  while (auto n = counter.next()) sum += *n;
  watch.print("hand_loop", kSteps);
  expect(sum == kSum);
}

struct Bare {
  struct promise_type {
    std::size_t value;
    Bare get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(std::size_t n) noexcept {
      value = n;
      return {};
    }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::abort(); }
  };
  std::coroutine_handle<promise_type> frame;
};
[[gnu::noinline]] Bare bare(std::size_t end) {
  for (std::size_t i = 0; i < end; ++i) co_yield i;
}
void bare_generator() {
  const auto frame = bare(kSteps).frame;
  std::size_t sum = 0;
  const Stopwatch watch;
  for (frame.resume(); !frame.done(); frame.resume()) sum += frame.promise().value;
  watch.print("bare_generator", kSteps);
  expect(sum == kSum);
  frame.destroy();
}

[[gnu::noinline]] Bare passing_on(std::size_t depth, std::size_t end) {
  if (depth == 0) {
    for (std::size_t i = 0; i < end; ++i) co_yield i;
    co_return;
  }
  const auto inner = passing_on(depth - 1, end).frame;
  for (inner.resume(); !inner.done(); inner.resume()) co_yield inner.promise().value;
  inner.destroy();
}
void recursive_resume(const char* name, std::size_t depth) {
  const std::size_t steps = kDeepSteps / depth;
  const auto frame = passing_on(depth, steps).frame;
  std::size_t sum = 0;
  frame.resume();
  const Stopwatch watch;
  for (; !frame.done(); frame.resume()) sum += frame.promise().value;
  watch.print(name, steps);
  expect(sum == steps * (steps - 1) / 2);
  frame.destroy();
}

struct Delegated {
  struct promise_type {
    std::size_t value = 0;
    promise_type* root = this;
    std::coroutine_handle<> outer, innermost;  // `innermost` is kept by the root

    std::coroutine_handle<promise_type> handle() { return std::coroutine_handle<promise_type>::from_promise(*this); }
    Delegated get_return_object() {
      innermost = handle();
      return {handle()};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct To {
      std::coroutine_handle<> next;
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<>) noexcept { return next; }
      void await_resume() noexcept {}
    };
    To final_suspend() noexcept {
      if (outer) root->innermost = outer;
      return {outer ? outer : std::noop_coroutine()};
    }
    std::suspend_always yield_value(std::size_t n) noexcept {
      root->value = n;
      return {};
    }
    To yield_value(Delegated inner) noexcept {
      auto& promise = inner.frame.promise();
      promise.root = root;
      promise.outer = handle();
      root->innermost = inner.frame;
      return {inner.frame};
    }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::abort(); }
  };
  std::coroutine_handle<promise_type> frame;
};
[[gnu::noinline]] Delegated delegated(std::size_t depth, std::size_t end) {
  if (depth == 0) {
    for (std::size_t i = 0; i < end; ++i) co_yield i;
    co_return;
  }
  const auto inner = delegated(depth - 1, end);
  co_yield inner;
  inner.frame.destroy();
}
void bare_delegated(const char* name, std::size_t depth) {
  const auto frame = delegated(depth - 1, kSteps).frame;
  std::size_t sum = 0;
  const Stopwatch watch;
  for (frame.resume(); !frame.done(); frame.promise().innermost.resume()) sum += frame.promise().value;
  watch.print(name, kSteps);
  expect(sum == kSum);
  frame.destroy();
}

[[gnu::noinline]] eddy::Generator<std::size_t> counting(std::size_t end) {
  for (std::size_t i = 0; i < end; ++i) co_yield i;
}
void generator_next() {
  auto g = counting(kSteps);
  std::size_t sum = 0;
  const Stopwatch watch;
  while (auto n = g.next()) sum += *n;
  watch.print("generator_next", kSteps);
  expect(sum == kSum);
}
void generator_range() {
  std::size_t sum = 0;
  auto g = counting(kSteps);
  const Stopwatch watch;
  for (auto n : g) sum += n;
  watch.print("generator_range_for", kSteps);
  expect(sum == kSum);
}
[[gnu::noinline]] eddy::Generator<std::size_t, std::size_t> echo() {
  for (std::size_t value = 0;;) value = co_yield value;
}
void generator_send() {
  auto g = echo();
  g.next();
  std::size_t sum = 0;
  const Stopwatch watch;
  for (std::size_t i = 0; i < kSteps; ++i) sum += *g.send(i);
  watch.print("generator_send", kSteps);
  expect(sum == kSum);
}

[[gnu::noinline]] eddy::Generator<std::size_t> delegating(std::size_t depth, std::size_t end) {
  if (depth == 0)
    co_yield eddy::from(counting(end));
  else
    co_yield eddy::from(delegating(depth - 1, end));
}
void delegated_next(const char* name, std::size_t depth) {
  auto g = delegating(depth - 1, kSteps);
  std::size_t sum = *g.next();
  const Stopwatch watch;
  while (auto n = g.next()) sum += *n;
  watch.print(name, kSteps);
  expect(sum == kSum);
}

[[gnu::noinline]] eddy::AsyncGenerator<std::size_t> async_counting(std::size_t end) {
  for (std::size_t i = 0; i < end; ++i) co_yield i;
}
eddy::Coro<> async_next() {
  auto g = async_counting(kSteps);
  std::size_t sum = 0;
  const Stopwatch watch;
  while (auto n = co_await g.next()) sum += *n;
  watch.print("async_generator_next", kSteps);
  expect(sum == kSum);
}

[[gnu::noinline]] eddy::Generator<int> one() { co_yield 1; }
void made_and_closed() {
  constexpr std::size_t kRounds = 200'000;
  std::size_t sum = 0;
  const Stopwatch watch;
  for (std::size_t i = 0; i < kRounds; ++i) {
    auto g = one();
    while (auto n = g.next()) sum += static_cast<std::size_t>(*n);
  }
  watch.print("generator_made_and_run", kRounds);
  const Stopwatch dropping;
  for (std::size_t i = 0; i < kRounds; ++i) {
    auto g = one();
    sum += static_cast<std::size_t>(*g.next());
  }
  dropping.print("generator_dropped_at_a_yield", kRounds);
  expect(sum == 2 * kRounds);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_items(argc, argv,
                          {{"hand", [] { hand_loop(), bare_generator(), bare_delegated("bare_delegated_10", 10); }},
                           {"next", [] { generator_next(), generator_range(), generator_send(); }},
                           {"delegated",
                            [] {
                              delegated_next("delegated_next_1", 1), delegated_next("delegated_next_10", 10);
                              delegated_next("delegated_next_1000", 1000);
                            }},
                           {"recursive",
                            [] {
                              recursive_resume("recursive_resume_1", 1),
                                  recursive_resume("recursive_resume_10", 10);
                              recursive_resume("recursive_resume_1000", 1000);
                            }},
                           {"async", [] { eddy::run(async_next()); }},
                           {"made", [] { made_and_closed(); }}});
}
