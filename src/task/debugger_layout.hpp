// SPDX-License-Identifier: MIT
// Where things stand in memory, for a debugger that has nothing but a symbol: share/eddy-gdb.py reads it from
// a stopped process or a core file, also of a program without debug information.
#pragma once

#include <cstdint>

namespace eddy::detail {

/// The order is the script's: new words at the end.
struct DebuggerTable {
  char magic[8];                                       // "EDDYGDB1"
  std::uint64_t words;                                 // of 8 bytes, with these two
  const void* loops;                                   // the list of loops: a ListNode
  std::uint64_t loop_number, loop_thread, loop_tasks;  // from a loop's ListNode
  std::uint64_t task_node;                             // of the list of tasks, in a task
  std::uint64_t task_root, task_state, task_flags;     // in a task
  std::uint64_t task_resume_point, task_extra, task_ops, task_object;
  std::uint64_t is_task, is_waiting;  // bits of the flags
  std::uint64_t extra_name;           // a std::string
  std::uint64_t promise;              // in a coroutine's frame
  std::uint64_t continuation, function, file, line, created_line, progress;  // in a promise
  std::uint64_t foreign_parent;  // bits of the continuation
  std::uint64_t root_progress;  // the value of a root's progress
  std::uint64_t ops_kind;
  std::uint64_t group_members, group_count, group_stride, done_target;
  std::uint64_t task_group_members, task_group_link, task_group_task;
  std::uint64_t lock_owner;
};

/// A friend of who has something to tell.
struct DebuggerLayout {
  static void add_group(DebuggerTable& table) noexcept;
  static void add_task_group(DebuggerTable& table) noexcept;
  static void add_lock(DebuggerTable& table) noexcept;
};

/// How far a base or member is into an object. Objects that are no standard layout have no offsetof.
template <class Whole, class Part>
std::uint64_t distance(const Whole& whole, const Part& part) noexcept {
  return static_cast<std::uint64_t>(reinterpret_cast<const char*>(&part) -
                                    reinterpret_cast<const char*>(&whole));
}

}  // namespace eddy::detail
