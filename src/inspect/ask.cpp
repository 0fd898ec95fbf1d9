// SPDX-License-Identifier: MIT
#include "inspect/ask.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <eddy/events.hpp>
#include <memory>
#include <mutex>
#include <thread>

#include "inspect/sample.hpp"
#include "inspect/watchdog.hpp"

namespace eddy::detail {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPatience{200};

// An answer on its way. Held by who asks and by the question in the loop's inbox.
struct Answer {
  std::mutex mutex;
  std::condition_variable came;
  bool is_there = false;
  LoopSnapshot snapshot;

  void give(LoopSnapshot now) {
    const std::lock_guard lock(mutex);
    snapshot = std::move(now);
    is_there = true;
    came.notify_one();
  }
  bool wait_until(Clock::time_point when) {
    std::unique_lock lock(mutex);
    return came.wait_until(lock, when, [this] { return is_there; });
  }
};

struct Question final : ReadyNode {
  Question(Loop& asked, std::shared_ptr<Answer> where) : loop(asked), answer(std::move(where)) {
    run = &come;
  }
  Loop& loop;
  std::shared_ptr<Answer> answer;

  static void come(ReadyNode& node, Dispatch how) noexcept {
    const std::unique_ptr<Question> self(static_cast<Question*>(&node));
    try {
      LoopSnapshot now;
      if (how == Dispatch::run)
        now = snapshot_of(self->loop);
      else
        now.condition = "gone";
      self->answer->give(std::move(now));
    } catch (...) {  // out of memory: no answer
    }
  }
};

struct DebugSwitch final : ReadyNode {
  DebugSwitch(Loop& asked, bool value) : loop(asked), on(value) { run = &come; }
  Loop& loop;
  bool on;
  static void come(ReadyNode& node, Dispatch how) noexcept {
    const std::unique_ptr<DebugSwitch> self(static_cast<DebugSwitch*>(&node));
    if (how == Dispatch::run) self->loop.facade->set_debug(self->on);
  }
};

// A loop that runs nowhere cannot answer: it would do so when it runs again.
struct Asked {
  std::uint64_t number;
  std::shared_ptr<Answer> answer;  // null: not asked
  LoopSnapshot unasked;
};

std::vector<Asked> ask_each() {
  std::vector<Asked> asked;
  const LoopsLock lock;
  for (Loop* loop = lock.first(); loop; loop = lock.after(*loop)) {
    Asked one{loop->number(), nullptr, {}};
    one.unasked.number = loop->number();
    one.unasked.backend = loop->backend->name();
    one.unasked.condition = "not running";
    if (static_cast<LoopCore*>(loop) == this_thread.loop) {
      one.unasked = snapshot_of(*loop);
    } else if (loop->thread_id() != 0) {
      one.answer = std::make_shared<Answer>();
      try {
        loop->post(*new Question(*loop, one.answer));
      } catch (...) {
        continue;  // closed meanwhile
      }
    }
    asked.push_back(std::move(one));
  }
  return asked;
}

LoopSnapshot sample_of(Loop& loop, std::uint64_t progress, Clock::duration length) {
  LoopSnapshot now;
  now.number = loop.number();
  now.thread_id = loop.thread_id();
  now.backend = loop.backend->name();
  now.condition = "stuck";
  now.stuck.length = std::max(Duration(std::chrono::nanoseconds(length)), time_in_step(loop, progress));
  if (auto sample = sample_step(loop, progress)) {
    now.stuck.task = std::move(sample->task);
    now.stuck.stack = std::move(sample->stack);
  }
  return now;
}

// A loop that did not answer: in one step all the time, or busy beyond measure.
bool look_at_silent(const Asked& one, std::uint64_t progress, Clock::time_point since, LoopSnapshot& found) {
  const LoopsLock lock;
  for (Loop* loop = lock.first(); loop; loop = lock.after(*loop)) {
    if (loop->number() != one.number || loop->progress() != progress || loop->thread_id() == 0) continue;
    found = sample_of(*loop, progress, Clock::now() - since);
    return true;
  }
  return false;
}

std::uint64_t progress_of(std::uint64_t number) {
  const LoopsLock lock;
  for (Loop* loop = lock.first(); loop; loop = lock.after(*loop)) {
    if (loop->number() == number) return loop->progress();
  }
  return 0;
}

LoopSnapshot answer_of(Asked& one, Clock::time_point asked_at) {
  constexpr std::chrono::seconds kLongest{3};
  if (!one.answer) return std::move(one.unasked);
  auto progress = progress_of(one.number);
  auto since = asked_at;
  auto until = asked_at + kPatience;
  while (!one.answer->wait_until(until)) {
    LoopSnapshot found;
    if (look_at_silent(one, progress, since, found)) return found;
    // It goes on, and has not come to the question: a new stretch of patience.
    if (Clock::now() - asked_at > kLongest) {
      one.unasked.condition = "busy: it did not come to answer in 3 s";
      return std::move(one.unasked);
    }
    progress = progress_of(one.number);
    since = Clock::now();
    until = since + kPatience;
  }
  return std::move(one.answer->snapshot);
}

}  // namespace

std::vector<LoopSnapshot> ask_all_loops() {
  const auto asked_at = Clock::now();
  auto asked = ask_each();
  std::vector<LoopSnapshot> loops;
  for (auto& one : asked) {
    auto loop = answer_of(one, asked_at);
    if (loop.condition != "gone") loops.push_back(std::move(loop));
  }
  return loops;
}

void set_debug_of_all_loops(bool on) {
  const LoopsLock lock;
  for (Loop* loop = lock.first(); loop; loop = lock.after(*loop)) {
    try {
      loop->post(*new DebugSwitch(*loop, on));
    } catch (...) {  // closed meanwhile
    }
  }
}

}  // namespace eddy::detail
