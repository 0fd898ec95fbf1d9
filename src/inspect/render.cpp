// SPDX-License-Identifier: MIT
// Snapshots as text: a table, a tree in the manner of CPython's `python -m asyncio pstree`, JSON.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <eddy/charset.hpp>
#include <eddy/exceptions.hpp>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/text.hpp"
#include "inspect/snapshot.hpp"

namespace eddy::detail {
namespace {

std::string place(const FrameCallGraphEntry& entry) {
  return fmt::format("{}:{}", file_name(entry.file), entry.line);
}

std::string head_of(const LoopSnapshot& loop) {
  auto text = fmt::format("loop {}, thread {}, {}: ", loop.number, loop.thread_id, loop.backend);
  if (loop.condition != "running") return text + loop.condition + '\n';
  return text + fmt::format("{} task{}, {:.0f} % busy\n", loop.tasks.size(),
                            loop.tasks.size() == 1 ? "" : "s", loop.metrics.busy_share() * 100);
}

std::string stuck_text(const LoopSnapshot& loop) {
  if (loop.stuck.length.count() == 0) return "";
  auto text = fmt::format("  it has been in this step for {} ms{}\n", loop.stuck.length.count() / 1'000'000,
                          loop.stuck.task.empty() ? "" : ": task " + loop.stuck.task);
  for (const auto& line : loop.stuck.stack) text += "    " + line + '\n';
  if (loop.stuck.stack.empty()) text += "    its thread took no signal, so its stack is not known\n";
  return text;
}

using Row = std::array<std::string, 6>;

std::string columns(const std::vector<Row>& rows) {
  std::array<std::size_t, 6> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < row.size(); ++i)
      line += fmt::format(" {:<{}}", row[i], i + 1 < row.size() ? widths[i] + 1 : 0);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return text;
}

// "2 of 2 futures: a, b". Of a wait for one task the text has its name already.
std::string wait_text(const TaskSnapshot& task,
                      const std::unordered_map<const void*, const TaskSnapshot*>& by_id) {
  constexpr std::size_t kMostNames = 4;
  if (task.awaits.empty() || task.waits_for.starts_with("task ")) return task.waits_for;
  std::string text = task.waits_for;
  for (std::size_t i = 0; i < task.awaits.size(); ++i) {
    if (i == kMostNames) return text + fmt::format(" and {} more", task.awaits.size() - i);
    const auto found = by_id.find(task.awaits[i]);
    text += fmt::format("{}{}", i == 0 ? ": " : ", ", found == by_id.end() ? "?" : found->second->name);
  }
  return text;
}

// One loop's tasks as trees. A task that several await is shown in full under the first of them.
class Tree {
 public:
  explicit Tree(const std::vector<TaskSnapshot>& tasks) {
    std::unordered_set<const void*> awaited;
    for (const auto& task : tasks) {
      by_id_.emplace(task.id, &task);
      awaited.insert(task.awaits.begin(), task.awaits.end());
    }
    for (const auto& task : tasks) {
      if (!awaited.contains(task.id)) roots_.push_back(&task);
    }
  }

  std::string draw() {
    for (const auto* root : roots_) add_task(*root, "", root == roots_.back(), 0);
    return std::move(text_);
  }

 private:
  static constexpr int kDeepest = 100;  // tasks that wait for tasks; deeper ones are left out

  void add_line(std::string& indent, bool last, std::string_view line) {
    text_ += fmt::format("{}{}{}\n", indent, last ? "└── " : "├── ", line);
    indent += last ? "    " : "│   ";
  }

  void add_task(const TaskSnapshot& task, std::string indent, bool last, int depth) {
    const bool first_time = shown_.insert(task.id).second;
    const bool waits = std::string_view(task.state) == "waiting";
    const char* note = !first_time ? " (shown above)" : depth > kDeepest ? " (and what it waits for)" : "";
    add_line(indent, last,
             fmt::format("(T) {}{}{}", task.name, waits ? "" : fmt::format(", {}", task.state), note));
    if (!first_time || depth > kDeepest) return;
    const auto middle = task.frames.size() / 2;
    for (std::size_t i = 0; i < task.frames.size(); ++i) {
      if (task.frames_left_out && i == middle)
        add_line(indent, true, fmt::format(" … {} more …", task.frames_left_out));
      add_line(indent, true, fmt::format(" {} {}", task.frames[i].function, place(task.frames[i])));
    }
    std::vector<const TaskSnapshot*> children;
    for (const auto* id : task.awaits) {
      if (const auto found = by_id_.find(id); found != by_id_.end()) children.push_back(found->second);
    }
    if (children.empty() && !task.waits_for.empty()) add_line(indent, true, "waits for " + task.waits_for);
    for (const auto* child : children) add_task(*child, indent, child == children.back(), depth + 1);
  }

