// SPDX-License-Identifier: MIT
// Scheduled callbacks and their handles (for events.hpp).
#pragma once

#include <cstdint>
#include <eddy/clock.hpp>
#include <eddy/detail/context.hpp>
#include <eddy/detail/frame_pool.hpp>
#include <eddy/detail/future_await.hpp>
#include <eddy/detail/references.hpp>
#include <eddy/detail/task_core.hpp>
#include <type_traits>
#include <utility>

namespace eddy {

class Context;
class AnyTask;
struct ExceptionContext;
struct TaskOptions;
template <class T>
class Task;

namespace detail {

/// A callback that is, was or will be scheduled. Counted atomically: handles may cross threads.
struct CallbackCore : ReadyNode, WaitNode {
  /// What a callback can do, as the timer that it may be, too.
  struct CallableOps : WaitOps {
    void (*invoke)(CallbackCore&);
    void (*clear)(CallbackCore&) noexcept;    // destroys the callable
    void (*destroy)(CallbackCore&) noexcept;  // frees the node, its callable being cleared
  };
  CallbackCore(LoopCore& owner, const CallableOps& table) : loop(&owner), context(captured_context()) {
    run = &run_ready;
    ops = &table;
  }

  LoopCore* loop;
  ContextRef context;
  std::uint32_t references = 1;
  bool cancelled = false;
  bool queued = false;       // in the ready queue
  bool spent : 1 = false;    // its callable is gone
  bool repeats : 1 = false;  // a descriptor's or a signal's: runs any number of times
  bool running : 1 = false;  // its callable must not be destroyed under it

  const CallableOps& callable() const noexcept { return static_cast<const CallableOps&>(*ops); }

  void retain() noexcept { add_reference(references); }
  /// Of a new one, which no other thread knows.
  void retain_new() noexcept { ++references; }
  void release() noexcept {
    if (drop_reference(references)) callable().destroy(*this);
  }
  void drop_callable() noexcept {
    if (spent) return;
    spent = true;
    callable().clear(*this);
    context = ContextRef();
  }
  /// It will not run again; what it captured is destroyed at once.
  void cancel() noexcept;

  static void run_ready(ReadyNode& node, Dispatch how) noexcept;
  static void expire(WaitNode& node) noexcept;
};

template <class F>
struct Callback final : CallbackCore, Pooled {
  Callback(LoopCore& owner, F f) : CallbackCore(owner, kOps), callable_holder(std::move(f)) {}

 private:
  struct Holder {
    explicit Holder(F f) : value(std::move(f)) {}
    ~Holder() {}
    void destroy() noexcept { value.~F(); }
    union {
      F value;
    };
  };
  Holder callable_holder;

  static constexpr CallableOps kOps{
      {nullptr, nullptr, nullptr, &expire},
      [](CallbackCore& self) { static_cast<void>(static_cast<Callback&>(self).callable_holder.value()); },
      [](CallbackCore& self) noexcept { static_cast<Callback&>(self).callable_holder.destroy(); },
      [](CallbackCore& self) noexcept {
        self.drop_callable();
        delete static_cast<Callback*>(&self);
      }};
};

template <class F>
CallbackCore* new_callback(LoopCore& loop, F callback) {
  if constexpr (!std::is_invocable_v<F&>) {
    static_assert(std::is_invocable_v<F&>, "eddy: a callback is called without arguments; bind them: [x] { f(x); }");
  } else {
    static_assert(!Awaitable<std::invoke_result_t<F&>>,
                  "eddy: this callback makes a coroutine that nobody would await; schedule it with create_task(), from "
                  "another thread with run_coroutine_threadsafe()");
  }
  return new Callback<F>(loop, std::move(callback));
}

/// A callable that a loop keeps, type-erased.
template <class... Arguments>
class ErasedHook {
 public:
  template <class F>
  ErasedHook(F handler) : object_(is_empty(handler) ? nullptr : new F(std::move(handler))), table_(&kTable<F>) {}
  ErasedHook(std::nullptr_t) noexcept {}
  ErasedHook(ErasedHook&& other) noexcept
      : object_(std::exchange(other.object_, nullptr)), table_(other.table_) {}
  ~ErasedHook() {
    if (object_) table_->destroy(object_);
  }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  void operator()(Arguments... arguments) const { table_->call(object_, static_cast<Arguments>(arguments)...); }

 private:
  struct Table {
    void (*call)(void*, Arguments...);
    void (*destroy)(void*) noexcept;
  };
  // A std::function, or a pointer to a function, that is null.
  template <class F>
  static bool is_empty(const F& handler) noexcept {
    if constexpr (std::is_pointer_v<F>) return handler == nullptr;
    else if constexpr (requires { handler.operator bool(); }) return !handler.operator bool();
    else return false;
  }
  template <class F>
  static constexpr Table kTable{[](void* f, Arguments... arguments) { (*static_cast<F*>(f))(static_cast<Arguments>(arguments)...); },
                                [](void* f) noexcept { delete static_cast<F*>(f); }};
  void* object_ = nullptr;
  const Table* table_ = nullptr;
};

class ExceptionHandler : public ErasedHook<const ExceptionContext&> {
 public:
  using ErasedHook::ErasedHook;
};
class TaskFactory : public ErasedHook<const AnyTask&, TaskOptions&> {
 public:
  using ErasedHook::ErasedHook;
};

/// A finished task's value: moved out when this is its only handle, which it is for run().
template <class T>
T take_value(const Task<T>& task) {
  static_cast<void>(task.result());
  return take_from(task.holder());
}

}  // namespace detail

/// A callback that was scheduled with `call_soon`: keep it to cancel, or drop it.
class Handle {
 public:
  Handle() noexcept = default;
  explicit Handle(detail::CallbackCore* core) noexcept : core_(core) {}  // takes over one reference
  Handle(const Handle& other) noexcept : core_(other.core_) {
    if (core_) core_->retain();
  }
  Handle(Handle&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  Handle& operator=(Handle other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~Handle() {
    if (core_) core_->release();
  }

  explicit operator bool() const noexcept { return core_ != nullptr; }

  /// The callback will not run, and what it captured is destroyed now. After it ran, or twice: nothing.
  void cancel() const noexcept {
    if (core_) core_->cancel();
  }
  bool cancelled() const noexcept { return core_ && core_->cancelled; }

  /// The context it runs in. Include eddy/contextvars.hpp.
  Context get_context() const;

 protected:
  detail::CallbackCore* core_ = nullptr;
};

/// A callback that was scheduled with `call_later` or `call_at`.
class TimerHandle : public Handle {
 public:
  TimerHandle() noexcept = default;
  TimerHandle(detail::CallbackCore* core, std::int64_t when) noexcept : Handle(core), when_(when) {}

  /// When it is to run, on the loop's clock.
  TimePoint when() const noexcept { return TimePoint(std::chrono::nanoseconds(when_)); }

 private:
  std::int64_t when_ = 0;
};

}  // namespace eddy
