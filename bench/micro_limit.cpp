// SPDX-License-Identifier: MIT
// The limit: what a hand-written coroutine loop costs that can do nothing but these items. It has no public
// API, no cancellation, no inspection, no error paths; every frame is its own task.
//
// It keeps eddy's rules of order: a turn runs what was ready when it began, and the kernel is asked when
// nothing is ready or after 64 steps.
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <coroutine>
#include <deque>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

#include "micro.hpp"

namespace {

using bench::expect;
using bench::now;
using bench::Stopwatch;
using Resumable = std::coroutine_handle<>;

// Coroutine frames from free lists by size: malloc costs some 15 ns more a frame.
struct FramePool {
  static void*& list(std::size_t bytes) {
    static thread_local void* lists[64];
    return lists[(bytes + 31) / 32];
  }
  static void* take(std::size_t bytes) {
    if (bytes > 2000) return std::malloc(bytes);
    void*& first = list(bytes);
    if (!first) return std::malloc((bytes + 31) / 32 * 32);
    return std::exchange(first, *static_cast<void**>(first));
  }
  static void give(void* frame, std::size_t bytes) {
    if (bytes > 2000) return std::free(frame);
    void*& first = list(bytes);
    *static_cast<void**>(frame) = first;
    first = frame;
  }
};

// A power-of-two ring of handles.
class ReadyRing {
 public:
  bool empty() const { return head_ == tail_; }
  std::size_t size() const { return tail_ - head_; }
  Resumable pop() { return handles_[head_++ & (handles_.size() - 1)]; }
  void push(Resumable handle) {
    if (size() == handles_.size()) grow();
    handles_[tail_++ & (handles_.size() - 1)] = handle;
  }

 private:
  void grow() {
    std::vector<Resumable> bigger(handles_.size() * 2);
    for (std::size_t i = 0; i < handles_.size(); ++i) bigger[i] = handles_[(head_ + i) & (handles_.size() - 1)];
    tail_ = handles_.size();
    head_ = 0;
    handles_.swap(bigger);
  }

  std::vector<Resumable> handles_ = std::vector<Resumable>(1024);
  std::size_t head_ = 0, tail_ = 0;
};

struct Timer {
  std::int64_t when = 0;
  std::size_t index = 0;
  Resumable waiter;
  bool cancelled = false;
};

// A 4-ary heap that knows where each timer stands.
class TimerHeap {
 public:
  bool empty() const { return heap_.empty(); }
  Timer& first() const { return *heap_[0].second; }
  void add(Timer& timer) {
    heap_.push_back({timer.when, &timer});
    sift_up(heap_.size() - 1);
  }
  void remove(Timer& timer) {
    const std::size_t index = timer.index;
    const auto last = heap_.back();
    heap_.pop_back();
    if (index == heap_.size()) return;
    place(index, last);
    if (index && last.first < heap_[(index - 1) / 4].first) sift_up(index);
    else sift_down(index);
  }

 private:
  using Entry = std::pair<std::int64_t, Timer*>;
  void place(std::size_t index, Entry entry) {
    heap_[index] = entry;
    entry.second->index = index;
  }
  void sift_up(std::size_t index) {
    const auto entry = heap_[index];
    for (; index && entry.first < heap_[(index - 1) / 4].first; index = (index - 1) / 4) {
      place(index, heap_[(index - 1) / 4]);
    }
    place(index, entry);
  }
  void sift_down(std::size_t index) {
    const auto entry = heap_[index];
    for (;;) {
      const std::size_t child = index * 4 + 1, end = std::min(child + 4, heap_.size());
      if (child >= heap_.size()) break;
      std::size_t least = child;
      for (std::size_t i = child + 1; i < end; ++i) {
        if (heap_[i].first < heap_[least].first) least = i;
      }
      if (heap_[least].first >= entry.first) break;
      place(index, heap_[least]);
      index = least;
    }
    place(index, entry);
  }

  std::vector<Entry> heap_;
};

struct Loop {
  static constexpr std::size_t kPollInterval = 64;

  ReadyRing ready;
  TimerHeap timers;
  int epoll = epoll_create1(0);
  void (*on_event)() = nullptr;

  void run_until(const bool& done) {
    std::size_t since_poll = 0;
    while (!done) {
      since_poll += ready.size();
      for (auto left = ready.size(); left; --left) ready.pop().resume();
      if (done) break;
      if (!ready.empty() && since_poll < kPollInterval) continue;
      since_poll = 0;
      poll();
    }
  }

