// SPDX-License-Identifier: MIT
// Awaiting and reading futures and tasks (for futures.hpp and tasks.hpp).
#pragma once

#include <coroutine>
#include <eddy/detail/await.hpp>
#include <eddy/detail/context.hpp>
#include <eddy/detail/references.hpp>
#include <eddy/detail/result_slot.hpp>
#include <eddy/detail/task_core.hpp>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace eddy::detail {

/// Whether there is a value that has to be destroyed; nothing where none has to.
template <bool kHasToBeDestroyed>
struct Fullness {
  void fill() noexcept { full = true; }
  bool full = false;
};
template <>
struct Fullness<false> {
  void fill() noexcept {}
  static constexpr bool full = false;
};

/// Room for a value; the core's state says whether it is there.
template <class T>
class ValueHolder : Fullness<!std::is_trivially_destructible_v<Stored<T>>> {
 public:
  ValueHolder() noexcept {}
  ValueHolder(const ValueHolder&) = delete;
  ValueHolder& operator=(const ValueHolder&) = delete;
  ~ValueHolder() {
    if (this->full) value_.~Stored<T>();
  }

  template <class U>
  void set(U&& value) {
    if constexpr (std::is_reference_v<T>) ::new (static_cast<void*>(&value_)) Stored<T>(__builtin_addressof(value));
    else ::new (static_cast<void*>(&value_)) T(static_cast<U&&>(value));
    this->fill();
  }
  std::remove_reference_t<T>& get() noexcept {
    if constexpr (std::is_reference_v<T>) return *value_;
    else return value_;
  }

 private:
  union {
    Stored<T> value_;
  };
};
template <>
class ValueHolder<void> {};

/// The value moved out; a reference as it is.
template <class T>
T take_from(ValueHolder<T>& holder) {
  if constexpr (std::is_reference_v<T>) return static_cast<T>(holder.get());
  else return static_cast<T>(std::move(holder.get()));
}

template <class T>
struct ConstResultOf {
  using type = const std::remove_reference_t<T>&;
};
template <>
struct ConstResultOf<void> {
  using type = void;
};
/// What `co_await task` and `task.result()` give: a reference into the task.
template <class T>
using ConstResult = typename ConstResultOf<T>::type;

template <class T>
ConstResult<T> read_result(FutureCore& core, [[maybe_unused]] ValueHolder<T>& holder) {
  if (core.state != FutureState::finished) [[unlikely]] core.rethrow();
  if constexpr (!std::is_void_v<T>) return holder.get();
}

std::exception_ptr read_exception(FutureCore& core);

/// cancel() of a future or a task with a text for CancelledError::message().
bool cancel_with_message(FutureCore& core, std::string_view message);

/// How a task waits for a future or another task.
extern const WaitOps kFutureWait;

/// Throws RuntimeError: a task that awaits itself, a future of another loop.
void check_awaitable(const FutureCore& core);

/// Ends the wait of a task that was cancelled while, or after, it waited for `core`.
[[noreturn]] void throw_cancelled_wait(TaskCore& task, FutureCore& core);

/// Awaits `Box`, a FutureCore with a `holder`. `kMove`: the handle was a temporary, its value is moved out.
///
/// It counts as a handle while it waits: the one that was awaited may be assigned to meanwhile.
template <class T, class Box, bool kMove>
class FutureAwaiter {
 public:
  explicit FutureAwaiter(Box* box) noexcept : box_(box) {}
  FutureAwaiter(FutureAwaiter&& other) noexcept : box_(other.box_), waited_(std::exchange(other.waited_, false)) {}
  ~FutureAwaiter() {
    if (waited_) box_->release();
  }

  bool await_ready() const noexcept { return box_->done(); }
  void await_suspend(std::coroutine_handle<> where) {
    check_awaitable(*box_);
    TaskCore& task = current_task_core();
    task.wait(where, kFutureWait, static_cast<FutureCore*>(box_));
    box_->add_waiter(task);
    box_->retain();
    waited_ = true;
  }
  std::conditional_t<kMove, T, ConstResult<T>> await_resume() {
    if (waited_) {
      TaskCore& task = current_task_core();
      if (task.must_throw()) [[unlikely]] throw_cancelled_wait(task, *box_);
    }
    if (box_->state != FutureState::finished) [[unlikely]] box_->rethrow();
    if constexpr (std::is_void_v<T>) return;
    else if constexpr (kMove) return take_from(box_->holder);
    else return box_->holder.get();
  }

