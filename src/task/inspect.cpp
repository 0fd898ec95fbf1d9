// SPDX-License-Identifier: MIT
// What a person reads of tasks: who waits where, and for what.
#include <eddy/coro.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/inspect.hpp>
#include <fmt/format.h>

#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "base/text.hpp"
#include "loop/loop.hpp"
#include "loop/report.hpp"
#include "task/task_extra.hpp"

namespace eddy::detail {
namespace {

std::string type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : type.name();
}

const PromiseBase& promise_at(void* frame) noexcept {
  return std::coroutine_handle<PromiseBase>::from_address(frame).promise();
}

}  // namespace

std::vector<SourceLine> frames_of(const TaskCore& task) {
  std::vector<SourceLine> frames;
  if (task.done()) return frames;
  void* frame = task.resume_point ? task.resume_point.address() : task.root;
  while (frame) {
    const auto& promise = promise_at(frame);
    frames.push_back({promise.function, promise.file, static_cast<int>(promise.line)});
    if (promise.progress == Progress::root || !promise.parent_is_eddy()) break;
    frame = promise.parent().address();
  }
  std::reverse(frames.begin(), frames.end());
  return frames;
}

const char* state_of(const TaskCore& task) noexcept {
  if (task.done()) return task.cancelled() ? "cancelled" : task.state == FutureState::failed ? "failed" : "finished";
  if (&task == this_thread.task) return "running";
  return task.waiting() ? "waiting" : "ready";
}

SourceLine origin_of(const TaskCore& task) noexcept {
  if (task.done()) {
    if (!task.extra || !task.extra->function) return {};
    return {task.extra->function, task.extra->file, task.extra->line};
  }
  const auto& promise = promise_at(task.root);
  const auto* file = static_cast<const char*>(promise.continuation);
  if (file && *file) return {promise.function, file, promise.created_line};
  return {promise.function, promise.file, static_cast<int>(promise.line)};
}

const std::string& name_of(TaskCore& task) {
  static std::uint64_t numbers = 0;
  auto& extra = extra_of(task);
  const NameChange change;
  if (extra.name.empty()) extra.name = fmt::format("Task-{}", __atomic_add_fetch(&numbers, 1, __ATOMIC_RELAXED));
  return extra.name;
}

std::string describe_task(const TaskCore& task) {
  const auto& name = name_of(const_cast<TaskCore&>(task));
  const auto made = origin_of(task);
  if (!made.function) return fmt::format("'{}'", name);
  return fmt::format("'{}' ({}, made at {}:{})", name, made.function, file_name(made.file), made.line);
}

std::string describe_await_chain(const TaskCore& task) {
  Text text;
  text.add("task {}: {}", describe_task(task), state_of(task));
  if (task.done()) return text.str();
  for (const auto& frame : frames_of(task)) {
    text.add("\n    {}  {}:{}", frame.function, file_name(frame.file), frame.line);
  }
  if (task.waiting() && task.WaitNode::ops->describe) {
    text.add("\n      waits for ");
    task.WaitNode::ops->describe(task, text);
  }
  return text.str();
}

std::string describe_maker(const TaskCore& task) {
  if (!task.extra || !task.extra->made_by) return "";
  std::string text = "\n  made by";
  for (const auto& line : task.extra->made_by->lines()) text += "\n    " + line;
  return text;
}

const void* address_of(const std::exception_ptr& error) noexcept {
  static_assert(sizeof(std::exception_ptr) == sizeof(void*), "libstdc++: a pointer to the exception object");
  const void* address = nullptr;
  std::memcpy(&address, &error, sizeof address);
  return address;
}

std::string describe_unwinding(const TaskCore& task, const std::exception_ptr& error) {
  if (!task.extra || task.extra->unwound_by != address_of(error)) return "";
  Text text;
  const auto& frames = task.extra->unwound;
  for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
    text.add("\n    {}  {}:{}", frame->function, file_name(frame->file), frame->line);
  }
  return text.str();
}

std::string describe_exception(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return fmt::format("{}: {}", type_name(typeid(e)), e.what());
  } catch (const CancelledError& e) {
    return *e.message() ? fmt::format("eddy::CancelledError: {}", e.message()) : "eddy::CancelledError";
  } catch (...) {
    const auto* type = abi::__cxa_current_exception_type();
    return type ? type_name(*type) : "an exception of unknown type";
  }
}

}  // namespace eddy::detail

namespace eddy {

std::string format_tasks() {
  std::string text;
  auto& all = detail::running_loop_core().all_tasks;
  for (auto* node = all.front(); node != all.end(); node = node->next) {
    text += detail::describe_await_chain(detail::task_in_list(*node)) + '\n';
  }
  return text;
}

void print_tasks() { std::fputs(format_tasks().c_str(), stderr); }

}  // namespace eddy
