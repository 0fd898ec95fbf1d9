// SPDX-License-Identifier: MIT
// The untyped cores of futures and tasks, and how a task waits (for every header with an awaitable in it).
//
// A task waits for one thing at a time, so one wait node and one ready node, both inside the task, serve
// every primitive: nothing allocates in order to wait. Whoever makes a task wait fills the node with a
// table of what may be done about the wait (`WaitOps`); whoever ends it calls `wake()`, which puts the
// task onto the ready queue and runs nothing.
//
//                    create_task                 step                    root coroutine ends
//     (no task) ----------------> ready ------------------> running ---------------------> finished
//                                   ^                          |                            cancelled
//                                   |    wake()                | an awaiter suspends
//                                   '--------- waiting <-------'
#pragma once

#include <coroutine>
#include <cstdint>
#include <eddy/detail/cancelled.hpp>
#include <eddy/detail/frame_pool.hpp>
#include <eddy/detail/list.hpp>
#include <eddy/detail/references.hpp>
#include <exception>
#include <utility>

namespace eddy::detail {

struct ContextCore;
struct FutureCore;
struct DebuggerLayout;
struct LoopCore;
struct PromiseBase;
struct TaskCore;
struct TaskExtra;
class TaskFactory;
struct WaitNode;
class Text;

/// What became of the request to cancel a wait.
enum class CancelResult : std::uint8_t {
  accepted,  // the wait will end, and its await will throw CancelledError
  refused,   // the wait is over already: the task throws at its next step
  deferred,  // something else owns the wait's memory: it ends later, then the task throws
};

/// Told what a task waits for: the edges of the graph of awaits.
class AwaitVisitor {
 public:
  virtual void awaits(const FutureCore& future) = 0;
  virtual void held_by(const TaskCore& owner) = 0;  // of a lock: the task that has it

 protected:
  ~AwaitVisitor() = default;
};

/// What can be done about a kind of wait. One static table a kind.
struct WaitOps {
  CancelResult (*cancel)(TaskCore&) noexcept;
  void (*detach)(TaskCore&) noexcept;              // the task is destroyed: leave every list
  void (*describe)(const TaskCore&, Text&);        // "lock 0x…, held by task 'x'"
  void (*expire)(WaitNode&) noexcept = nullptr;    // the timer that this node is has come
  void (*awaits)(const TaskCore&, AwaitVisitor&) = nullptr;  // who can end the wait: futures, tasks
  const char* kind = nullptr;  // "sleep", "lock", …: for debuggers, which can call no function
  bool never_fails = false;                        // only other tasks end it: fail_everywhere() leaves it alone
};

/// A place in somebody's list of waiters, or in the timers: a task's, a callback's.
struct WaitNode : ListNode {
  const WaitOps* ops = nullptr;  // null: a callback's node, a DoneNode
  union {
    void* object = nullptr;  // what is waited for
    FutureCore* target;      // a DoneNode's: counted from the time the node is in the ready queue
    std::int64_t when;       // a timer's deadline on the loop's clock, ns
  };
};

enum class FutureState : std::uint8_t { pending, finished, failed, cancelled };

enum FutureFlags : std::uint8_t {
  kIsTask = 1,
  kUnread = 2,         // failed, and nobody has looked at the exception
  kWaiting = 4,        // the task is suspended and nobody has woken it
  kMustCancel = 8,     // raise CancelledError at the next step; uncancel() may take it back
  kWaitCancelled = 16, // the wait was cancelled: its await raises, come what may
  kContinue = 32,      // the step goes on with resume_point when the stack is back at the loop
  kQuiet = 64,         // somebody else reports this one's exception
};

struct FutureOps {
  void (*destroy)(FutureCore&) noexcept;
  void (*collect)(TaskCore&) noexcept;  // takes the result out of the root coroutine
};

/// State that is waited for. Tasks and futures hold it by counted handles; it belongs to one loop.
struct FutureCore {
  LoopCore* loop;
  Ring waiters;  // in order of arrival: they are woken in that order
  union {
    void* root;                  // of a pending task: its coroutine
    std::exception_ptr error;    // of a failed one, or of a cancelled one with a message
  };
  const FutureOps* ops;
  std::uint32_t references = 1;
  FutureState state = FutureState::pending;
  std::uint8_t flags = 0;
  std::uint16_t cancel_requests = 0;

  FutureCore(LoopCore* owner, const FutureOps* table) noexcept : loop(owner), root(nullptr), ops(table) {}
  FutureCore(const FutureCore&) = delete;
  FutureCore& operator=(const FutureCore&) = delete;
  ~FutureCore() {
    if (state == FutureState::failed || state == FutureState::cancelled) error.~exception_ptr();
  }

  bool done() const noexcept { return state != FutureState::pending; }
  bool cancelled() const noexcept { return state == FutureState::cancelled; }
  bool is_task() const noexcept { return (flags & kIsTask) != 0; }

