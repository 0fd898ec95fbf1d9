// SPDX-License-Identifier: MIT
// What is known of a loop's tasks at one moment, copied: whoever has it may print it at leisure, on any
// thread.
#pragma once

#include <eddy/inspect.hpp>
#include <eddy/metrics.hpp>
#include <string>
#include <vector>

#include "loop/loop.hpp"

namespace eddy::detail {

struct TaskSnapshot {
  const void* id = nullptr;  // its address
  std::string name;
  const char* state = "";
  FrameCallGraphEntry made;                 // its coroutine, and where the task was made
  std::vector<FrameCallGraphEntry> frames;  // outermost first
  std::size_t frames_left_out = 0;          // of the middle, behind the first half of `frames`
  std::string waits_for;                    // "" unless it waits
  std::vector<const void*> awaits;          // tasks
  const void* held_by = nullptr;            // the task that has the lock it waits for
};

/// Why a loop did not answer.
struct StuckLoop {
  Duration length;                 // how long it has been in the step, at least; 0: it is not stuck
  std::string task;                // "" if it runs none
  std::vector<std::string> stack;  // native; empty if the thread took no signal
};

struct LoopSnapshot {
  std::uint64_t number = 0;
  int thread_id = 0;
  std::string backend;
  std::string condition;  // "running", "not running", "stuck", "gone"
  StuckLoop stuck;
  std::vector<TaskSnapshot> tasks;
  LoopMetrics metrics;
};

/// On the loop's thread.
LoopSnapshot snapshot_of(Loop& loop);
TaskSnapshot snapshot_of(TaskCore& task);

/// "'a' -> 'b' -> 'a'", one for each circle of tasks that wait for each other; with `locks`, also through the
/// locks that they hold.
std::vector<std::string> cycles_in(const std::vector<TaskSnapshot>& tasks, bool locks);

// render.cpp
std::string render_table(const std::vector<LoopSnapshot>& loops);
/// Throws RuntimeError if there is a circle.
std::string render_tree(const std::vector<LoopSnapshot>& loops);
std::string render_tasks_as_tree(const std::vector<TaskSnapshot>& tasks);
std::string render_json(const std::vector<LoopSnapshot>& loops);

}  // namespace eddy::detail
