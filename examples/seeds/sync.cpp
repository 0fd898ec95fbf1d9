// SPDX-License-Identifier: MIT
// Table 1e: locks, events, conditions, queues.
#include <atomic>
#include <latch>
#include <map>
#include <random>
#include <thread>

#include "seed.hpp"

using namespace std::chrono_literals;

PLAIN_THREAD_SEED("SYN-01", "two threads lose updates, two coroutines do not", any_time,
                  "threads lost some: True\ncoroutines: 0") {
  std::atomic<int> counter{0};  // read and written apart, as `n += 1` is in Python
  bool lost = false;
  for (int round = 0; round < 50 && !lost; ++round) {
    counter = 0;
    std::latch was_read(1);
    auto change = [&](int by) {
      if (by < 0) was_read.wait();
      for (int i = 0; i < 1'000'000; ++i) {
        const int n = counter.load(std::memory_order_relaxed);
        if (by > 0 && i == 0) {  // the switch just here, for which a busy machine may take its time
          was_read.count_down();
          while (counter.load(std::memory_order_relaxed) == n) std::this_thread::yield();
        }
        counter.store(n + by, std::memory_order_relaxed);
      }
    };
    std::thread up(change, 1), down(change, -1);
    up.join();
    down.join();
    lost = counter != 0;
  }
  print("threads lost some:", lost);
  int n = 0;
  auto coroutine = [&](int by) -> Coro<> {
    for (int i = 0; i < 100'000; ++i) n += by;
    co_return;
  };
  seed::run(eddy::gather(coroutine(1), coroutine(-1)));
  print("coroutines:", n);
}

namespace {

// A page that should be fetched once.
struct Cache {
  std::map<std::string, std::string> pages;
  int fetches = 0;

  Coro<> get(std::string url) {
    if (pages.contains(url)) co_return;
    ++fetches;
    co_await eddy::sleep(2_s);
    pages[url] = "<h2>" + url + "</h2>";
  }
  Coro<> get_under(eddy::Lock& lock, std::string url) {
    auto held = co_await lock;
    co_await get(url);
  }
};

Coro<std::string> parse(Cache& cache, eddy::Lock* lock) {
  const std::string url = "www.baidu.com";
  if (lock)
    co_await cache.get_under(*lock, url);
  else
    co_await cache.get(url);
  co_await eddy::sleep(1_s);
  co_return cache.pages[url];
}
Coro<> two_parsers(eddy::Lock* lock) {
  Cache cache;
  auto [first, second] = co_await eddy::gather(parse(cache, lock), parse(cache, lock));
  print("fetched", cache.fetches, "times");
  print(first.size(), second);
}

}  // namespace

SEED("SYN-02", "without a lock the cache is filled twice", 3_s,
     "fetched 2 times\n22 <h2>www.baidu.com</h2>") {
  co_await two_parsers(nullptr);
}
SEED("SYN-03", "a lock: one fetch", 3_s, "fetched 1 times\n22 <h2>www.baidu.com</h2>") {
  eddy::Lock lock;
  co_await two_parsers(&lock);
}

static eddy::Lock global_lock;  // made before any loop runs
SEED("SYN-04", "a lock made before the loop works in it", 1_s, "held True\nfree True") {
  {
    auto held = co_await global_lock;
    co_await eddy::sleep(1_s);
    print("held", global_lock.locked());
  }
  print("free", !global_lock.locked());
}

THREAD_SEED("SYN-15", "primitives refuse other threads", any_time,
            "non-thread-safe operation on an event loop of another thread\nset here True") {
  eddy::Event event;
  auto waiter = create_task([&event]() -> Coro<> { co_await event.wait(); });
  co_await eddy::sleep(0_s);
  std::string text;
  auto elsewhere = [&] { text = seed::thrown_by<eddy::RuntimeError>([&] { event.set(); }); };
  co_await eddy::to_thread(elsewhere);
  print(text.substr(0, text.find(':')));
  event.set();
  co_await waiter;
  print("set here", event.is_set());
}

SEED("SYN-05", "Semaphore(5), 20 calls of 1 s: waves of five", 4_s,
     "at 1: [0, 1, 2, 3, 4]\nat 2: [5, 6, 7, 8, 9]\nat 3: [10, 11, 12, 13, 14]\nat 4: [15, 16, 17, 18, 19]") {
  eddy::Semaphore slots(5);
  std::map<int, std::vector<int>> finished;
  auto call = [&](int i) -> Coro<> {
    auto slot = co_await slots;
    co_await eddy::sleep(1_s);
    finished[seed::seconds_passed()].push_back(i);
  };
  std::vector<Coro<>> calls;
  for (int i = 0; i < 20; ++i) calls.push_back(call(i));
  co_await eddy::gather(std::move(calls));
  for (const auto& [second, which] : finished) {
    print("at " + std::to_string(second) + ":", which);
  }
}

PLAIN_SEED("SYN-06", "a negative start value is refused", any_time,
           "a semaphore's initial value is -1: it must be 0 or more") {
  print(seed::thrown_by<eddy::ValueError>([] { eddy::Semaphore(-1); }));
}

SEED("SYN-07", "a cancelled waiter wakes the next one", any_time, "1000 rounds, none stuck") {
  std::mt19937 random(1);
  for (int round = 0; round < 1000; ++round) {
    eddy::Semaphore semaphore(2);
    std::vector<Task<>> tasks;
    for (int i = 0; i < 8; ++i) {
      tasks.push_back(create_task([&semaphore]() -> Coro<> {
        auto slot = co_await semaphore;
        co_await eddy::sleep(0.001_s);
      }));
    }
    for (unsigned i = random() % 4; i > 0; --i) {
      co_await eddy::sleep(0_s);
      tasks[random() % tasks.size()].cancel();
    }
    co_await eddy::gather(eddy::return_exceptions, tasks);
    if (semaphore.locked()) print("stuck in round", round);
  }
  print("1000 rounds, none stuck");
}

PLAIN_SEED("SYN-08", "BoundedSemaphore: one release too many", any_time,
           "the semaphore was released more often than it was acquired: its value is 2 already") {
  eddy::BoundedSemaphore semaphore(2);
  print(seed::thrown_by<eddy::ValueError>([&] { semaphore.release(); }));
}

SEED("SYN-09", "Event: nine fetches, one updater", 2_s,
     "d/a/1 done\nd/a/2 done\nd/a/3 done\nd/a/4 done\nd/a/5 done\nd/a/6 done\nd/a/7 done\nd/a/8 done\nd/a/9 "
     "done\n"
     "html_dict >> DB done") {
  eddy::Event fetched;
  int left = 9;
  auto fetch = [&](int i) -> Coro<> {
    co_await eddy::sleep(2_s);
    print("d/a/" + std::to_string(i), "done");
    if (--left == 0) fetched.set();
  };
  auto update = [&]() -> Coro<> {
    co_await fetched.wait();
    print("html_dict >> DB done");
  };
  std::vector<Coro<>> all;
  all.push_back(update());
  for (int i = 1; i <= 9; ++i) all.push_back(fetch(i));
  co_await eddy::gather(std::move(all));
}

SEED("SYN-10", "Event: set wakes all, clear blocks again", 1_s, "woken 0\nwoken 1\nat once\nTimeoutError") {
  eddy::Event event;
  auto waiter = [&](int i) -> Coro<> {
    co_await event.wait();
    print("woken", i);
  };
  auto first = create_task(waiter(0)), second = create_task(waiter(1));
  co_await eddy::sleep(0_s);
  event.set();
  co_await eddy::gather(first, second);
  co_await event.wait();
  print("at once");
  event.clear();
  try {
    co_await eddy::wait_for(event.wait(), 1_s);
  } catch (const eddy::TimeoutError&) {
    print("TimeoutError");
  }
}

namespace {

// Two producers of five things each, five consumers, and one condition.
struct Market {
  eddy::Lock lock;
  eddy::Condition condition{lock};
  std::vector<std::string> goods;

  Coro<> producer(int n) {
    for (int i = 0; i < 5; ++i) {
      {
        auto held = co_await condition;
        const auto name = std::to_string(n) + "-" + std::to_string(i);
        goods.push_back(name);
        print("[生产者" + std::to_string(n) + "]生产商品" + name);
        condition.notify();
      }
      co_await eddy::sleep(0.01_s);
    }
  }
  Coro<> consumer(int i) {
    for (;;) {
      auto held = co_await condition;
      if (goods.empty()) {
        co_await condition.wait();
        continue;
      }
      print("列表商品：" + list());
      const auto name = goods.back();
      goods.pop_back();
      print("[消费者" + std::to_string(i) + "]消费商品" + name);
      print("列表剩余：" + list());
      co_await eddy::sleep(0.01_s);
    }
  }
  std::string list() const {
    std::string text;
    for (const auto& item : goods) text += (text.empty() ? "'" : ", '") + item + "'";
    return "[" + text + "]";
  }
};

Coro<> open_market(Market& market) {
  std::vector<Coro<>> all;
  for (int n = 0; n < 2; ++n) all.push_back(market.producer(n));
  for (int i = 0; i < 5; ++i) all.push_back(market.consumer(i));
  co_await eddy::gather(std::move(all));
}

constexpr const char* kMarketDay =
    "[生产者0]生产商品0-0\n[生产者1]生产商品1-0\n列表商品：['0-0', "
    "'1-0']\n[消费者0]消费商品1-0\n列表剩余：['0-0']\n"
    "列表商品：['0-0']\n[消费者1]消费商品0-0\n列表剩余：[]\n"
    "[生产者0]生产商品0-1\n[生产者1]生产商品1-1\n列表商品：['0-1', "
    "'1-1']\n[消费者0]消费商品1-1\n列表剩余：['0-1']\n"
    "列表商品：['0-1']\n[消费者1]消费商品0-1\n列表剩余：[]\n"
    "[生产者0]生产商品0-2\n[生产者1]生产商品1-2\n列表商品：['0-2', "
    "'1-2']\n[消费者0]消费商品1-2\n列表剩余：['0-2']\n"
    "列表商品：['0-2']\n[消费者1]消费商品0-2\n列表剩余：[]\n"
    "[生产者0]生产商品0-3\n[生产者1]生产商品1-3\n列表商品：['0-3', "
    "'1-3']\n[消费者0]消费商品1-3\n列表剩余：['0-3']\n"
    "列表商品：['0-3']\n[消费者1]消费商品0-3\n列表剩余：[]\n"
    "[生产者0]生产商品0-4\n[生产者1]生产商品1-4\n列表商品：['0-4', "
    "'1-4']\n[消费者0]消费商品1-4\n列表剩余：['0-4']\n"
    "列表商品：['0-4']\n[消费者1]消费商品0-4\n列表剩余：[]\ndeadlock: 5 consumers wait";

int count_of(std::string_view text, std::string_view word) {
  int count = 0;
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++count;
  return count;
}

}  // namespace

PLAIN_SEED("SYN-11", "Condition: two producers, five consumers, who then wait for ever", any_time,
           kMarketDay) {
  Market market;
  try {
    seed::run(open_market(market));
  } catch (const eddy::DeadlockError& error) {  // asyncio hangs here
    print("deadlock:", count_of(error.what(), "waits for condition"), "consumers wait");
  }
}

SEED("SYN-12", "Condition: nothing without the lock; wait_for a predicate", 1_s,
     "refused\nrefused\nFalse 1\npredicate True, locked True") {
  eddy::Lock lock;
  eddy::Condition condition(lock);
  try {
    condition.notify();
  } catch (const eddy::RuntimeError&) {
    print("refused");
  }
  try {
    co_await condition.wait();
  } catch (const eddy::RuntimeError&) {
    print("refused");
  }
  int value = 0;
  auto setter = create_task([&]() -> Coro<> {
    for (int i = 1; i <= 2; ++i) {
      co_await eddy::sleep(0.5_s);
      auto held = co_await condition;
      value = i;
      if (i == 1) print(value == 2, value);
      condition.notify_all();
    }
  });
  auto held = co_await condition;
  co_await condition.wait_for([&] { return value == 2; });
  print("predicate True, locked", condition.locked());
}

SEED("SYN-13", "several Conditions on one Lock", any_time, "got [0, 1, 2, 3, 4]") {
  eddy::Lock lock;
  eddy::Condition not_empty(lock), not_full(lock);
  std::vector<int> room, got;
  auto producer = create_task([&]() -> Coro<> {
    for (int i = 0; i < 5; ++i) {
      auto held = co_await lock;
      co_await not_full.wait_for([&] { return room.empty(); });
      room.push_back(i);
      not_empty.notify();
    }
  });
  for (int i = 0; i < 5; ++i) {
    auto held = co_await lock;
    co_await not_empty.wait_for([&] { return !room.empty(); });
    got.push_back(room.back());
    room.clear();
    not_full.notify();
  }
  co_await producer;
  print("got", got);
}

SEED("SYN-14", "primitives take no timeout: wait_for does", 1_s, "TimeoutError\nstill works") {
  eddy::Event event;
  try {
    co_await eddy::wait_for(event.wait(), 1_s);
  } catch (const eddy::TimeoutError&) {
    print("TimeoutError");
  }
  event.set();
  co_await event.wait();
  print("still works");
}

SEED("SYN-16", "a timeout as a scope: nested, rescheduled", 5_s, "inner at 1\nouter at 2\nrescheduled at 5") {
  auto inner = []() -> Coro<> {
    try {
      co_await eddy::timeout(1_s, eddy::sleep(9_s));
    } catch (const eddy::TimeoutError&) {
      print("inner at", seed::seconds_passed());
    }
    co_await eddy::sleep(9_s);
  };
  try {
    co_await eddy::timeout(2_s, inner());
  } catch (const eddy::TimeoutError&) {
    print("outer at", seed::seconds_passed());
  }
  try {
    co_await eddy::timeout(1_s, [](eddy::Timeout& scope) -> Coro<> {
      const eddy::Duration three = 3_s;
      scope.reschedule(eddy::get_running_loop().time() + std::chrono::nanoseconds(three));
      co_await eddy::sleep(9_s);
    });
  } catch (const eddy::TimeoutError&) {
    print("rescheduled at", seed::seconds_passed());
  }
}

SEED("SYN-17", "Queue(10): two producers, five consumers", any_time, "made 10, consumed 10, each once True") {
  eddy::Queue<int> queue(10);
  std::map<int, int> consumed;
  auto producer = [&](int n) -> Coro<> {
    for (int i = 0; i < 5; ++i) {
      co_await queue.put(n * 5 + i);
      co_await eddy::sleep(0.01_s);
    }
  };
  auto consumer = [&]() -> Coro<> {
    for (;;) {
      const int item = co_await queue.get();
      ++consumed[item];
      co_await eddy::sleep(0.01_s);
      queue.task_done();
    }
  };
  std::vector<Task<>> consumers;
  for (int i = 0; i < 5; ++i) consumers.push_back(create_task(consumer()));
  co_await eddy::gather(producer(0), producer(1));
  co_await queue.join();
  for (auto& task : consumers) task.cancel();
  bool once = true;
  for (const auto& [item, times] : consumed) once = once && times == 1;
  print("made 10, consumed", std::to_string(consumed.size()) + ", each once", once);
}

SEED("SYN-18", "PriorityQueue and LifoQueue", 0_s, "[1, 2, 3]\n[2, 1, 3]") {
  eddy::PriorityQueue<int> by_priority;
  eddy::LifoQueue<int> last_first;
  for (int item : {3, 1, 2}) {
    co_await by_priority.put(item);
    co_await last_first.put(item);
  }
  std::vector<int> lowest, newest;
  for (int i = 0; i < 3; ++i) {
    lowest.push_back(co_await by_priority.get());
    newest.push_back(co_await last_first.get());
  }
  print(lowest);
  print(newest);
}