 private:
  void poll() {
    timespec wait{};
    const timespec* limit = &wait;
    if (ready.empty()) {
      if (timers.empty()) {
        limit = nullptr;
      } else if (const auto left = timers.first().when - now(); left > 0) {
        wait = {left / 1'000'000'000, left % 1'000'000'000};
      }
    }
    epoll_event events[64];
    if (epoll_pwait2(epoll, events, 64, limit, nullptr) > 0 && on_event) on_event();
    if (timers.empty()) return;
    for (const auto time = now(); !timers.empty() && timers.first().when <= time;) {
      Timer& timer = timers.first();
      timers.remove(timer);
      ready.push(timer.waiter);
    }
  }
};
Loop loop;

struct Cancelled {};

// A lazy coroutine with symmetric transfer. `left` lets a batch of them share one waiter.
class [[nodiscard]] Task {
 public:
  struct promise_type {
    int value = 0;
    std::exception_ptr error;
    Resumable waiter;
    std::size_t* left = nullptr;

    static void* operator new(std::size_t bytes) { return FramePool::take(bytes); }
    static void operator delete(void* frame, std::size_t bytes) { FramePool::give(frame, bytes); }
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct Final {
      bool await_ready() noexcept { return false; }
      Resumable await_suspend(std::coroutine_handle<promise_type> self) noexcept {
        auto& promise = self.promise();
        if (promise.left) {
          if (--*promise.left == 0 && promise.waiter) loop.ready.push(promise.waiter);
          return std::noop_coroutine();
        }
        return promise.waiter ? promise.waiter : std::noop_coroutine();
      }
      void await_resume() noexcept {}
    };
    Final final_suspend() noexcept { return {}; }
    void return_value(int result) { value = result; }
    void unhandled_exception() { error = std::current_exception(); }
  };

  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  ~Task() {
    if (frame_) frame_.destroy();
  }
  std::coroutine_handle<promise_type> frame() const { return frame_; }
  int result() const {
    if (frame_.promise().error) std::rethrow_exception(frame_.promise().error);
    return frame_.promise().value;
  }

  bool await_ready() { return false; }
  Resumable await_suspend(Resumable waiter) {
    frame_.promise().waiter = waiter;
    return frame_;
  }
  int await_resume() { return result(); }

 private:
  std::coroutine_handle<promise_type> frame_;
};

struct Yield {
  bool await_ready() { return false; }
  void await_suspend(Resumable self) { loop.ready.push(self); }
  void await_resume() {}
};

// Starts a batch through the ready queue and waits until all of it has ended.
struct Join {
  std::vector<Task>& tasks;
  std::size_t left = tasks.size();
  bool await_ready() { return tasks.empty(); }
  void await_suspend(Resumable self) {
    for (auto& task : tasks) {
      task.frame().promise().left = &left;
      task.frame().promise().waiter = self;
      loop.ready.push(task.frame());
    }
  }
  void await_resume() {}
};

struct Sleep : Timer {
  explicit Sleep(std::int64_t delay) { when = now() + delay; }
  bool await_ready() { return false; }
  void await_suspend(Resumable self) {
    waiter = self;
    loop.timers.add(*this);
  }
  void await_resume() {
    if (cancelled) throw Cancelled();
  }
  void cancel() {
    loop.timers.remove(*this);
    cancelled = true;
    loop.ready.push(waiter);
  }
};

template <class F>
void run(F body) {
  bool done = false;
  auto root = [](F& f, bool& flag) -> Task {
    co_await f();
    flag = true;
    co_return 0;
  }(body, done);
  loop.ready.push(root.frame());
  loop.run_until(done);
}

Task yielder(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) co_await Yield();
  co_return 0;
}
void yields(const char* name, std::size_t tasks) {
  const Stopwatch watch;
  run([&]() -> Task {
    std::vector<Task> all;
    for (std::size_t i = 0; i < tasks; ++i) all.push_back(yielder(bench::kYields / tasks));
    co_await Join{all};
    co_return 0;
  });
  watch.print(name, bench::kYields);
}

Task number(int value) { co_return value; }
void batches(const char* name, std::size_t batch, std::size_t rounds) {
  std::size_t sum = 0;
  const Stopwatch watch;
  run([&]() -> Task {
    std::vector<Task> all;
    for (std::size_t round = 0; round < rounds; ++round) {
      all.clear();
      for (std::size_t i = 0; i < batch; ++i) all.push_back(number(static_cast<int>(i)));
      co_await Join{all};
      for (auto& task : all) sum += static_cast<std::size_t>(task.result());
    }
    co_return 0;
  });
  watch.print(name, batch * rounds);
  expect(sum == rounds * (batch * (batch - 1) / 2));
}

