// SPDX-License-Identifier: MIT
// Table 1c: running coroutines, loops and tasks; what blocks them; how they fail.
#include <chrono>
#include <concepts>
#include <csignal>

#include "seed.hpp"

namespace {

Coro<std::string> test() {
  co_await eddy::sleep(2_s);
  co_return "ok";
}
Coro<> one_second(int i) {
  print("start", i);
  co_await eddy::sleep(1_s);
  print("end", i);
}

}  // namespace

SEED("AIO-01", "async def and await: sleep does not block the loop", 2_s, "ok") {
  const std::string result = co_await test();
  print(result);
}

PLAIN_SEED("AIO-02", "run_until_complete in a loop is serial", 3_s,
           "start 0\nend 0\nstart 1\nend 1\nstart 2\nend 2") {
  seed::Loop loop;
  for (int i = 0; i < 3; ++i) loop.run_until_complete(one_second(i));
}

PLAIN_SEED("AIO-03", "tasks of a loop overlap; a closed loop is closed", 1_s,
           "start 0\nstart 1\nend 0\nend 1\nthe event loop is closed") {
  seed::Loop loop;
  auto first = loop.create_task(one_second(0));
  auto second = loop.create_task(one_second(1));
  loop.run_until_complete(eddy::gather(first, second));
  loop.close();
  print(seed::thrown_by<eddy::RuntimeError>([&] { loop.run_forever(); }));
}

PLAIN_SEED("AIO-04", "call_soon with run_forever; stop() ends it", any_time, "hello\nstopped") {
  seed::Loop loop;
  loop.call_soon([&] {
    print("hello");
    loop.stop();
  });
  loop.run_forever();
  print("stopped");
}

static Coro<> countdown(std::string name, int n) {
  for (; n > 0; --n) {
    print("T-minus", n, "(" + name + ")");
    co_await eddy::sleep(1_s);
  }
}
SEED("AIO-05", "two countdowns interleave", 3_s,
     "T-minus 2 (A)\nT-minus 3 (B)\nT-minus 1 (A)\nT-minus 2 (B)\nT-minus 1 (B)") {
  std::vector<Task<>> tasks;
  tasks.push_back(create_task(countdown("A", 2)));
  tasks.push_back(create_task(countdown("B", 3)));
  co_await eddy::wait(std::move(tasks));
}

namespace {
struct Response {};
struct Ready {
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  int await_resume() const noexcept { return 7; }
};
}  // namespace
SEED("AIO-06", "what can be awaited, and what is refused", 0_s, "True True False\n7") {
  // co_await Response() does not compile: "this cannot be awaited. co_await takes a Coro, a Task, a Future …"
  print(eddy::detail::Awaitable<Coro<int>>, eddy::detail::Awaitable<Ready>,
        eddy::detail::Awaitable<Response>);
  const int value = co_await Ready();
  print(value);
}

static Coro<> wait_download() {
  co_await eddy::sleep(1_s);
  throw eddy::ValueError("no network");
}
SEED("AIO-07", "an exception that nobody takes is reported", 2_s, "wait_download True") {
  eddy::get_running_loop().set_exception_handler([](const eddy::ExceptionContext& context) {
    const bool never_retrieved = context.message.find("never retrieved") != std::string::npos ||
                                 context.message.find("nobody") != std::string::npos;
    print(context.message.find("wait_download") != std::string::npos ? "wait_download" : context.message,
          never_retrieved);
  });
  create_task(wait_download());
  co_await eddy::sleep(2_s);
}

static Coro<> blocking(int i) {
  seed::blocking_sleep(1_s);
  print("blocking", i);
  co_return;
}
THREAD_SEED("AIO-08", "a blocking call makes all of them serial", 4_s,
            "blocking 0\nblocking 1\nblocking 2\nstart 0\nstart 1\nend 0\nend 1") {
  co_await eddy::gather(blocking(0), blocking(1), blocking(2));
  co_await eddy::gather(one_second(0), one_second(1));
}

PLAIN_THREAD_SEED("AIO-09", "another engine with one line, the same program", 6_s,
                  "epoll ok\npoll ok\nselect ok") {
  for (auto backend : {eddy::Backend::epoll, eddy::Backend::poll, eddy::Backend::select}) {
    const std::string result = eddy::run(test(), {.backend = backend});
    print(eddy::to_string(backend), result);
  }
}