  std::unordered_map<const void*, const TaskSnapshot*> by_id_;
  std::unordered_set<const void*> shown_;
  std::vector<const TaskSnapshot*> roots_;
  std::string text_;
};

// --- JSON -------------------------------------------------------------------------------------------

// What is no UTF-8 is replaced.
std::string quoted(std::string_view bytes) {
  std::string out = "\"";
  for (const char c : decode(bytes, "utf-8", OnError::replace)) {
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", c);
    else
      out += c;
  }
  return out + '"';
}
std::string id_text(const void* id) { return fmt::format("\"{}\"", id); }

template <class List, class F>
std::string array_of(const List& items, F one) {
  std::string text = "[";
  for (const auto& item : items) text += (text.size() > 1 ? ", " : "") + one(item);
  return text + "]";
}

std::string json_of(const FrameCallGraphEntry& frame) {
  return fmt::format(R"({{"function": {}, "file": {}, "line": {}}})", quoted(frame.function),
                     quoted(frame.file), frame.line);
}

std::string json_of(const TaskSnapshot& task) {
  return fmt::format(
      R"({{"id": {}, "name": {}, "state": {}, "coroutine": {}, "made_at": {{"file": {}, "line": {}}}, )"
      R"("frames": {}, "frames_left_out": {}, "waits_for": {}, "awaits": {}, "held_by": {}}})",
      id_text(task.id), quoted(task.name), quoted(task.state), quoted(task.made.function),
      quoted(task.made.file), task.made.line,
      array_of(task.frames, [](const auto& frame) { return json_of(frame); }), task.frames_left_out,
      task.waits_for.empty() ? "null" : quoted(task.waits_for), array_of(task.awaits, id_text),
      task.held_by ? id_text(task.held_by) : "null");
}

std::string json_of(const TimeHistogram& histogram) {
  return fmt::format(R"({{"count": {}, "p50": {}, "p99": {}, "longest": {}}})", histogram.count,
                     histogram.quantile(0.5).count(), histogram.quantile(0.99).count(),
                     histogram.longest.count());
}

std::string json_of(const LoopMetrics& m) {
  return fmt::format(
      R"({{"turns": {}, "polls": {}, "steps": {}, "callbacks": {}, "tasks_made": {}, "thread_hops": {}, )"
      R"("tasks": {}, "timers": {}, "descriptors": {}, "busy_ns": {}, "idle_ns": {}, "lag_ns": {}, )"
      R"("timer_lag_ns": {}}})",
      m.turns, m.polls, m.steps, m.callbacks, m.tasks_made, m.thread_hops, m.tasks, m.timers, m.descriptors,
      m.busy.count(), m.idle.count(), json_of(m.lag), json_of(m.timer_lag));
}

std::string json_of(const LoopSnapshot& loop) {
  const auto stuck =
      loop.stuck.length.count() == 0
          ? "null"
          : fmt::format(R"({{"for_ns": {}, "task": {}, "stack": {}}})", loop.stuck.length.count(),
                        loop.stuck.task.empty() ? "null" : quoted(loop.stuck.task),
                        array_of(loop.stuck.stack, quoted));
  return fmt::format(
      R"({{"number": {}, "thread": {}, "backend": {}, "condition": {}, "stuck": {}, "metrics": {}, "tasks": {}}})",
      loop.number, loop.thread_id, quoted(loop.backend), quoted(loop.condition), stuck,
      loop.condition == "running" ? json_of(loop.metrics) : "null",
      array_of(loop.tasks, [](const auto& task) { return json_of(task); }));
}

}  // namespace

std::string render_table(const std::vector<LoopSnapshot>& loops) {
  std::string text;
  for (const auto& loop : loops) {
    text += head_of(loop) + stuck_text(loop);
    if (loop.tasks.empty()) continue;
    std::unordered_map<const void*, const TaskSnapshot*> by_id;
    for (const auto& task : loop.tasks) by_id.emplace(task.id, &task);
    std::vector<Row> rows{{"ID", "NAME", "STATE", "COROUTINE", "MADE AT", "WAITS FOR"}};
    for (const auto& task : loop.tasks) {
      rows.push_back({fmt::format("{}", task.id), task.name, task.state, task.made.function, place(task.made),
                      wait_text(task, by_id)});
    }
    text += columns(rows);
  }
  return text.empty() ? "no event loop\n" : text;
}

std::string render_tasks_as_tree(const std::vector<TaskSnapshot>& tasks) {
  if (const auto cycles = cycles_in(tasks, false); !cycles.empty()) {
    std::string text = "tasks wait for each other in a circle, so they are no tree";
    for (const auto& cycle : cycles) text += "\n  " + cycle;
    throw RuntimeError(text);
  }
  return Tree(tasks).draw();
}

std::string render_tree(const std::vector<LoopSnapshot>& loops) {
  std::string text;
  for (const auto& loop : loops) text += head_of(loop) + stuck_text(loop) + render_tasks_as_tree(loop.tasks);
  return text.empty() ? "no event loop\n" : text;
}

std::string render_json(const std::vector<LoopSnapshot>& loops) {
  return fmt::format("{{\"pid\": {}, \"program\": {}, \"loops\": {}}}\n", ::getpid(),
                     quoted(program_invocation_name),
                     array_of(loops, [](const auto& loop) { return json_of(loop); }));
}

}  // namespace eddy::detail
