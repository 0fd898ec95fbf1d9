// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/clock.hpp>
#include <eddy/detail/done_group.hpp>
#include <eddy/detail/site.hpp>
#include <eddy/futures.hpp>
#include <eddy/tasks.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace eddy {

enum ReturnWhen { ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION };

struct WaitOptions {
  Duration timeout = Duration::max();  // then wait() returns with what is done; nothing is cancelled
  ReturnWhen return_when = ALL_COMPLETED;
};

/// What wait() gives, each in the order of its argument.
template <class H>
struct WaitSets {
  std::vector<H> done;
  std::vector<H> pending;
};

namespace detail {

[[noreturn]] void throw_wait_for_nothing();

inline DoneGroup::Until until_of(ReturnWhen when) noexcept {
  return when == ALL_COMPLETED     ? DoneGroup::Until::all_done
         : when == FIRST_COMPLETED ? DoneGroup::Until::first_done
                                   : DoneGroup::Until::first_exception;
}

template <class H>
class [[nodiscard("co_await it")]] Wait {
 public:
  Wait(std::vector<H> futures, WaitOptions options) : futures_(std::move(futures)), options_(options) {}
  Wait(Wait&& other) noexcept
      : futures_(std::move(other.futures_)), options_(other.options_), group_(std::exchange(other.group_, nullptr)) {}
  ~Wait() {
    if (group_) group_->leave();
  }

  bool await_ready() const {
    if (futures_.empty()) throw_wait_for_nothing();
    return false;  // as asyncio: it takes two turns even if everything is done
  }
  void await_suspend(std::coroutine_handle<> where) {
    group_ = new DoneGroup(futures_.size(), until_of(options_.return_when), false);
    for (auto& future : futures_) group_->add(future.core());
    group_->wait(current_task_core(), where, options_.timeout);
  }
  WaitSets<H> await_resume() {
    if (group_) group_->finish_wait();
    WaitSets<H> sets;
    for (auto& future : futures_) (future.done() ? sets.done : sets.pending).push_back(std::move(future));
    return sets;
  }

 private:
  std::vector<H> futures_;
  WaitOptions options_;
  DoneGroup* group_ = nullptr;
};

}  // namespace detail

/// Waits for tasks or futures: for all of them, for the first to end, or for the first exception.
///
/// Never throws what they throw, never cancels them, not when its timeout passes and not when it is
/// cancelled itself. Throws ValueError if there is nothing to wait for.
template <class H>
  requires detail::kIsFutureLike<H>
auto wait(std::vector<H> futures, WaitOptions options = {}) {
  return detail::Wait<H>(std::move(futures), options);
}
template <class A>
  requires(!detail::kIsFutureLike<A>)
auto wait(std::vector<A>, WaitOptions = {}) {
  static_assert(detail::kNever<A>, "eddy: wait() takes tasks and futures; make tasks of coroutines with create_task()");
}

namespace detail {

/// The untyped part of shield(): listens to the inner future, counted like a DoneGroup.
class ShieldCore;
ShieldCore* make_shield(FutureCore& inner);
void wait_shield(ShieldCore& shield, std::coroutine_handle<> where);
void finish_shield(ShieldCore& shield);  // throws if the wait was cancelled
void leave_shield(ShieldCore& shield) noexcept;

template <class A>
class [[nodiscard("co_await it")]] Shield {
 public:
  using Child = ChildOf<A>;
  using T = typename Child::value_type;

  explicit Shield(A inner) : inner_(std::move(inner)) {}
  Shield(Shield&& other) noexcept
      : inner_(std::move(other.inner_)), child_(std::move(other.child_)), core_(std::exchange(other.core_, nullptr)) {}
  ~Shield() {
    if (core_) leave_shield(*core_);
  }

  bool await_ready() noexcept {
    if constexpr (kIsFutureLike<A>) return inner_.done();
    else return false;
  }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> where) {
    child_ = child_of(std::move(inner_), site_of(where));
    core_ = make_shield(child_.core());
    wait_shield(*core_, where);
  }
  T await_resume() {
    if (core_) finish_shield(*core_);
    if constexpr (kIsFutureLike<A>) {
      if (!core_) child_ = std::move(inner_);
    }
    if (child_.core().state != FutureState::finished) child_.core().rethrow();
    if constexpr (std::is_void_v<T>) return;
    else if constexpr (kIsFutureLike<A> && std::is_copy_constructible_v<T>) return child_.holder().get();
    else return take_from(child_.holder());
  }

 private:
  A inner_;
  Child child_;
  ShieldCore* core_ = nullptr;
};

}  // namespace detail

/// Waits for something without passing a cancellation on to it: the task that awaits is cancelled, the
/// inner one goes on. What it throws after that is reported to the loop's exception handler.
///
/// Keep a handle of what must finish, or await it again after the CancelledError.
template <detail::Awaitable A>
auto shield(A&& awaitable) {
  return detail::Shield<std::decay_t<A>>(std::forward<A>(awaitable));
}

}  // namespace eddy
