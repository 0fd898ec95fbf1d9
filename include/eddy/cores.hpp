// SPDX-License-Identifier: MIT
// More than one core: a loop a thread, each with tasks of its own, and calls from one to another.
#pragma once

#include <eddy/detail/smart_pointers.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/queues.hpp>
#include <eddy/runners.hpp>
#include <eddy/threads.hpp>

#include <atomic>
#include <functional>
#include <type_traits>
#include <utility>

namespace eddy {

struct CoresOptions {
  int cores = 0;                         // loops; 0: as many as there are cores that this process may use
  bool pin = false;                      // each thread stays on a core of its own
  Backend backend = Backend::automatic;  // of each loop
  bool terminate = true;                 // SIGTERM stops as Ctrl-C does: SystemExit(143)
};

namespace detail {

class CoreGroup;
EventLoop& loop_of_core(CoreGroup& group, int index);  // throws ValueError
int cores_of(const CoreGroup& group) noexcept;

template <class R>
struct CallValue {
  using type = std::decay_t<R>;
};
template <Awaitable R>
struct CallValue<R> {
  using type = AwaitResult<R>;
};
template <class F, class... Args>
auto call_there(F function, Args... args) -> Coro<typename CallValue<std::invoke_result_t<F&, Args...>>::type> {
  if constexpr (Awaitable<std::invoke_result_t<F&, Args...>>) {
    co_return co_await std::invoke(function, std::move(args)...);
  } else {
    co_return std::invoke(function, std::move(args)...);
  }
}

}  // namespace detail

/// One of the loops of run_on_all_cores(); its main function is given it. A handle: copies are the same core. It may be
/// used as long as run_on_all_cores() runs, on any of its threads.
class Core {
 public:
  Core(detail::CoreGroup& group, int index) noexcept : group_(&group), index_(index) {}

  /// 0 to count() - 1. Core 0 is the thread that called run_on_all_cores().
  int index() const noexcept { return index_; }
  int count() const noexcept { return detail::cores_of(*group_); }
  EventLoop& loop() const { return detail::loop_of_core(*group_, index_); }
  /// Another one. Throws ValueError.
  Core other(int index) const {
    static_cast<void>(detail::loop_of_core(*group_, index));
    return Core(*group_, index);
  }

  /// Runs `function(args...)`, a coroutine function or a plain one, as a task on this core, and gives its value here:
  /// `co_await other.call(function, x)`. The copies of function and arguments live there. Cancelling the await cancels the
  /// task. Throws RuntimeError when all cores are ending.
  template <class F, class... Args>
  [[nodiscard("co_await it")]] auto call(F function, Args... args) const {
    return wrap_future(submit(std::move(function), std::move(args)...));
  }
  /// The same, begun at once, for threads without a loop, or to be waited for later. Dropping it does not cancel.
  template <class F, class... Args>
  auto submit(F function, Args... args) const {
    return run_coroutine_threadsafe(detail::call_there(std::move(function), std::move(args)...), loop());
  }

 private:
  detail::CoreGroup* group_;
  int index_;
};

namespace detail {

/// What runs on each core: main(core), made on that core's thread.
using CoreMain = std::function<Coro<>(Core)>;
void run_cores(CoreMain main, CoresOptions options);

}  // namespace detail

/// Runs `main(core)`, a coroutine function, on a loop of its own on each core, and returns when all have ended.
///
///     eddy::run_on_all_cores([](eddy::Core core) -> eddy::Coro<> {
///       auto server = co_await eddy::start_server(echo, "0.0.0.0", 8080, {.reuse_port = true});
///       co_await server.serve_forever();
///     });
///
/// Each loop listens on the same port (SO_REUSEPORT) and the kernel shares connections out; a connection stays with its
/// loop. Nothing that belongs to one loop may be touched on another: call() and ThreadsafeQueue go across. `main` is
/// called at the same time on each thread, so what it captures must bear that.
///
/// Ctrl-C (and SIGTERM, unless the options say otherwise) cancels each main function at once; all unwind, then
/// KeyboardInterrupt (SystemExit) is thrown here. When one throws, the others are cancelled, and the first exception is
/// thrown when they have ended. A core whose main function has returned takes calls until all have. Then each loop ends as under run(): what still runs on it is cancelled and waited for.
/// Throws ValueError for a negative number of cores, RuntimeError if a loop runs on this thread.
template <class F>
  requires std::is_invocable_r_v<Coro<>, F&, Core>
void run_on_all_cores(F main, CoresOptions options = {}) {
  detail::run_cores(detail::CoreMain(std::move(main)), options);
}

/// A queue from any thread into one loop: whoever gets is a task of that loop, whoever puts may be anywhere.
template <class T>
class ThreadsafeQueue {
 public:
  /// Belongs to the running loop. Holds up to `maxsize` items; 0: any number.
  explicit ThreadsafeQueue(std::size_t maxsize = 0)
      : loop_(&get_running_loop()), maxsize_(maxsize), shared_(std::make_shared<Shared>()) {}

  /// From any thread. False: it is full. Throws QueueShutDown after shutdown(), RuntimeError if the loop is closed.
  bool try_put(T item) {
    if (shared_->shut.load(std::memory_order_acquire)) throw QueueShutDown();
    if (shared_->size.fetch_add(1, std::memory_order_relaxed) >= maxsize_ && maxsize_ > 0) {
      shared_->size.fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
    loop_->call_soon_threadsafe([shared = shared_, item = std::move(item)]() mutable {
      try {
        shared->items.put_nowait(std::move(item));
      } catch (const QueueShutDown&) {
        shared->size.fetch_sub(1, std::memory_order_relaxed);
      }
    });
    return true;
  }
  /// The same. Throws QueueFull, too.
  void put(T item) {
    if (!try_put(std::move(item))) throw QueueFull();
  }
  /// How many items are in it or on their way.
  std::size_t qsize() const noexcept { return shared_->size.load(std::memory_order_relaxed); }

  /// In its own loop: waits for an item. Throws QueueShutDown when it was shut down and is empty.
  Coro<T> get() {
    const auto shared = shared_;
    T item = co_await shared->items.get();
    shared->size.fetch_sub(1, std::memory_order_relaxed);
    co_return item;
  }
  /// From any thread: nothing more is taken, what was put before is still given. What another thread puts at the very
  /// same time may be dropped.
  void shutdown() {
    if (shared_->shut.exchange(true, std::memory_order_acq_rel)) return;
    loop_->call_soon_threadsafe([shared = shared_] { shared->items.shutdown(); });
  }

 private:
  struct Shared {
    Queue<T> items;
    std::atomic<std::size_t> size{0};
    std::atomic<bool> shut{false};
  };
  EventLoop* loop_;
  std::size_t maxsize_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace eddy
