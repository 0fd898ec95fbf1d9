// SPDX-License-Identifier: MIT
#pragma once

#if __has_include(<bits/stl_heap.h>)
#include <bits/stl_heap.h>  // libstdc++: push_heap() and pop_heap(); a tenth of <algorithm>
#else
#include <algorithm>
#endif
#include <coroutine>
#include <cstddef>
#include <eddy/detail/list.hpp>
#include <eddy/detail/ring_buffer.hpp>
#include <eddy/detail/task_core.hpp>
#include <eddy/locks.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace eddy {

namespace detail {

/// The futures that will put something into a queue when they end; null once they have.
struct QueueSources {
  std::vector<const FutureCore*> pending;
};

/// What queues of every type share: who waits, how much there is, what is unfinished.
class QueueBase {
 public:
  explicit QueueBase(std::size_t maxsize) noexcept : maxsize_(maxsize), limit_(maxsize > 0 ? maxsize : kUnbounded) {}
  QueueBase(const QueueBase&) = delete;
  QueueBase& operator=(const QueueBase&) = delete;

  /// 0: unbounded.
  std::size_t maxsize() const noexcept { return maxsize_; }
  std::size_t qsize() const noexcept { return counts_.size(); }
  bool empty() const noexcept { return counts_.empty(); }
  bool full() const noexcept { return maxsize_ > 0 && qsize() >= maxsize_; }

  /// For as_completed(): the futures whose ends are put here.
  void fed_by(const QueueSources& sources) noexcept { sources_ = &sources; }

  /// What was taken with get() has been dealt with. Throws ValueError if called more often than items came.
  void task_done();
  /// Waits until each item that was put has had its task_done().
  auto join() noexcept { return Join(*this); }

 protected:
  ~QueueBase() = default;

  class [[nodiscard("co_await it")]] Join : public AcquireAwaiter<Event> {
   public:
    explicit Join(QueueBase& queue) noexcept : AcquireAwaiter(queue.finished_), queue_(&queue) {}
    bool await_ready() const noexcept { return queue_->all_done(); }

   private:
    QueueBase* queue_;
  };

  enum class Side : bool { get, put };

  // Whether a get() or a put() need not wait.
  bool may_get() const {
    if (!empty()) [[likely]] return true;
    if (is_shut_down()) refuse_get();
    return false;
  }
  bool may_put() const {
    if (qsize() < limit_) [[likely]] return true;
    if (is_shut_down()) refuse_put();
    return false;
  }
  void enqueue(Side side, TaskCore& task, std::coroutine_handle<> where);
  /// Throws CancelledError; gives the queue at which the running task waited.
  static QueueBase& finish_wait(Side side);

  void check_put_now() const {
    if (qsize() >= limit_) [[unlikely]] refuse_put();
  }
  void check_get_now() const {
    if (empty()) [[unlikely]] refuse_get();
  }
  void check_shutdown_now() const {
    check_thread(getters_);
    check_thread(putters_);
  }
  // Whether somebody waits there, who belongs to this thread.
  bool is_waited_at(Side side) const {
    const auto& line = side == Side::get ? getters_ : putters_;
    if (line.empty()) [[likely]] return false;
    check_thread(line);
    return true;
  }
  void wake_next(Side side) noexcept;
  void shut_down() noexcept;
  void discarded(std::size_t items) noexcept;

  ItemCounts counts_;

 private:
  static constexpr std::size_t kUnbounded = static_cast<std::size_t>(-1);
  bool is_shut_down() const noexcept { return limit_ == 0; }
  Ring& waiters(Side side) noexcept { return side == Side::get ? getters_ : putters_; }
  bool all_done() const noexcept { return finished_items_ == counts_.added; }
  void tell_joiners();
  [[noreturn]] void refuse_put() const;  // QueueShutDown, QueueFull
  [[noreturn]] void refuse_get() const;  // QueueShutDown, QueueEmpty
  template <Side side>
  static void retry(ReadyNode& node, Dispatch how) noexcept;
  static CancelResult cancel_wait(TaskCore& task) noexcept;
  static void detach(TaskCore& task) noexcept;
  static void describe_get(const TaskCore& task, Text& text);
  static void describe_put(const TaskCore& task, Text& text);
  static void visit_sources(const TaskCore& task, AwaitVisitor& visitor);
  static const WaitOps kGetOps, kPutOps;

  std::size_t maxsize_;
  std::size_t limit_;               // put() adds below so many items; 0 once it is shut down
  std::size_t finished_items_ = 0;  // of those that were added
  Ring getters_, putters_;
  Event finished_{"the items of a queue to be done"};
  const QueueSources* sources_ = nullptr;
};

/// The typed shell over QueueBase; `Items` decides the order.
template <class T, class Items>
class BasicQueue : public QueueBase {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "eddy: a queue holds values; for references, a Queue<T*>");

 public:
  using value_type = T;
  /// Holds up to `maxsize` items; 0: any number.
  explicit BasicQueue(std::size_t maxsize = 0) : QueueBase(maxsize) {}
  ~BasicQueue() { items_.clear(counts_); }

