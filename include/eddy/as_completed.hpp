// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <eddy/detail/site.hpp>
#include <eddy/events.hpp>
#include <eddy/queues.hpp>
#include <eddy/timeouts.hpp>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace eddy {

/// Tasks as they end: `while (auto task = co_await completed.next()) use(task->result());`
template <class H>
class AsCompleted {
 public:
  AsCompleted(std::vector<H> futures, Duration timeout)
      : state_(std::make_shared<State>(futures.size())), deadline_(TimePoint::max()) {
    if (timeout < Duration::max()) deadline_ = get_running_loop().time() + std::chrono::nanoseconds(timeout);
    for (auto& future : futures) {
      state_->sources.pending.push_back(&future.core());
      future.add_done_callback(Ended(state_, state_->sources.pending.size() - 1));
    }
  }

  /// The next one that ended, or nothing when all were given. Does not throw what the task threw. Throws
  /// TimeoutError when the time given to as_completed() is over. May be called by several tasks.
  Coro<std::optional<H>> next() {
    auto state = state_;
    if (state->left == 0) co_return std::nullopt;
    --state->left;
    auto returned = GiveBack(*state);
    if (deadline_ == TimePoint::max()) {
      H done = co_await state->ended.get();
      returned.state = nullptr;
      co_return done;
    }
    H done = co_await timeout_at(deadline_, detail::coroutine_of<false>(state->ended.get()));
    returned.state = nullptr;
    co_return done;
  }

 private:
  struct State {
    explicit State(std::size_t count) noexcept : left(count) { ended.fed_by(sources); }
    Queue<H> ended;
    detail::QueueSources sources;
    std::size_t left;
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
      state->ended.put_nowait(done);
    }
    std::shared_ptr<State> state;
    std::size_t index;
  };
  // A next() that was cancelled or timed out has taken nothing.
  struct GiveBack {
    explicit GiveBack(State& s) noexcept : state(&s) {}
    ~GiveBack() {
      if (state) ++state->left;
    }
    State* state;
  };

  std::shared_ptr<State> state_;
  TimePoint deadline_;
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
