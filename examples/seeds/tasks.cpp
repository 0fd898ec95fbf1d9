// SPDX-License-Identifier: MIT
// Table 1c: tasks together: gather, wait, as_completed, cancellation.
#include <functional>

#include "seed.hpp"

using eddy::return_exceptions;

namespace {

Coro<int> test(int i) {
  co_await eddy::sleep(2_s);
  co_return i;
}
Coro<int> sleeps(int seconds) {
  co_await eddy::sleep(seed::Seconds(seconds));
  co_return seconds;
}
Coro<std::string> get(std::string url) {
  print("get", url, "ing");
  if (url == "h2") throw eddy::ValueError("Exception is over");
  co_await eddy::sleep(2_s);
  print("done", url);
  co_return url;
}
std::vector<Coro<std::string>> four() {
  std::vector<Coro<std::string>> all;
  for (int i = 1; i <= 4; ++i) all.push_back(get("h" + std::to_string(i)));
  return all;
}
template <class T>
std::vector<T> results(const std::vector<Task<T>>& tasks) {
  std::vector<T> all;
  for (const auto& task : tasks) all.push_back(task.result());
  return all;
}
std::vector<Task<int>> ten_sleepers() {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(create_task(sleeps(i)));
  return tasks;
}

}  // namespace

SEED("AIO-11", "ten tasks of 2 s, results in their order", 2_s, "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]") {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(create_task(test(i)));
  co_await eddy::wait(tasks);
  print(results(tasks));
}

SEED("AIO-12", "as_completed: results as they come", 4_s, "2\n3\n4") {
  std::vector<Coro<int>> all;
  for (int n : {3, 2, 4}) all.push_back(sleeps(n));
  auto completed = eddy::as_completed(std::move(all));
  while (auto task = co_await completed.next()) print(task->result());
}

SEED("AIO-13", "gather keeps the order of its arguments", 2_s, "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]") {
  std::vector<Coro<int>> tests;
  for (int i = 0; i < 10; ++i) tests.push_back(test(i));
  const auto values = co_await eddy::gather(std::move(tests));
  print(values);
}

static Coro<> real_async(int seconds) {
  print("this is real async func");
  co_await sleeps(seconds);
  print("end sleep", std::to_string(seconds) + ".0");
}
SEED("AIO-14", "gather of a 1 s and a 2 s request", 2_s,
     "this is real async func\nthis is real async func\nend sleep 1.0\nend sleep 2.0") {
  co_await eddy::gather(real_async(1), real_async(2));
}

SEED("AIO-16", "add_done_callback gets the finished task", 2_s,
     "done True 0\ndone True 1\ndone True 2\ndone True 3\n[0, 1, 2, 3]") {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 4; ++i) {
    tasks.push_back(create_task(test(i)));
    tasks.back().add_done_callback([](Task<int>& task) { print("done", task.done(), task.result()); });
  }
  const auto values = co_await eddy::gather(tasks);
  print(values);
}

static void call_back(const std::string& url, Task<int>& task) {
  print("This is a test for", url, task.done());
}
SEED("AIO-17", "a callback with arguments bound in front", 2_s,
     "This is a test for www.a.com True\nThis is a test for www.b.com True") {
  std::vector<Task<int>> tasks;
  for (const char* url : {"www.a.com", "www.b.com"}) {
    tasks.push_back(create_task(test(1)));
    tasks.back().add_done_callback(std::bind_front(call_back, url));
  }
  co_await eddy::gather(tasks);
}

SEED("AIO-18", "an exception in a gather comes out at once", 0_s,
     "get h1 ing\nget h2 ing\nget h3 ing\nget h4 ing\nException is over") {
  try {
    co_await eddy::gather(four());
  } catch (const eddy::ValueError& error) {
    print(error.what());
  }
}

SEED("AIO-19", "the siblings of a failure go on", 3_s,
     "get h1 ing\nget h2 ing\nget h3 ing\nget h4 ing\nException is over\ndone h1\ndone h3\ndone h4") {
  try {
    co_await eddy::gather(four());
  } catch (const eddy::ValueError& error) {
    print(error.what());
  }
  co_await eddy::sleep(3_s);
}

SEED("AIO-20", "return_exceptions puts the exception in its place", 2_s,
     "get h1 ing\nget h2 ing\nget h3 ing\nget h4 ing\ndone h1\ndone h3\ndone h4\n"
     "[h1, ValueError, h3, h4]") {
  auto all = co_await eddy::gather(return_exceptions, four());
  std::string text;
  for (auto& result : all)
    text += (text.empty() ? "" : ", ") + (result ? *result : std::string("ValueError"));
  print("[" + text + "]");
}

SEED("AIO-21", "a gather that is cancelled cancels all its tasks", 1_s, "True True True") {
  std::vector<Task<int>> children;
  for (int i = 0; i < 3; ++i) children.push_back(create_task(test(i)));
  auto group = create_task(eddy::gather(return_exceptions, children));
  co_await eddy::sleep(1_s);
  group.cancel();
  co_await eddy::wait(children);
  print(children[0].cancelled(), children[1].cancelled(), children[2].cancelled());
}

SEED("AIO-22", "two groups in one flat list", 2_s, "[0, 1, 2, 3]") {
  std::vector<Coro<int>> both;
  for (int i = 0; i < 2; ++i) both.push_back(test(i));
  for (int i = 2; i < 4; ++i) both.push_back(test(i));
  const auto values = co_await eddy::gather(std::move(both));
  print(values);
}