static Coro<> leaves_a_task_behind() {
  auto left = []() -> Coro<> {
    try {
      co_await eddy::sleep(100_s);
    } catch (const eddy::CancelledError&) {
      print("cancelled at the end");
      throw;
    }
  };
  create_task(left());
  co_await eddy::sleep(1_s);
  // The coroutine that the nested run() refuses is reported: nobody has awaited it.
  eddy::get_running_loop().set_exception_handler([](const eddy::ExceptionContext&) {});
  const auto nested = seed::thrown_by<eddy::RuntimeError>([] { eddy::run(test()); });
  print(nested.substr(0, nested.find(';')));
}
PLAIN_SEED("AIO-10", "the steps of asyncio.run", 1_s,
           "run() cannot be called while an event loop runs on this thread\ncancelled at the end") {
  seed::run(leaves_a_task_behind());
}

PLAIN_SEED("AIO-32", "get_running_loop fails outside of a loop", any_time,
           "no running event loop on this thread; start one with eddy::run()\ninside it works") {
  print(seed::thrown_by<eddy::RuntimeError>([] { eddy::get_running_loop(); }));
  seed::run([]() -> Coro<> {
    eddy::get_running_loop();
    print("inside it works");
    co_return;
  }());
}

SEED("AIO-33", "a coroutine is lazy", 2_s, "nothing has run\nok") {
  auto coroutine = test();
  print("nothing has run");
  print(co_await std::move(coroutine));
  static_assert(!eddy::detail::kIsFutureLike<Coro<int>> && eddy::detail::kIsFutureLike<Task<int>>);
}

static std::string state_of(const eddy::AnyTask& task) {
  constexpr const char* kNames[] = {"pending", "running", "done", "cancelled"};
  return kNames[static_cast<int>(task.state())];
}
SEED("AIO-34", "the states of a task", 3_s, "running\npending\npending\ndone\ncancelled\ndone") {
  print(state_of(eddy::current_task()));
  auto task = create_task(test());
  print(state_of(task));
  co_await eddy::sleep(1_s);
  print(state_of(task));
  co_await task;
  print(state_of(task));
  auto cancelled = create_task(test());
  cancelled.cancel();
  auto failed = create_task(wait_download());
  co_await eddy::gather(eddy::return_exceptions, cancelled, failed);
  print(state_of(cancelled));
  print(state_of(failed));
}

SEED("AIO-35", "tasks have names", 2_s, "downloader\nTrue") {
  auto task = create_task(test(), {.name = "downloader"});
  print(task.name());
  print(eddy::format_tasks().find("task 'downloader' (test, made at running.cpp:") != std::string::npos);
  co_await task;
}

static Coro<int> compute(int x, int y) {
  print("计算", std::to_string(x) + "+" + std::to_string(y) + "...");
  co_await eddy::sleep(1_s);
  co_return x + y;
}
SEED("AIO-36", "the time line of compute(1, 2)", 1_s, "计算 1+2...\n1+2=3") {
  const int sum = co_await compute(1, 2);
  print("1+2=" + std::to_string(sum));
}

THREAD_SEED("AIO-37", "add_signal_handler: Ctrl-C runs a callback on the loop", any_time,
            "SIGINT\nstill running") {
  auto& loop = eddy::get_running_loop();
  eddy::Event came;
  loop.add_signal_handler(SIGINT, [&] {
    print("SIGINT");
    came.set();
  });
  std::raise(SIGINT);
  co_await came.wait();
  loop.remove_signal_handler(SIGINT);
  print("still running");
}

SEED("AIO-38", "asyncio's exceptions, each by its case", 2_s,
     "TimeoutError\nCancelledError\nInvalidStateError\nIncompleteReadError 3 10\nLimitOverrunError 8") {
  try {
    co_await eddy::wait_for(eddy::sleep(9_s), 2_s);
  } catch (const eddy::TimeoutError&) {
    print("TimeoutError");
  }
  auto task = create_task(test());
  task.cancel();
  try {
    co_await task;
  } catch (const eddy::CancelledError&) {
    print("CancelledError");
  }
  auto future = eddy::get_running_loop().create_future<int>();
  future.set_result(1);
  try {
    future.set_result(2);
  } catch (const eddy::InvalidStateError&) {
    print("InvalidStateError");
  }
  auto pair = eddy::testing::stream_pair({.limit = 4});
  pair.near.writer.write("abc");
  pair.near.writer.close();
  try {
    co_await pair.far.reader.readexactly(10);
  } catch (const eddy::IncompleteReadError& error) {
    print("IncompleteReadError", error.partial().size(), error.expected());
  }
  auto other = eddy::testing::stream_pair({.limit = 4});
  other.near.writer.write("abcdefgh\n");
  try {
    co_await other.far.reader.readuntil("\n");
  } catch (const eddy::LimitOverrunError& error) {
    print("LimitOverrunError", error.consumed());
  }
}

