// SPDX-License-Identifier: MIT
#include "inspect/snapshot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/text.hpp"
#include "loop/report.hpp"
#include "task/task_extra.hpp"

namespace eddy::detail {
namespace {

constexpr std::size_t kMostFrames = 64;

class EdgeList final : public AwaitVisitor {
 public:
  explicit EdgeList(TaskSnapshot& task) noexcept : task_(task) {}
  void awaits(const FutureCore& future) override {
    if (future.is_task()) task_.awaits.push_back(static_cast<const TaskCore*>(&future));
  }
  void held_by(const TaskCore& owner) override { task_.held_by = &owner; }

 private:
  TaskSnapshot& task_;
};

// Depth first, without recursion: chains of tasks may be long.
class CycleSearch {
 public:
  CycleSearch(const std::vector<TaskSnapshot>& tasks, bool locks)
      : tasks_(tasks), locks_(locks), colors_(tasks.size()) {
    for (std::size_t i = 0; i < tasks.size(); ++i) indices_.emplace(tasks[i].id, i);
  }
  std::vector<std::string> run() {
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      if (colors_[i] == Color::white) visit(i);
    }
    return std::move(cycles_);
  }

 private:
  enum class Color : unsigned char { white, on_path, done };
  struct Stop {
    std::size_t task;
    std::size_t next_edge;
  };

  std::vector<std::size_t> edges_of(std::size_t index) const {
    std::vector<std::size_t> found;
    auto add = [&](const void* id) {
      if (const auto it = indices_.find(id); it != indices_.end()) found.push_back(it->second);
    };
    for (const auto* id : tasks_[index].awaits) add(id);
    if (locks_ && tasks_[index].held_by) add(tasks_[index].held_by);
    return found;
  }

  void visit(std::size_t start) {
    path_.assign(1, {start, 0});
    colors_[start] = Color::on_path;
    while (!path_.empty()) {
      const auto edges = edges_of(path_.back().task);
      if (path_.back().next_edge == edges.size()) {
        colors_[path_.back().task] = Color::done;
        path_.pop_back();
        continue;
      }
      const auto next = edges[path_.back().next_edge++];
      if (colors_[next] == Color::on_path) note_cycle(next);
      if (colors_[next] != Color::white) continue;
      colors_[next] = Color::on_path;
      path_.push_back({next, 0});
    }
  }

  void note_cycle(std::size_t first) {
    std::string text;
    bool inside = false;
    for (const auto& stop : path_) {
      inside = inside || stop.task == first;
      if (inside) text += fmt::format("'{}' -> ", tasks_[stop.task].name);
    }
    cycles_.push_back(text + fmt::format("'{}'", tasks_[first].name));
  }

  const std::vector<TaskSnapshot>& tasks_;
  const bool locks_;
  std::unordered_map<const void*, std::size_t> indices_;
  std::vector<Color> colors_;
  std::vector<Stop> path_;
  std::vector<std::string> cycles_;
};

FrameCallGraphEntry entry_of(const SourceLine& line) {
  return {line.function ? line.function : "?", line.file, line.line};
}

}  // namespace

TaskSnapshot snapshot_of(TaskCore& task) {
  TaskSnapshot now;
  now.id = &task;
  now.name = name_of(task);
  now.state = state_of(task);
  now.made = entry_of(origin_of(task));
  auto frames = frames_of(task);
  if (frames.size() > kMostFrames) {
    now.frames_left_out = frames.size() - kMostFrames;
    const auto middle = frames.begin() + kMostFrames / 2;
    frames.erase(middle, middle + static_cast<std::ptrdiff_t>(now.frames_left_out));
  }
  for (const auto& frame : frames) now.frames.push_back(entry_of(frame));
  if (!task.waiting()) return now;
  const auto& ops = *task.WaitNode::ops;
  Text text;
  if (ops.describe) ops.describe(task, text);
  now.waits_for = text.str();
  EdgeList edges(now);
  if (ops.awaits) ops.awaits(task, edges);
  return now;
}

LoopSnapshot snapshot_of(Loop& loop) {
  LoopSnapshot now;
  now.number = loop.number();
  now.thread_id = loop.thread_id();
  now.backend = loop.backend->name();
  now.condition = "running";
  now.tasks.reserve(loop.task_count());
  for (auto* node = loop.all_tasks.front(); node != loop.all_tasks.end(); node = node->next) {
    now.tasks.push_back(snapshot_of(task_in_list(*node)));
  }
  now.metrics = loop.metrics();
  return now;
}

std::vector<std::string> cycles_in(const std::vector<TaskSnapshot>& tasks, bool locks) {
  return CycleSearch(tasks, locks).run();
}

std::string describe_deadlock(Loop& loop) {
  auto text = fmt::format("deadlock: {} task{} and nothing is left that could wake {}", loop.task_count(),
                          loop.task_count() == 1 ? " waits" : "s wait", loop.task_count() == 1 ? "it" : "them");
  for (auto* node = loop.all_tasks.front(); node != loop.all_tasks.end(); node = node->next) {
    text += "\n  " + describe_await_chain(task_in_list(*node));
  }
  for (const auto& cycle : cycles_in(snapshot_of(loop).tasks, true)) text += "\n  in a circle: " + cycle;
  return text;
}

}  // namespace eddy::detail