static Coro<std::string> request(std::string url) {
  print("get", url);
  co_await eddy::sleep(2_s);
  co_return url;
}
SEED("AIO-23", "nested gathers, one group cancelled", 2_s, "get a1\nget a2\n['a1', 'a2'] CancelledError") {
  std::vector<Coro<std::string>> first, second;
  for (const char* url : {"a1", "a2"}) first.push_back(request(url));
  for (const char* url : {"b1", "b2"}) second.push_back(request(url));
  auto one = create_task(eddy::gather(std::move(first)));
  auto two = create_task(eddy::gather(std::move(second)));
  two.cancel();
  auto [a, b] = co_await eddy::gather(return_exceptions, one, two);
  print(a.value(), b ? "?" : "CancelledError");
}

static Coro<> long_sleep() {
  co_await eddy::sleep(10_s);
  print("never printed");
}
SEED("AIO-24", "cancel one task", 1_s, "True True") {
  auto task = create_task(long_sleep());
  co_await eddy::sleep(1_s);
  task.cancel();
  co_await eddy::gather(return_exceptions, task);
  print(task.cancelled(), task.done());
}

SEED("AIO-25", "done() after an end, an exception, a cancellation", 2_s, "get h2 ing\nTrue True True") {
  auto good = create_task(test(1));
  auto bad = create_task(get("h2"));
  auto cancelled = create_task(long_sleep());
  cancelled.cancel();
  co_await eddy::gather(return_exceptions, good, bad, cancelled);
  print(good.done(), bad.done(), cancelled.done());
}

SEED("AIO-26", "all_tasks: those that have not ended, main among them", 2_s, "8") {
  auto tasks = ten_sleepers();
  co_await eddy::sleep(0_s);  // they have begun to sleep
  co_await eddy::wait(tasks, {.timeout = 2_s});
  print(eddy::all_tasks().size());
}

SEED("AIO-27", "wait_for cancels what is too slow", 2_s, "超时取消\nTrue") {
  auto task = create_task(sleeps(3));
  try {
    co_await eddy::wait_for(task, 2_s);
  } catch (const eddy::TimeoutError&) {
    print("超时取消");
  }
  print(task.cancelled());
}

SEED("AIO-28", "wait with a timeout: done and pending, nothing cancelled", 2_s, "3 7\n[0, 1, 2]\nFalse") {
  auto tasks = ten_sleepers();
  co_await eddy::sleep(0_s);  // they have begun to sleep: the one of 2 s is due before the timeout
  auto [done, pending] = co_await eddy::wait(tasks, {.timeout = 2_s});
  print(done.size(), pending.size());
  print(results(done));
  print(pending.front().cancelled());
}

SEED("AIO-29", "wait for the first: race equal services", 0_s, "1 9 ok") {
  auto [done, pending] = co_await eddy::wait(ten_sleepers(), {.return_when = eddy::FIRST_COMPLETED});
  print(done.size(), pending.size(), "ok");
}

static Coro<int> fails_after_a_second() {
  co_await eddy::sleep(1_s);
  throw eddy::ValueError("failed");
}
SEED("AIO-30", "return_when: FIRST_EXCEPTION, else as ALL_COMPLETED", 3_s, "1 1 True\n2 0") {
  std::vector<Task<int>> tasks;
  tasks.push_back(create_task(fails_after_a_second()));
  tasks.push_back(create_task(sleeps(2)));
  auto first = co_await eddy::wait(tasks, {.return_when = eddy::FIRST_EXCEPTION});
  print(first.done.size(), first.pending.size(), first.done.front().exception() != nullptr);
  std::vector<Task<int>> good;
  for (int i = 1; i <= 2; ++i) good.push_back(create_task(sleeps(i)));
  auto all = co_await eddy::wait(good, {.return_when = eddy::FIRST_EXCEPTION});
  print(all.done.size(), all.pending.size());
}

SEED("AIO-31", "shield: the inner task survives the caller's cancel", 2_s, "CancelledError\n7") {
  auto inner = create_task(test(7));
  auto caller = create_task([&]() -> Coro<> { co_await eddy::shield(inner); });
  co_await eddy::sleep(1_s);
  caller.cancel();
  try {
    co_await caller;
  } catch (const eddy::CancelledError&) {
    print("CancelledError");
  }
  print(co_await inner);
}

SEED("AIO-53", "a future is pending until somebody sets it", 2_s, "waiting\n42") {
  auto& loop = eddy::get_running_loop();
  auto future = loop.create_future<int>();
  loop.call_later(2_s, [future] { future.set_result(42); });
  print("waiting");
  print(co_await future);
}

static Coro<> foo(int n) {
  print("start", n);
  co_await eddy::sleep(2_s);
  print("end", n);
}
SEED("AIO-55", "three tasks of 2 s", 2_s, "start 1\nstart 2\nstart 3\nend 1\nend 2\nend 3") {
  std::vector<Task<>> tasks;
  for (int i = 1; i <= 3; ++i) tasks.push_back(create_task(foo(i)));
  co_await eddy::wait(std::move(tasks));
}

SEED("AIO-56", "two gathers awaited together; a third party may cancel one", 2_s, "0\n1\n2\n3") {
  auto group = [](int first) -> Coro<> {
    std::vector<Coro<int>> all;
    for (int i = first; i < first + 2; ++i) all.push_back(test(i));
    for (int value : co_await eddy::gather(std::move(all))) print(value);
  };
  co_await eddy::gather(group(0), group(2));
}

SEED("CS-01", "without await one gets the Task; awaiting twice is allowed", 2_s, "5 5") {
  auto task = create_task(test(5));
  const int first = co_await task;
  const int second = co_await task;
  print(first, second);
}
