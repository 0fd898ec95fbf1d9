// SPDX-License-Identifier: MIT
// The seeds: the worked examples of the articles that eddy began with, each as a small program that prints
// what the article's Python prints, in the time that it takes there.
//
//     SEED("AIO-13", "gather keeps the order of its arguments", 2_s, "[0, 1, 2]") {
//       std::vector<Coro<int>> tests;
//       for (int i = 0; i < 3; ++i) tests.push_back(test(i));
//       print(co_await eddy::gather(std::move(tests)));
//     }
//
// What is printed must be the text, the time that passed the time: to the nanosecond on the virtual clock,
// and on the real one, where all times are a tenth, -0/+5 % (at least +50 ms).
#pragma once

#include <eddy/eddy.hpp>
#include <eddy/testing.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace seed {

/// A length of time of an article: `2_s`. A tenth of it where the clock is real.
struct Seconds {
  double value;
  constexpr explicit Seconds(double seconds) : value(seconds) {}
  operator eddy::Duration() const;
  friend constexpr Seconds operator/(Seconds length, double parts) { return Seconds(length.value / parts); }
};
inline constexpr Seconds any_time(-1);

namespace literals {
constexpr Seconds operator""_s(unsigned long long n) { return Seconds(static_cast<double>(n)); }
constexpr Seconds operator""_s(long double n) { return Seconds(static_cast<double>(n)); }
}  // namespace literals

/// time.sleep(): blocks the thread.
void blocking_sleep(Seconds length);

/// The back end that the seeds run on.
eddy::RunOptions run_options();
eddy::LoopOptions loop_options();

/// Counts the time of a loop as the seed's, from here to the end of the scope.
class LoopTime {
 public:
  explicit LoopTime(eddy::EventLoop& loop);
  LoopTime(const LoopTime&) = delete;
  ~LoopTime();

 private:
  eddy::EventLoop& loop_;
  eddy::TimePoint began_;
};

/// A loop of one's own whose time counts as the seed's.
class Loop : public eddy::EventLoop {
 public:
  Loop() : EventLoop(loop_options()), time_(*this) {}

 private:
  LoopTime time_;
};

/// eddy::run() on the back end of the seeds.
template <class A>
auto run(A&& awaitable) {
  eddy::Runner runner(run_options());
  const LoopTime time(runner.get_loop());
  return runner.run(std::forward<A>(awaitable));
}

/// Seconds on the running loop's clock since the seed began, in its own seconds: 2 after `sleep(2_s)`.
int seconds_passed();

namespace detail {

void print_line(std::string line);

inline void write(std::ostream& out, bool value) { out << (value ? "True" : "False"); }
template <class T>
void write(std::ostream& out, const T& value) {
  if constexpr (requires { out << value; }) {
    out << value;
  } else if constexpr (requires { value.has_value(); }) {
    if (value)
      write(out, *value);
    else
      out << "None";
  } else {
    out << '[';
    bool first = true;
    for (const auto& item : value) {
      if (!std::exchange(first, false)) out << ", ";
      constexpr bool kText = std::convertible_to<decltype(item), std::string_view>;
      if constexpr (kText)
        out << '\'' << item << '\'';
      else
        write(out, item);
    }
    out << ']';
  }
}

}  // namespace detail

/// Python's print(): words separated by blanks; True, None and lists as Python writes them. From any thread.
template <class... Words>
void print(const Words&... words) {
  std::ostringstream line;
  bool first = true;
  ((line << (std::exchange(first, false) ? "" : " "), detail::write(line, words)), ...);
  detail::print_line(line.str());
}

/// what() of the E that `function()` throws, or "nothing was thrown".
template <class E, class F>
std::string thrown_by(F function) {
  try {
    function();
  } catch (const E& error) {
    return error.what();
  }
  return "nothing was thrown";
}

/// A row of the table: a coroutine, a function that runs its own loops, or neither: then `expected` says why
/// there is no program.
struct Entry {
  const char* id;
  const char* title;
  Seconds time;
  const char* expected;
  bool threads;  // blocks threads: always on the real clock
  eddy::Coro<> (*coroutine)();
  void (*function)();
};

struct Registration {
  explicit Registration(Entry entry);
};

}  // namespace seed

using namespace seed::literals;
using eddy::Coro;
using eddy::create_task;
using eddy::Task;
using seed::any_time;
using seed::print;

#define EDDY_SEED_JOIN_(a, b) a##b
#define EDDY_SEED_JOIN(a, b) EDDY_SEED_JOIN_(a, b)
#define EDDY_SEED_NAME(what) EDDY_SEED_JOIN(seed_##what##_, __LINE__)

#define EDDY_COROUTINE_SEED(threads, id, title, time, expected)              \
  static eddy::Coro<> EDDY_SEED_NAME(body)();                                \
  static const seed::Registration EDDY_SEED_NAME(entry)(                     \
      {id, title, time, expected, threads, &EDDY_SEED_NAME(body), nullptr}); \
  static eddy::Coro<> EDDY_SEED_NAME(body)()
#define EDDY_FUNCTION_SEED(threads, id, title, time, expected)               \
  static void EDDY_SEED_NAME(body)();                                        \
  static const seed::Registration EDDY_SEED_NAME(entry)(                     \
      {id, title, time, expected, threads, nullptr, &EDDY_SEED_NAME(body)}); \
  static void EDDY_SEED_NAME(body)()

/// A row of the table for which there is no program yet.
#define NO_SEED(id, title, reason)                       \
  static const seed::Registration EDDY_SEED_NAME(entry)( \
      {id, title, any_time, reason, false, nullptr, nullptr})
/// The body is a coroutine, run by eddy::run().
#define SEED(...) EDDY_COROUTINE_SEED(false, __VA_ARGS__)
/// The same for one that blocks threads, where virtual time would stand still.
#define THREAD_SEED(...) EDDY_COROUTINE_SEED(true, __VA_ARGS__)
/// The body is a function: it calls seed::run(), makes a seed::Loop, or needs no loop at all.
#define PLAIN_SEED(...) EDDY_FUNCTION_SEED(false, __VA_ARGS__)
#define PLAIN_THREAD_SEED(...) EDDY_FUNCTION_SEED(true, __VA_ARGS__)