  /// Ends it and wakes who waits: onto the ready queue, in order.
  void finish_with_value() noexcept { finish(FutureState::finished); }
  void finish_with_error(std::exception_ptr reason) noexcept;
  void finish_cancelled(std::exception_ptr message) noexcept;

  /// Of a future or of a task. False if it is done.
  bool cancel(std::exception_ptr message) noexcept;

  /// Throws what a failed or cancelled one holds; marks it as seen. In place: a function between would be one more frame
  /// to unwind.
  [[noreturn, gnu::always_inline]] inline void rethrow() { std::rethrow_exception(error_to_throw()); }
  /// What rethrow() would throw, or null; does not mark.
  std::exception_ptr failure() const noexcept;
  void throw_unless_done() const;
  /// Throws InvalidStateError; RuntimeError if who waits belongs to a loop that runs on another thread.
  void throw_if_done(const char* operation) const;

  void add_waiter(WaitNode& node) noexcept { waiters.push_back(node); }

  /// Futures are counted atomically, because callbacks for other threads keep them; tasks are not. A TaskCore knows that.
  void retain() noexcept {
    if (is_task()) ++references;
    else add_reference(references);
  }
  void release() noexcept {
    if (is_task() ? --references == 0 : drop_reference(references)) destroy();
  }
  void destroy() noexcept {
    if ((flags & kUnread) || !waiters.empty()) [[unlikely]] let_go();
    ops->destroy(*this);
  }

 protected:
  void finish(FutureState how) noexcept {
    state = how;
    if (!waiters.empty()) tell_waiters();
  }

 private:
  std::exception_ptr error_to_throw();
  void tell_waiters() noexcept;
  void let_go() noexcept;
};

struct DoneNode;

/// What a future does with a kind of DoneNode. One static table a kind.
struct DoneOps {
  void (*call)(ReadyNode&, Dispatch) noexcept;  // it is done
  void (*drop)(DoneNode&) noexcept;             // it died undone
  /// Asked at the future's end, unless null, whether the node has to be called at all.
  bool (*wants_call)(DoneNode&, FutureState) noexcept = nullptr;
};

/// A callback's place among the waiters of a future, and in the ready queue once it is due.
struct DoneNode : WaitNode, ReadyNode {
  const DoneOps* done_ops;

  explicit DoneNode(const DoneOps& table) noexcept : done_ops(&table) { run = table.call; }

  /// Calls it through the ready queue when `future` is done; at the next turn if it is done already.
  void attach(FutureCore& future) noexcept {
    target = &future;
    if (future.done()) [[unlikely]] attach_to_done();
    else future.add_waiter(*this);
  }
  /// Leaves the list of a pending future.
  void detach() noexcept {
    if (is_linked()) target->waiters.remove(*this);
  }

 private:
  void attach_to_done() noexcept;
};

/// A task's place among its loop's tasks.
struct TaskListNode : ListNode {};

/// A coroutine scheduled on a loop.
struct TaskCore : FutureCore, ReadyNode, WaitNode, TaskListNode {
  std::coroutine_handle<> resume_point;  // the innermost suspended coroutine; null while running
  TaskExtra* extra = nullptr;  // name, cancel message; where it was made once its coroutine is gone

  TaskCore(LoopCore* owner, const FutureOps* table, std::coroutine_handle<> root_frame) noexcept;
  ~TaskCore() {
    if (extra) [[unlikely]] drop_extra();
  }

  void retain() noexcept { ++references; }
  void release() noexcept {
    if (--references == 0) destroy();
  }

  static void step(ReadyNode& node, Dispatch how) noexcept;
  /// The same, for a task that has not started: so the loop need not look whether one that it knows by step() has.
  static void begin(ReadyNode& node, Dispatch how) noexcept;
  /// A step that nobody is told of.
  inline void run_step() noexcept;
  /// The same, of a task that has not started.
  inline void start() noexcept;
  /// The same, of a task that has.
  inline void resume() noexcept;
  /// The first step, at once, inside the task that makes this one.
  void start_eagerly() noexcept;

  bool started() const noexcept { return run != &TaskCore::begin; }
  bool waiting() const noexcept { return (flags & kWaiting) != 0; }
  bool must_throw() const noexcept { return (flags & (kMustCancel | kWaitCancelled)) != 0; }

  /// Suspends the running task until wake(). Call once what must not fail is behind.
  void wait(std::coroutine_handle<> where, const WaitOps& how, void* what) noexcept {
    resume_point = where;
    WaitNode::ops = &how;
    object = what;
    flags |= kWaiting;
  }

  /// Passes a cancellation on to what the task waits for, tasks or a group: `call()`. Meanwhile the task does not
  /// count as waiting, so that a ring of tasks that await each other is gone round once.
  template <class F>
  auto pass_on_cancellation(F call) noexcept {
    flags &= static_cast<std::uint8_t>(~kWaiting);
    const auto result = call();
    flags |= kWaiting;
    return result;
  }

