// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/events.hpp>
#include <type_traits>
#include <utility>

namespace eddy {

struct RunOptions {
  Backend backend = Backend::automatic;
  bool virtual_time = false;  // as in LoopOptions
  const testing::Faults* faults = nullptr;  // as in LoopOptions
  bool terminate = false;  // SIGTERM as Ctrl-C: main is cancelled and unwinds, then SystemExit(143) is thrown
  bool debug = false;    // debug mode, whatever EDDY_DEBUG says: EventLoop::set_debug()
  bool inspect = false;  // inspect::serve(): opens the process to `eddy ps`
  Duration executor_join = std::chrono::seconds(300);  // how long the end waits for threads of the default pool
};

/// A loop of one's own and what belongs to it: `asyncio.Runner`. Runs any number of coroutines, then
/// cleans up.
class Runner {
 public:
  explicit Runner(RunOptions options = {});
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner();

  EventLoop& get_loop() noexcept { return loop_; }

  /// Runs the awaitable to its end; gives its value or throws its exception.
  ///
  /// The first Ctrl-C cancels it, so that it unwinds, and KeyboardInterrupt is thrown here; a second one
  /// ends the loop at once. If nobody catches it, the process ends by SIGINT, as it would without eddy; a
  /// SystemExit that nobody catches ends it with its code. RunOptions::terminate treats SIGTERM alike. A
  /// handler of the program's own for SIGINT is left alone. Throws RuntimeError if
  /// a loop runs on this thread, DeadlockError if nothing can ever wake what waits.
  ///
  /// All of a runner's coroutines run in one context, at first a copy of that in which the runner was made.
  template <detail::Awaitable A>
  auto run(A&& awaitable, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    check_can_run();
    auto coroutine = detail::as_coroutine(std::forward<A>(awaitable));
    using T = typename decltype(coroutine)::value_type;
    auto task = Task<T>::start(loop_.core(), std::move(coroutine), {.context = context_}, {file, line});
    run_main(task);
    if constexpr (std::is_void_v<T>) task.result();
    else return T(detail::take_value(task));
  }

  /// Cancels what still runs, waits for it, reports what it throws, ends the pool, closes the loop.
  void close();

 private:
  void check_can_run() const;
  void run_main(const AnyTask& main);
  void cancel_all_tasks();

  EventLoop loop_;
  Context* context_ = nullptr;  // owned; null as long as nothing is set in it
  Duration executor_join_;
  bool terminate_;
  bool closed_ = false;
};

/// Runs a coroutine to its end on a new loop; gives its value or throws its exception: the main function
/// of a program. What is still running then is cancelled and waited for.
///
///     int main() { eddy::run(serve(8080)); }
template <detail::Awaitable A>
auto run(A&& awaitable, RunOptions options = {}, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  Runner runner(options);
  if constexpr (std::is_void_v<detail::AwaitResult<A&&>>) {
    runner.run(std::forward<A>(awaitable), file, line);
    runner.close();
  } else {
    auto result = runner.run(std::forward<A>(awaitable), file, line);
    runner.close();
    return result;
  }
}

template <class F>
  requires(!detail::Awaitable<F>)
void run(F&&, RunOptions = {}) {
  if constexpr (detail::CoroutineFunction<std::decay_t<F>&>) {
    static_assert(detail::kNever<F>, "eddy: run() takes what the function gives: run(main()), not run(main)");
  } else {
    detail::explain_no_coroutine<F>();
  }
}

}  // namespace eddy
