// SPDX-License-Identifier: MIT
// Looking inside: what every task of a program waits for, in the program itself and from a shell beside it.
#pragma once

#include <eddy/clock.hpp>
#include <eddy/tasks.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace eddy {

/// Every task of the running loop: name, state, where it was made, its chain of awaits by function and
/// file:line, and what it waits for. Costs nothing until it is called.
///
///     task 'Task-2' (fetch, made at main.cpp:31): waiting
///         fetch  main.cpp:14
///         read_page  main.cpp:9
///           waits for sleep, 1.5s left
std::string format_tasks();
/// The same, to stderr. `loop.add_signal_handler(SIGUSR2, eddy::print_tasks)` prints it on demand.
void print_tasks();

/// The same tasks as a tree: under each task the frames of its coroutines, under the innermost one the tasks
/// that it waits for. Throws RuntimeError, with the names, if tasks wait for each other in a circle.
///
///     └── (T) main
///         └──  serve server.cpp:31
///             ├── (T) reader
///             │   └──  read_all server.cpp:14
///             │       └── waits for bytes from 127.0.0.1:40112 (descriptor 7)
///             └── (T) ticker …
std::string format_task_tree();

/// One suspended coroutine: where it stands.
struct FrameCallGraphEntry {
  const char* function = "";
  const char* file = "";
  int line = 0;  // of the await at which it stands
};

/// A task, where it stands, and who waits for it: `asyncio.FutureCallGraph`.
struct FutureCallGraph {
  AnyTask future;
  std::vector<FrameCallGraphEntry> call_stack;  // innermost first. Of a running task: its outermost alone
  std::vector<FutureCallGraph> awaited_by;
};

/// How many frames of each task: 0 none, n > 0 the innermost n, n < 0 the outermost n.
struct CallGraphOptions {
  int limit = 0x7fffffff;
};

/// The call graph of `task`, and of those that wait for it, and so on. O(tasks of the loop).
FutureCallGraph capture_call_graph(const AnyTask& task, CallGraphOptions options = {});
/// Of the running task. Throws RuntimeError outside of one.
FutureCallGraph capture_call_graph();

/// The graph as CPython 3.14 prints it; `print_call_graph` prints to stdout.
///
///     * Task(name='leaf', id=0x7f3c14000b60)
///       + Call stack:
///       |   File 'main.cpp', line 9, in async leaf()
///       + Awaited by:
///          * Task(name='main', id=0x7f3c14000c00)
std::string format_call_graph(const AnyTask& task, CallGraphOptions options = {});
void print_call_graph(const AnyTask& task, CallGraphOptions options = {});

/// What `task.get_stack()` gives: its suspended coroutines, outermost first.
struct CallStack : std::vector<FrameCallGraphEntry> {};

namespace inspect {

struct ServeOptions {
  Duration slow_step = std::chrono::milliseconds(100);  // report steps that block a loop for longer; 0: none
};

/// Opens this process to `eddy ps`, `eddy pstree` and `eddy metrics`, until stop() or its end. Only this user
/// and root can look: the socket lies in $XDG_RUNTIME_DIR/eddy or /tmp/eddy-UID, a directory of mode 0700,
/// and checks who connects. A thread answers, so that it answers even while a loop is stuck.
///
/// The same is done by EDDY_INSPECT=1 in the environment, or RunOptions::inspect. Calling it twice does
/// nothing, in a fork it opens the child. Throws OSError or RuntimeError if the directory is not safe.
void serve(ServeOptions options = {});
void stop() noexcept;
/// Where this process listens; "" if it does not.
std::string socket_path();

/// One process that this user can look into.
struct Process {
  int pid = 0;
  std::string program;
};
/// Those that answer, by number. Removes the sockets that dead ones left behind.
std::vector<Process> processes();

/// What a process is asked for.
enum class Report {
  table,    // a line a task
  tree,     // who awaits whom
  metrics,  // OpenMetrics text
  json,     // all of it
};
/// Of this process, from any thread, also from a task; served or not. Waits up to 200 ms, and 3 s at most, for each
/// of its loops but the one that runs on the calling thread.
std::string report(Report kind);
/// Asks a process. Throws ProcessLookupError if there is none, OSError if it cannot be looked into,
/// TimeoutError if it does not answer, RuntimeError with what it answered instead.
std::string report_of(int pid, Report report, Duration timeout = std::chrono::seconds(5));

/// Switches the debug mode of all loops of a process.
void set_debug_of(int pid, bool on, Duration timeout = std::chrono::seconds(5));

}  // namespace inspect
}  // namespace eddy
