// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/race.hpp>

namespace eddy::detail {

void throw_race_of_none() { throw ValueError("a race of nothing has no winner; give race() one awaitable or more"); }

void RaceCore::add(FutureCore& racer) { racers_.push_back(AnyFuture{&racer}); }

Coro<std::size_t> RaceCore::run() {
  std::exception_ptr cancellation;
  try {
    co_await DoneWait::of(DoneGroup::Until::first_done, racers_);
  } catch (...) {  // a cancellation; or a sweep's failure, which must not leave racers behind either
    cancellation = std::current_exception();
  }
  std::size_t winner = 0;
  if (!cancellation) {
    while (!racers_[winner].future->done()) ++winner;
  }
  co_await end_all_but(cancellation ? nullptr : racers_[winner].future);
  if (cancellation) std::rethrow_exception(cancellation);
  throw_losers_errors(*racers_[winner].future);
  co_return winner;
}

Coro<> RaceCore::end_all_but(const FutureCore* winner) {
  for (auto& racer : racers_) {
    if (racer.future != winner) racer.future->cancel(nullptr);
  }
  std::exception_ptr cancellation;
  for (auto& racer : racers_) {
    try {
      co_await await_end(*racer.future);
    } catch (...) {
      cancellation = std::current_exception();
    }
  }
  if (cancellation) std::rethrow_exception(cancellation);
}

void RaceCore::throw_losers_errors(const FutureCore& winner) {
  std::vector<std::exception_ptr> errors;
  bool losers_failed = false;
  for (auto& racer : racers_) {
    auto& future = *racer.future;
    if (future.state != FutureState::failed) continue;
    losers_failed = losers_failed || &future != &winner;
    errors.push_back(future.failure());
  }
  if (!losers_failed) return;
  for (auto& racer : racers_) racer.future->flags &= static_cast<std::uint8_t>(~kUnread);
  throw ExceptionGroup("unhandled errors in a race", std::move(errors));
}

}  // namespace eddy::detail