[[gnu::noinline]] Task nested(int depth) {
  if (depth > 1) co_return co_await nested(depth - 1) + 1;
  co_return 1;
}
void awaits(const char* name, int depth) {
  const std::size_t rounds = bench::kAwaits / static_cast<std::size_t>(depth);
  std::size_t sum = 0;
  const Stopwatch watch;
  run([&]() -> Task {
    for (std::size_t i = 0; i < rounds; ++i) sum += static_cast<std::size_t>(co_await nested(depth));
    co_return 0;
  });
  watch.print(name, bench::kAwaits);
  expect(sum == bench::kAwaits);
}

void timers() {
  const auto delays = bench::random_delays(bench::kTimers, 10'000'000'000);
  const std::unique_ptr<Timer[]> all(new Timer[bench::kTimers]);
  for (int round = 1; round <= bench::kTimerRounds; ++round) {
    TimerHeap heap;
    const Stopwatch watch;
    for (std::size_t i = 0; i < bench::kTimers; ++i) {
      all[i].when = now() + delays[i];
      heap.add(all[i]);
    }
    for (std::size_t i = 0; i < bench::kTimers; ++i) heap.remove(all[i]);
    if (round == bench::kTimerRounds) watch.print("timer_arm_cancel", bench::kTimers);
  }
}

// Arming by tasks, and cancelling with an exception that the joining task catches.
void sleep_tasks() {
  run([]() -> Task {
    std::vector<Sleep*> sleeps;
    std::vector<Task> all;
    std::size_t left = bench::kCancels, cancelled = 0;
    auto sleeper = [&]() -> Task {
      Sleep sleep(3'600'000'000'000);
      sleeps.push_back(&sleep);
      co_await sleep;
      co_return 0;
    };
    const Stopwatch arming;
    for (std::size_t i = 0; i < bench::kCancels; ++i) {
      all.push_back(sleeper());
      all.back().frame().promise().left = &left;
      loop.ready.push(all.back().frame());
    }
    co_await Yield();
    arming.print("sleep_task_arm", bench::kCancels);
    const Stopwatch cancelling;
    for (auto* sleep : sleeps) sleep->cancel();
    while (left > 0) co_await Yield();
    for (auto& task : all) {
      try {
        task.result();
      } catch (const Cancelled&) {
        ++cancelled;
      }
    }
    cancelling.print("cancel_throw", bench::kCancels);
    expect(cancelled == bench::kCancels);
    co_return 0;
  });
}

void lateness() {
  bench::Lateness late;
  run([&]() -> Task {
    auto sleeper = [&](std::int64_t delay) -> Task {
      const auto due = now() + delay;
      co_await Sleep(delay);
      late.add(due);
      co_return 0;
    };
    std::vector<Task> all;
    for (auto delay : bench::random_delays(bench::kLateSleepers, 49'000'000)) all.push_back(sleeper(1'000'000 + delay));
    co_await Join{all};
    co_return 0;
  });
  late.print(bench::kLateSleepers);
}

// One getter, one putter.
struct Queue {
  int items[bench::kQueueRoom];
  std::size_t taken = 0, put = 0;
  Resumable getter, putter;

  struct Put {
    Queue& queue;
    int item;
    bool await_ready() { return queue.put - queue.taken < bench::kQueueRoom; }
    void await_suspend(Resumable self) { queue.putter = self; }
    void await_resume() {
      queue.items[queue.put++ % bench::kQueueRoom] = item;
      if (queue.getter) loop.ready.push(std::exchange(queue.getter, {}));
    }
  };
  struct Get {
    Queue& queue;
    bool await_ready() { return queue.put != queue.taken; }
    void await_suspend(Resumable self) { queue.getter = self; }
    int await_resume() {
      const int item = queue.items[queue.taken++ % bench::kQueueRoom];
      if (queue.putter) loop.ready.push(std::exchange(queue.putter, {}));
      return item;
    }
  };
};
void queue() {
  Queue line;
  std::size_t sum = 0;
  auto producer = [&]() -> Task {
    for (std::size_t i = 0; i < bench::kQueueItems; ++i) co_await Queue::Put{line, 1};
    co_return 0;
  };
  auto consumer = [&]() -> Task {
    for (std::size_t i = 0; i < bench::kQueueItems; ++i) sum += static_cast<std::size_t>(co_await Queue::Get{line});
    co_return 0;
  };
  const Stopwatch watch;
  run([&]() -> Task {
    std::vector<Task> both;
    both.push_back(producer());
    both.push_back(consumer());
    co_await Join{both};
    co_return 0;
  });
  watch.print("queue_item", bench::kQueueItems);
  expect(sum == bench::kQueueItems);
}

struct Lock {
  bool locked = false;
  std::deque<Resumable> waiters;
  bool await_ready() { return !std::exchange(locked, true); }
  void await_suspend(Resumable self) { waiters.push_back(self); }
  void await_resume() {}
  void unlock() {
    if (waiters.empty()) {
      locked = false;
    } else {
      loop.ready.push(waiters.front());
      waiters.pop_front();
    }
  }
};
// Held across one yield, so that each lock is a hand-over.
void lock() {
  Lock mutex;
  int owner = -1;
  std::size_t handed_over = 0;
  auto locker = [&](int self) -> Task {
    for (std::size_t i = 0; i < bench::kLockRounds; ++i) {
      co_await mutex;
      handed_over += std::exchange(owner, self) != self;
      co_await Yield();
      mutex.unlock();
    }
    co_return 0;
  };
  const Stopwatch watch;
  run([&]() -> Task {
    std::vector<Task> both;
    both.push_back(locker(0));
    both.push_back(locker(1));
    co_await Join{both};
    co_return 0;
  });
  watch.print("lock_handoff", handed_over);
}

// A lock-free stack; the eventfd is written only when the stack was empty.
struct Post {
  Post* next;
  void (*call)();
};
std::atomic<Post*> inbox{nullptr};
int wake_fd = -1;
std::size_t posts_run = 0;
bool all_posted = false;

void drain_inbox() {
  eventfd_t count = 0;
  if (eventfd_read(wake_fd, &count) != 0) return;
  Post* newest = inbox.exchange(nullptr, std::memory_order_acquire);
  Post* oldest = nullptr;
  while (newest) {
    Post* older = newest->next;
    newest->next = std::exchange(oldest, newest);
    newest = older;
  }
  while (oldest) {
    oldest->call();
    delete std::exchange(oldest, oldest->next);
  }
}
void post(const char* name, std::size_t producers) {
  posts_run = 0;
  all_posted = false;
  wake_fd = eventfd(0, EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(loop.epoll, EPOLL_CTL_ADD, wake_fd, &event);
  loop.on_event = drain_inbox;
  const Stopwatch watch;
  auto produce = [producers] {
    for (std::size_t i = 0; i < bench::kPosts / producers; ++i) {
      auto* item = new Post{inbox.load(std::memory_order_relaxed), [] { all_posted = ++posts_run == bench::kPosts; }};
      while (!inbox.compare_exchange_weak(item->next, item, std::memory_order_release, std::memory_order_relaxed)) {
      }
      if (!item->next) eventfd_write(wake_fd, 1);
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < producers; ++i) threads.emplace_back(produce);
  loop.run_until(all_posted);
  watch.print(name, bench::kPosts);
  for (auto& thread : threads) thread.join();
  close(wake_fd);
}

struct Event {
  Resumable waiter;
  bool await_ready() { return false; }
  void await_suspend(Resumable self) { waiter = self; }
  void await_resume() {}
};
void memory() {
  std::vector<Task> all;
  all.reserve(bench::kWaitingTasks);
  auto waiter = []() -> Task {
    Event event;
    co_await event;
    co_return 0;
  };
  const double before = bench::resident_bytes();
  for (std::size_t i = 0; i < bench::kWaitingTasks; ++i) {
    all.push_back(waiter());
    all.back().frame().resume();
  }
  bench::report("waiting_task_bytes", (bench::resident_bytes() - before) / bench::kWaitingTasks);
}

Task nothing() { co_return 0; }

}  // namespace

int main(int argc, char** argv) {
  return bench::run_items(
      argc, argv,
      {{"yield", [] { yields("yield_1", 1), yields("yield_100", 100); }},
       {"spawn", [] { batches("spawn_join", bench::kSpawnBatch, bench::kSpawnRounds); }},
       {"await", [] { awaits("await_1", 1), awaits("await_10", 10); }},
       {"gather", [] { batches("gather_100", bench::kGatherBatch, bench::kGatherRounds); }},
       {"timer", timers},
       {"sleep", sleep_tasks},
       {"late", lateness},
       {"queue", queue},
       {"lock", lock},
       {"post", [] { post("post", 1); }},
       {"many", [] { post("post_many", bench::kProducers); }},
       {"memory", memory},
       {"start", [] { run(nothing); }}});
}
