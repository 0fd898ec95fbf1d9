// SPDX-License-Identifier: MIT
#include "task/debugger_layout.hpp"

#include <cstring>
#include <eddy/coro.hpp>

#include "loop/loop.hpp"
#include "task/task_extra.hpp"

extern "C" {
[[gnu::used, gnu::visibility("default")]] eddy::detail::DebuggerTable eddy_debugger_table{};
}

namespace eddy::detail {
namespace {

// Storage that looks like an object: parts of it are named, nothing in it is read.
template <class T>
const T& shape_of() noexcept {
  alignas(T) static const char storage[sizeof(T)] = {};
  return *reinterpret_cast<const T*>(storage);
}

void add_task(DebuggerTable& table) noexcept {
  const auto& task = shape_of<TaskCore>();
  table.task_node = distance(task, static_cast<const TaskListNode&>(task));
  table.task_root = distance(task, task.root);
  table.task_state = distance(task, task.state);
  table.task_flags = distance(task, task.flags);
  table.task_resume_point = distance(task, task.resume_point);
  table.task_extra = distance(task, task.extra);
  table.task_ops = distance(task, task.WaitNode::ops);
  table.task_object = distance(task, task.object);
  table.is_task = kIsTask;
  table.is_waiting = kWaiting;
  table.extra_name = distance(shape_of<TaskExtra>(), shape_of<TaskExtra>().name);
  table.ops_kind = distance(shape_of<WaitOps>(), shape_of<WaitOps>().kind);
  table.done_target = distance(shape_of<DoneNode>(), shape_of<DoneNode>().target);
}

void add_promise(DebuggerTable& table) noexcept {
  const auto& promise = shape_of<PromiseBase>();
  table.promise = 2 * sizeof(void*);  // resume, destroy; results are not over-aligned
  table.continuation = distance(promise, promise.continuation);
  table.function = distance(promise, promise.function);
  table.file = distance(promise, promise.file);
  table.line = distance(promise, promise.line);
  table.created_line = distance(promise, promise.created_line);
  table.progress = distance(promise, promise.progress);
  table.foreign_parent = PromiseBase::kForeignParent;
  table.root_progress = static_cast<std::uint64_t>(Progress::root);
}

}  // namespace

void publish_layout(const List& loops, const Loop& loop) noexcept {
  auto& table = eddy_debugger_table;
  const auto& entry = loop.entry;
  table.loops = loops.end();
  table.loop_number = distance(static_cast<const ListNode&>(entry), entry.number);
  table.loop_thread = distance(static_cast<const ListNode&>(entry), entry.thread_id);
  // The list of tasks may stand before the entry: the difference is taken modulo 2^64.
  table.loop_tasks = distance(static_cast<const ListNode&>(entry), *loop.all_tasks.end());
  add_task(table);
  add_promise(table);
  DebuggerLayout::add_group(table);
  DebuggerLayout::add_task_group(table);
  DebuggerLayout::add_lock(table);
  table.words = sizeof table / 8;
  std::memcpy(table.magic, "EDDYGDB1", sizeof table.magic);
}

}  // namespace eddy::detail
