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
      future.add_done_callback([state = state_](H& done) { state->ended.put_nowait(done); });
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
    explicit State(std::size_t count) noexcept : left(count) {}
    Queue<H> ended;
    std::size_t left;
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