  /// Onto the ready queue, if it waits.
  inline void wake() noexcept;
  /// wake() for a wait that was cancelled.
  void wake_cancelled() noexcept {
    flags |= kWaitCancelled;
    wake();
  }

  /// First line of every await_resume of a wait that a cancellation can end.
  void throw_if_cancelled() {
    if (must_throw()) [[unlikely]] throw_cancelled();
  }
  // The throw is inline: each frame that an exception leaves costs some 200 ns.
  [[noreturn, gnu::always_inline]] void throw_cancelled() {
    throw_reason();
    throw CancelledError();
  }
  /// Clears a pending cancellation and gives its exception.
  std::exception_ptr take_cancellation() noexcept;

  bool cancel_task(std::exception_ptr message) noexcept;
  std::uint16_t uncancel() noexcept;

  /// Leaves whatever it waits in, then destroys the suspended coroutines.
  void abandon() noexcept;

 private:
  void throw_reason();
  void drop_extra() noexcept;
  void go_on() noexcept;
  void run_watched_step() noexcept;
  void end_unstarted() noexcept;
};

/// Told of tasks, when somebody wants to know: instruments, debug mode.
struct TaskHooks {
  virtual ~TaskHooks() = default;
  virtual void made(TaskCore& task) noexcept = 0;
  virtual void ended(TaskCore& task) noexcept = 0;
  virtual void before_step(TaskCore& task) noexcept = 0;
  virtual void after_step(TaskCore& task) noexcept = 0;
};

/// What inline code needs of a loop.
struct LoopCore {
  ReadyQueue ready;
  List all_tasks;
  const TaskFactory* task_factory = nullptr;  // null: none
  bool starts_are_special = false;            // for the factory, for the hooks: what create_task() has to look at
  List async_generators;  // that have been started and have not ended, in order of their start
  bool async_generators_shut = false;
  TaskHooks* hooks = nullptr;  // null: nobody wants to know
  // Since the loop was made. Most nodes are steps, and those are counted as nodes alone.
  std::uint64_t nodes_run = 0;     // of the ready queue: callbacks and steps
  std::uint64_t others_run = 0;    // of those, what the loop did not know to be a step
  std::uint64_t steps_called = 0;  // by those
  std::uint64_t eager_steps = 0;   // inside another step
  std::uint64_t tasks_made = 0, tasks_ended = 0;

  /// Those that have ended.
  std::uint64_t steps() const noexcept { return nodes_run - others_run + steps_called + eager_steps; }
  std::size_t task_count() const noexcept { return tasks_made - tasks_ended; }
};

/// What runs on this thread.
struct ThreadState {
  LoopCore* loop = nullptr;
  TaskCore* task = nullptr;
  ContextCore* context = nullptr;     // outside of tasks; null: empty
};
// Few bytes, looked at by every step: never through a call, as code of a shared library would else look at them.
extern constinit thread_local ThreadState this_thread;
// Below it, a coroutine's child starts from the loop. Apart, so that a look at it is one instruction.
extern constinit thread_local std::uintptr_t stack_floor;

// The address of a local takes no frame pointer, but AddressSanitizer may keep locals elsewhere.
[[gnu::always_inline]] inline bool stack_is_short() noexcept {
#if EDDY_POOLS
  char here;
  return reinterpret_cast<std::uintptr_t>(&here) < stack_floor;
#else
  return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) < stack_floor;
#endif
}

[[noreturn]] void throw_no_task();
[[noreturn]] void throw_no_loop();

/// The running task. Throws RuntimeError outside of one.
inline TaskCore& current_task_core() {
  if (auto* task = this_thread.task) [[likely]] return *task;
  throw_no_task();
}
inline LoopCore& running_loop_core() {
  if (auto* loop = this_thread.loop) [[likely]] return *loop;
  throw_no_loop();
}

inline void TaskCore::wake() noexcept {
  if (!waiting()) return;
  flags &= static_cast<std::uint8_t>(~kWaiting);
  loop->ready.push(*this);
}

/// Throws RuntimeError if `loop` runs on another thread than this.
void check_loop_thread(const LoopCore& loop);
/// Throws RuntimeError if the loop of the tasks that wait in `waiters` runs on another thread: before one is woken.
template <class Waiters>
void check_thread(const Waiters& waiters);

inline TaskCore& task_in_list(ListNode& node) noexcept {
  return static_cast<TaskCore&>(static_cast<TaskListNode&>(node));
}
inline TaskCore& task_of(WaitNode& node) noexcept { return static_cast<TaskCore&>(node); }
inline TaskCore& task_of(ListNode& node) noexcept { return static_cast<TaskCore&>(static_cast<WaitNode&>(node)); }

template <class Waiters>
void check_thread(const Waiters& waiters) {
  if (waiters.empty()) return;
  const auto* loop = task_of(*waiters.front()).loop;
  if (loop != this_thread.loop) [[unlikely]] check_loop_thread(*loop);
}

}  // namespace eddy::detail
