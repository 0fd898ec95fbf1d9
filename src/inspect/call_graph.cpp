// SPDX-License-Identifier: MIT
// asyncio.graph: a task, where it stands, and who waits for it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <eddy/events.hpp>
#include <eddy/inspect.hpp>
#include <unordered_map>

#include "inspect/snapshot.hpp"
#include "loop/report.hpp"
#include "task/task_extra.hpp"

namespace eddy {
namespace {

using detail::FutureCore;
using detail::TaskCore;

// Who waits for whom, the wrong way round.
class Awaiters final : public detail::AwaitVisitor {
 public:
  explicit Awaiters(const detail::LoopCore& loop) {
    for (auto* node = loop.all_tasks.front(); node != loop.all_tasks.end(); node = node->next) {
      awaiter_ = &detail::task_in_list(*node);
      if (awaiter_->waiting() && awaiter_->WaitNode::ops->awaits)
        awaiter_->WaitNode::ops->awaits(*awaiter_, *this);
    }
  }
  void awaits(const FutureCore& future) override { of_[&future].push_back(awaiter_); }
  void held_by(const TaskCore&) override {}

  const std::vector<TaskCore*>& of(const TaskCore& task) const {
    static const std::vector<TaskCore*> none;
    const auto found = of_.find(static_cast<const FutureCore*>(&task));
    return found == of_.end() ? none : found->second;
  }

 private:
  TaskCore* awaiter_ = nullptr;
  std::unordered_map<const FutureCore*, std::vector<TaskCore*>> of_;
};

std::vector<FrameCallGraphEntry> stack_of(const TaskCore& task, int limit) {
  std::vector<FrameCallGraphEntry> stack;
  for (const auto& frame : detail::frames_of(task)) stack.push_back({frame.function, frame.file, frame.line});
  std::reverse(stack.begin(), stack.end());
  const auto size = static_cast<long long>(stack.size());
  if (limit >= 0 && limit < size)
    stack.resize(static_cast<std::size_t>(limit));
  else if (limit < 0 && -static_cast<long long>(limit) < size)
    stack.erase(stack.begin(), stack.end() + limit);
  return stack;
}

// `path`: the tasks above, which a circle of waits leads back to.
FutureCallGraph graph_of(TaskCore& task, const Awaiters& awaiters, int limit,
                         std::vector<const TaskCore*>& path) {
  FutureCallGraph graph{AnyTask::from_core(task), stack_of(task, limit), {}};
  constexpr std::size_t kLongestPath = 1000;
  if (path.size() == kLongestPath) return graph;
  path.push_back(&task);
  for (auto* awaiter : awaiters.of(task)) {
    if (std::find(path.begin(), path.end(), awaiter) != path.end()) continue;
    graph.awaited_by.push_back(graph_of(*awaiter, awaiters, limit, path));
  }
  path.pop_back();
  return graph;
}

void add_level(std::string& text, const FutureCallGraph& graph, int level) {
  const std::string indent(static_cast<std::size_t>(level) * 5, ' ');
  text += fmt::format("{}* Task(name='{}', id={})\n", indent, graph.future.name(),
                      fmt::ptr(&graph.future.core()));
  if (!graph.call_stack.empty()) text += indent + "  + Call stack:\n";
  for (const auto& frame : graph.call_stack) {
    text += fmt::format("{}  |   File '{}', line {}, in async {}()\n", indent, frame.file, frame.line,
                        frame.function);
  }
  if (!graph.awaited_by.empty()) text += indent + "  + Awaited by:\n";
  for (const auto& awaiter : graph.awaited_by) add_level(text, awaiter, level + 1);
}

}  // namespace

FutureCallGraph capture_call_graph(const AnyTask& task, CallGraphOptions options) {
  std::vector<const TaskCore*> path;
  return graph_of(task.core(), Awaiters(*task.core().loop), options.limit, path);
}
FutureCallGraph capture_call_graph() { return capture_call_graph(current_task()); }

std::string format_call_graph(const AnyTask& task, CallGraphOptions options) {
  std::string text;
  add_level(text, capture_call_graph(task, options), 0);
  return text;
}
void print_call_graph(const AnyTask& task, CallGraphOptions options) {
  std::fputs(format_call_graph(task, options).c_str(), stdout);
}

CallStack AnyTask::get_stack(int limit) const {
  CallStack stack;
  if (core_->done() && core_->extra) {  // where the exception came through
    const auto& unwound = core_->extra->unwound;
    const auto most = std::min(unwound.size(), static_cast<std::size_t>(std::max(limit, 0)));
    for (auto i = most; i-- > 0;) stack.push_back({unwound[i].function, unwound[i].file, static_cast<int>(unwound[i].line)});
    return stack;
  }
  auto frames = stack_of(*core_, limit);
  stack.assign(frames.rbegin(), frames.rend());
  return stack;
}

void AnyTask::print_stack(int limit) const {
  const auto stack = get_stack(limit);
  auto text = fmt::format("{} for task {}{}\n", stack.empty() ? "No stack" : "Stack",
                          detail::describe_task(*core_), stack.empty() ? "" : " (most recent await last):");
  for (const auto& frame : stack) {
    text += fmt::format("  File \"{}\", line {}, in {}\n", frame.file, frame.line, frame.function);
  }
  std::fputs(text.c_str(), stderr);
}

std::string format_task_tree() {
  return detail::render_tasks_as_tree(detail::snapshot_of(detail::Loop::running()).tasks);
}

}  // namespace eddy
