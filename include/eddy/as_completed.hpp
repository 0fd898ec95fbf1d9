// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <eddy/detail/site.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/events.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/queues.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace eddy {

/// Tasks as they end: `while (auto task = co_await completed.next()) use(task->result());`
template <class H>
class AsCompleted {
 public:
  AsCompleted(std::vector<H> futures, Duration timeout) : state_(std::make_shared<State>(futures.size())) {
    for (auto& future : futures) {
      state_->sources.pending.push_back(&future.core());
      future.add_done_callback(Ended(state_, state_->sources.pending.size() - 1));
    }
    if (futures.empty() || timeout >= Duration::max()) return;
    state_->timer = get_running_loop().call_later(timeout, [state = state_] { state->time_is_up(); });
    clock_ = std::make_shared<Clock>(state_->timer);
  }

  /// The next one that ended, or nothing when all were given. Does not throw what the task threw. Throws
  /// TimeoutError once for each that has not ended when the time given to as_completed() is over. May be called
  /// by several tasks.
  Coro<std::optional<H>> next() {
    const AsCompleted self = *this;
    auto& state = *self.state_;
    if (state.left == 0) co_return std::nullopt;
    --state.left;
    GiveBack taken(state);
    std::optional<H> done = co_await state.ended.get();
    taken.state = nullptr;
    if (!done) throw TimeoutError("as_completed: the time is over");
    co_return done;
  }

 private:
  struct State {
    explicit State(std::size_t count) noexcept : left(count), running(count) { ended.fed_by(sources); }
    void one_ended(const H& future) {
      if (is_over) return;
      ended.put_nowait(future);
      if (--running == 0) timer.cancel();
    }
    // Whoever asks for one of those that still run gets the end of time.
    void time_is_up() {
      is_over = true;
      for (; running > 0; --running) ended.put_nowait(std::nullopt);
    }

    Queue<std::optional<H>> ended;
    detail::QueueSources sources;
    std::size_t left;     // to be asked for
    std::size_t running;  // not heard of
    bool is_over = false;
    TimerHandle timer;  // its callback holds this state until it has run or is cancelled
  };
  // Called when a future ends, destroyed at the latest with it.
  struct Ended {
    Ended(std::shared_ptr<State> s, std::size_t i) noexcept : state(std::move(s)), index(i) {}
    Ended(Ended&&) noexcept = default;
    ~Ended() {
      if (state) state->sources.pending[index] = nullptr;
    }
    void operator()(H& done) {
      state->sources.pending[index] = nullptr;
      state->one_ended(done);
    }
    std::shared_ptr<State> state;
    std::size_t index;
  };
  // The timer goes with the last that could ask for what it tells.
  struct Clock {
    explicit Clock(TimerHandle handle) noexcept : timer(std::move(handle)) {}
    ~Clock() { timer.cancel(); }
    TimerHandle timer;
  };
  // A next() that was cancelled has taken nothing.
  struct GiveBack {
    explicit GiveBack(State& s) noexcept : state(&s) {}
    ~GiveBack() {
      if (state) ++state->left;
    }
    State* state;
  };

  std::shared_ptr<State> state_;
  std::shared_ptr<Clock> clock_;  // null: no timeout
};

/// Starts the coroutines (tasks and futures are taken as they are) and gives them in the order in which
/// they end. `timeout`: for all of them together.
template <detail::Awaitable A>
auto as_completed(std::vector<A> awaitables, Duration timeout = Duration::max(), const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  std::vector<detail::ChildOf<A>> children;
  children.reserve(awaitables.size());
  for (auto& awaitable : awaitables) children.push_back(detail::child_of(std::move(awaitable), {file, line}));
  return AsCompleted<detail::ChildOf<A>>(std::move(children), timeout);
}

}  // namespace eddy