  class [[nodiscard("co_await it")]] Get {
   public:
    explicit Get(BasicQueue& queue) noexcept : queue_(&queue) {}
    bool await_ready() const { return queue_->may_get(); }
    void await_suspend(std::coroutine_handle<> where) {
      std::exchange(queue_, nullptr)->enqueue(Side::get, current_task_core(), where);
    }
    T await_resume() {
      if (queue_) [[likely]] return queue_->take();
      return static_cast<BasicQueue&>(finish_wait(Side::get)).get_nowait();
    }

   private:
    BasicQueue* queue_;  // null: it waited
  };

  class [[nodiscard("co_await it")]] Put {
   public:
    Put(BasicQueue& queue, T item) : queue_(&queue), item_(std::move(item)) {}
    bool await_ready() {
      if (!queue_->may_put()) [[unlikely]] return false;
      queue_->add(std::move(item_));
      return true;
    }
    void await_suspend(std::coroutine_handle<> where) {
      std::exchange(queue_, nullptr)->enqueue(Side::put, current_task_core(), where);
    }
    void await_resume() {
      if (!queue_) [[unlikely]] static_cast<BasicQueue&>(finish_wait(Side::put)).put_nowait(std::move(item_));
    }

   private:
    BasicQueue* queue_;  // null: it waited
    T item_;
  };

  /// Waits for an item and takes it. A cancelled get() loses none. Throws QueueShutDown.
  Get get() noexcept { return Get(*this); }
  /// Waits for room and adds the item. A cancelled put() adds none. Throws QueueShutDown.
  Put put(T item) { return Put(*this, std::move(item)); }

  /// Throws QueueEmpty if there is none, QueueShutDown if there will be none.
  T get_nowait() {
    check_get_now();
    return take();
  }
  /// Throws QueueFull if there is no room, QueueShutDown.
  void put_nowait(T item) {
    check_put_now();
    add(std::move(item));
  }

  /// Refuses new items; get() gives what is left, then throws QueueShutDown. `immediate`: what is left is
  /// thrown away and counts as done.
  void shutdown(bool immediate = false) {
    check_shutdown_now();
    if (immediate) {
      const auto left = qsize();
      items_.clear(counts_);
      discarded(left);
    }
    shut_down();
  }

 private:
  // For who knows that there is one, and that there is room.
  T take() {
    if (is_waited_at(Side::put)) [[unlikely]] return take_and_wake();
    return items_.take(counts_);
  }
  void add(T&& item) {
    if (is_waited_at(Side::get)) [[unlikely]] return add_and_wake(std::move(item));
    items_.add(counts_, std::move(item));
  }
  [[gnu::noinline]] T take_and_wake() {
    T item = items_.take(counts_);
    wake_next(Side::put);
    return item;
  }
  [[gnu::noinline]] void add_and_wake(T&& item) {
    items_.add(counts_, std::move(item));
    wake_next(Side::get);
  }

  Items items_;
};

template <class T>
class FifoItems {
 public:
  void add(ItemCounts& counts, T&& item) { ring_.push_back(counts, std::move(item)); }
  T take(ItemCounts& counts) { return ring_.pop_front(counts); }
  void clear(ItemCounts& counts) noexcept { ring_.clear(counts); }

 private:
  ItemRing<T> ring_;
};

template <class T>
class LifoItems {
 public:
  void add(ItemCounts& counts, T&& item) {
    items_.push_back(std::move(item));
    ++counts.added;
  }
  T take(ItemCounts& counts) {
    T item = std::move(items_.back());
    items_.pop_back();
    ++counts.removed;
    return item;
  }
  void clear(ItemCounts& counts) noexcept {
    items_.clear();
    counts.removed = counts.added;
  }

 protected:
  std::vector<T> items_;
};

struct LessThan {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return a < b;
  }
};

/// The last item is the first of a heap.
template <class T, class Less>
class PriorityItems : public LifoItems<T> {
 public:
  void add(ItemCounts& counts, T&& item) {
    LifoItems<T>::add(counts, std::move(item));
    std::push_heap(items_.begin(), items_.end(), after);
  }
  T take(ItemCounts& counts) {
    std::pop_heap(items_.begin(), items_.end(), after);
    return LifoItems<T>::take(counts);
  }

 private:
  using LifoItems<T>::items_;
  static bool after(const T& a, const T& b) { return Less()(b, a); }
};

}  // namespace detail

/// First in, first out, between tasks: `asyncio.Queue`. Waiting getters and putters are served in order.
/// Belongs to one loop: what would wake a task of a loop that runs on another thread throws RuntimeError. From there: `loop.call_soon_threadsafe([&] { queue.put_nowait(x); })`.
template <class T>
class Queue : public detail::BasicQueue<T, detail::FifoItems<T>> {
 public:
  using Queue::BasicQueue::BasicQueue;
};
/// Last in, first out.
template <class T>
class LifoQueue : public detail::BasicQueue<T, detail::LifoItems<T>> {
 public:
  using LifoQueue::BasicQueue::BasicQueue;
};
/// The smallest item first, by `<` or by `Less(a, b)`.
template <class T, class Less = detail::LessThan>
class PriorityQueue : public detail::BasicQueue<T, detail::PriorityItems<T, Less>> {
 public:
  using PriorityQueue::BasicQueue::BasicQueue;
};

}  // namespace eddy
