// SPDX-License-Identifier: MIT
// Attempts that start one after the other and race: Happy Eyeballs (RFC 8305), a second request when the first is slow.
#pragma once

#include <eddy/exceptions.hpp>
#include <eddy/locks.hpp>
#include <eddy/taskgroups.hpp>
#include <eddy/timeouts.hpp>

#include <deque>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace eddy {

/// What came of a staggered_race().
template <class T>
struct StaggeredResult {
  std::optional<T> value;               // empty: all failed
  std::size_t winner = 0;               // which function gave the value
  std::vector<std::exception_ptr> exceptions;  // of those that were started, in their order; null: not failed
};

namespace detail {

template <class F, class T>
class StaggeredRace {
 public:
  StaggeredRace(std::vector<F> functions, Duration delay) : functions_(std::move(functions)), delay_(delay) {}

  Coro<StaggeredResult<T>> run() {
    auto body = [this](TaskGroup& group) -> Coro<> { co_await start_all(group); };
    co_await task_group(body);
    co_return std::move(result_);
  }

 private:
  Coro<> start_all(TaskGroup& group) {
    for (std::size_t index = 0; index < functions_.size() && !result_.value; ++index) {
      result_.exceptions.emplace_back();
      auto& failed = failures_.emplace_back();
      group.create_task(attempt(group, index));
      if (delay_ == Duration::max()) {
        co_await failed.wait();
      } else {
        try {
          co_await timeout(delay_, wait_for_failure(failed));
        } catch (const TimeoutError&) {
          // It is slow: the next one starts beside it.
        }
      }
    }
  }
  static Coro<> wait_for_failure(Event& failed) { co_await failed.wait(); }

  Coro<> attempt(TaskGroup& group, std::size_t index) {
    try {
      T value = co_await functions_[index]();
      if (result_.value) co_return;  // too late, in the same turn
      result_.value.emplace(std::move(value));
      result_.winner = index;
      group.cancel();
    } catch (const BaseException&) {  // cancelled, or the program ends
      throw;
    } catch (...) {
      result_.exceptions[index] = std::current_exception();
      failures_[index].set();
    }
  }

  std::vector<F> functions_;
  Duration delay_;
  std::deque<Event> failures_;
  StaggeredResult<T> result_;
};

}  // namespace detail

/// Starts the coroutine functions one after the other: the next when the last one started has failed, or has taken
/// `delay`. The first that gives a value wins, and the others are cancelled and waited for. When all have failed, the
/// result has their exceptions and no value. Without a delay, each waits for the failure of the one before. Cancelling
/// it cancels them all. As `asyncio.staggered.staggered_race`.
template <class F>
auto staggered_race(std::vector<F> functions, std::optional<Duration> delay)
    -> Coro<StaggeredResult<detail::AwaitResult<std::invoke_result_t<F&>>>> {
  using T = detail::AwaitResult<std::invoke_result_t<F&>>;
  detail::StaggeredRace<F, T> race(std::move(functions), delay.value_or(Duration::max()));
  auto result = co_await race.run();
  co_return result;
}

}  // namespace eddy