namespace {
template <class E>
bool throws(int number) {
  try {
    eddy::throw_os_error(number, "an operation");
  } catch (const E& error) {
    return error.error_number() == number;
  } catch (...) {
  }
  return false;
}
}  // namespace
PLAIN_SEED("AIO-39", "the OSError family by errno", any_time,
           "True True True True True\nTrue True True True\nTrue True True True") {
  print(throws<eddy::ConnectionRefusedError>(ECONNREFUSED), throws<eddy::BrokenPipeError>(EPIPE),
        throws<eddy::ConnectionResetError>(ECONNRESET), throws<eddy::ConnectionAbortedError>(ECONNABORTED),
        throws<eddy::FileNotFoundError>(ENOENT));
  print(throws<eddy::FileExistsError>(EEXIST), throws<eddy::PermissionError>(EACCES),
        throws<eddy::ChildProcessError>(ECHILD), throws<eddy::InterruptedError>(EINTR));
  print(throws<eddy::IsADirectoryError>(EISDIR), throws<eddy::NotADirectoryError>(ENOTDIR),
        throws<eddy::ProcessLookupError>(ESRCH), throws<eddy::TimeoutError>(ETIMEDOUT));
}

SEED("AIO-40", "a catch of ordinary errors does not eat a cancellation", 1_s, "cancelled True") {
  static_assert(!std::derived_from<eddy::CancelledError, std::exception>);
  static_assert(!std::derived_from<eddy::GeneratorExit, std::exception>);
  auto task = create_task([]() -> Coro<> {
    try {
      co_await eddy::sleep(9_s);
    } catch (const std::exception&) {
      print("eaten");
    }
  });
  co_await eddy::sleep(1_s);
  task.cancel();
  co_await eddy::gather(eddy::return_exceptions, task);
  print("cancelled", task.cancelled());
}

static eddy::Generator<int, void, std::string> old_style_test() {
  print("this is a test");
  co_yield 0;
  co_return "done";
}
SEED("AIO-50", "create_task of an old-style coroutine, too", 1_s,
     "this is a test\nthis is an async test\ndone") {
  auto old_style = create_task(eddy::as_coroutine(old_style_test()));
  auto modern = create_task([]() -> Coro<> {
    print("this is an async test");
    co_await eddy::sleep(1_s);
  });
  co_await modern;
  print(co_await old_style);
}

PLAIN_SEED("AIO-51", "a gather may be given to run_until_complete()", 1_s, "start 1\nstart 2\nend 1\nend 2") {
  seed::Loop loop;
  loop.run_until_complete(eddy::gather(one_second(1), one_second(2)));
}

PLAIN_SEED("AIO-52", "run several times in one program", 2_s, "cc\ndd") {
  for (const char* name : {"cc", "dd"}) {
    seed::run([](const char* text) -> Coro<> {
      co_await eddy::sleep(1_s);
      print(text);
    }(name));
  }
}

PLAIN_SEED("AIO-54", "iscoroutine, iscoroutinefunction", any_time, "True False\nTrue False") {
  print(eddy::iscoroutine<Coro<>>, eddy::iscoroutine<int>);
  print(eddy::iscoroutinefunction<decltype(one_second), int>, eddy::iscoroutinefunction<decltype(print<int>), int>);
}

PLAIN_SEED(
    "AIO-57", "create_task needs a running loop, the loop's own does not", any_time,
    "no running event loop on this thread; start one with eddy::run()\nnothing was thrown\nstart 1\nend 1") {
  print(seed::thrown_by<eddy::RuntimeError>([] {
    auto coroutine = one_second(0);
    auto keep = [&] { create_task(std::move(coroutine)); };
    keep();
  }));
  seed::Loop loop;
  std::optional<Task<>> task;
  print(seed::thrown_by<eddy::RuntimeError>([&] { task = loop.create_task(one_second(1)); }));
  loop.run_until_complete(*task);
}