 private:
  Box* box_;
  bool waited_ = false;
};

/// Reports the exception being handled to the loop's exception handler. KeyboardInterrupt and SystemExit end
/// the loop's run instead.
void report_current_exception(LoopCore* loop, const char* message) noexcept;

/// A user's done callback: belongs to the future until it is due, then to the ready queue, and to its handle.
struct DoneCallbackCore : DoneNode {
  struct Ops : DoneOps {
    void (*clear)(DoneCallbackCore&) noexcept;    // destroys the callable
    void (*destroy)(DoneCallbackCore&) noexcept;  // frees the node
  };
  explicit DoneCallbackCore(const Ops& table) noexcept : DoneNode(table) {}

  ContextRef context{captured_context()};
  std::uint32_t references = 2;

  /// The future, or the ready queue, has done with it.
  void done_with() noexcept {
    ops_of_kind().clear(*this);
    context = ContextRef();
    release();
  }
  void release() noexcept {
    if (drop_reference(references)) ops_of_kind().destroy(*this);
  }

 private:
  const Ops& ops_of_kind() const noexcept { return *static_cast<const Ops*>(done_ops); }
};

}  // namespace eddy::detail

namespace eddy {

/// A callback that was registered with `add_done_callback()`: keep it to remove the callback, or drop it.
class DoneCallbackHandle {
 public:
  DoneCallbackHandle() noexcept = default;
  explicit DoneCallbackHandle(detail::DoneCallbackCore* core) noexcept : core_(core) {}  // takes over one reference
  DoneCallbackHandle(DoneCallbackHandle&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  DoneCallbackHandle& operator=(DoneCallbackHandle&& other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~DoneCallbackHandle() {
    if (core_) core_->release();
  }

  /// For futures and tasks: see remove_done_callback().
  bool remove(const detail::FutureCore& future) const noexcept {
    if (!core_ || core_->target != &future || !core_->is_linked()) return false;
    core_->detach();
    core_->done_with();
    return true;
  }

 private:
  detail::DoneCallbackCore* core_ = nullptr;
};

}  // namespace eddy

namespace eddy::detail {

template <class Handle, class F>
struct DoneCallback final : DoneCallbackCore, Pooled {
  explicit DoneCallback(F f) : DoneCallbackCore(kOps), callback(std::move(f)) {}
  ~DoneCallback() {}
  union {
    F callback;
  };

  static void call(ReadyNode& node, Dispatch how) noexcept {
    auto* self = static_cast<DoneCallback*>(&node);
    if (how == Dispatch::run) try {
        const ContextEntry entry(self->context);
        Handle handle = Handle::from_core(*self->target);
        self->callback(handle);
      } catch (...) {
        report_current_exception(self->target->loop, "a done callback threw");
      }
    auto* const target = self->target;
    self->done_with();
    target->release();
  }

 private:
  static constexpr Ops kOps{{&call, [](DoneNode& node) noexcept { static_cast<DoneCallback&>(node).done_with(); }},
                            [](DoneCallbackCore& self) noexcept { static_cast<DoneCallback&>(self).callback.~F(); },
                            [](DoneCallbackCore& self) noexcept { delete static_cast<DoneCallback*>(&self); }};
};

template <class Handle, class F>
DoneCallbackHandle add_done_callback(FutureCore& core, F callback) {
  if constexpr (!std::is_invocable_v<F&, Handle&>) {
    static_assert(std::is_invocable_v<F&, Handle&>,
                  "eddy: a done callback is called with the future or task that is done: [](auto& done) { … }");
  } else {
    static_assert(!Awaitable<std::invoke_result_t<F&, Handle&>>,
                  "eddy: this callback makes a coroutine that nobody would await; let it create_task() the coroutine");
  }
  auto* node = new DoneCallback<Handle, F>(std::move(callback));
  node->attach(core);
  return DoneCallbackHandle(node);
}

}  // namespace eddy::detail
