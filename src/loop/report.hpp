// SPDX-License-Identifier: MIT
// What a person reads of tasks. The bodies stand with the coroutines, in task/inspect.cpp.
#pragma once

#include <exception>
#include <string>

namespace eddy::detail {

class Loop;
struct TaskCore;

/// "'Task-3' (fetch, made at main.cpp:12)".
std::string describe_task(const TaskCore& task);
/// The task, its chain of awaits, innermost last, and what it waits for: several lines.
std::string describe_await_chain(const TaskCore& task);
std::string describe_deadlock(Loop& loop);
/// In debug mode the native stack of who made it, as further lines; else "".
std::string describe_maker(const TaskCore& task);
/// Tells exceptions apart.
const void* address_of(const std::exception_ptr& error) noexcept;
/// The task's coroutines that the exception came through, outermost first, as further lines; or "".
std::string describe_unwinding(const TaskCore& task, const std::exception_ptr& error);
/// The text of an exception: its type and what().
std::string describe_exception(const std::exception_ptr& error);
/// KeyboardInterrupt and SystemExit leave the loop's run, wherever they were thrown.
bool ends_the_loop(const std::exception_ptr& error) noexcept;

}  // namespace eddy::detail
