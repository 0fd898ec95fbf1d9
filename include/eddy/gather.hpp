// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <eddy/detail/done_group.hpp>
#include <eddy/detail/site.hpp>
#include <eddy/futures.hpp>
#include <eddy/result.hpp>
#include <eddy/tasks.hpp>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace eddy {

struct ReturnExceptions {
  explicit ReturnExceptions() = default;
};
/// `gather(return_exceptions, …)`: each result is a Result, a value or the exception that came instead.
inline constexpr ReturnExceptions return_exceptions{};

namespace detail {

/// The value of a child that has one. Of a shared handle a copy, if it can be copied.
template <bool kShared, class Child>
auto child_value(Child& child) {
  using T = typename Child::value_type;
  if constexpr (std::is_void_v<T>) return std::monostate{};
  else if constexpr (kShared && std::is_copy_constructible_v<T>) return std::remove_cvref_t<T>(child.holder().get());
  else return std::remove_cvref_t<T>(take_from(child.holder()));
}

template <bool kShared, class Child>
auto child_result(Child& child) {
  using T = std::remove_cvref_t<typename Child::value_type>;
  FutureCore& core = child.core();
  if (core.state != FutureState::finished) {
    core.flags &= static_cast<std::uint8_t>(~kUnread);
    return Result<T>(core.failure());
  }
  if constexpr (std::is_void_v<T>) return Result<void>();
  else return Result<T>(child_value<kShared>(child));
}

/// The wait itself, for any number of children.
class GatherWait {
 public:
  GatherWait() noexcept = default;
  GatherWait(GatherWait&& other) noexcept : group_(std::exchange(other.group_, nullptr)) {}
  GatherWait& operator=(GatherWait&&) = delete;
  ~GatherWait() {
    if (group_) group_->leave();
  }

  void prepare(std::size_t members, bool as_results) {
    group_ = new DoneGroup(members, as_results ? DoneGroup::Until::all_done : DoneGroup::Until::first_failure, true);
  }
  void add(FutureCore& child) noexcept { group_->add(child); }
  bool wait(std::coroutine_handle<> where) { return group_->wait_owning(current_task_core(), where); }
  void finish() {
    if (!group_) return;
    group_->finish_wait();
    if (group_->failure()) std::rethrow_exception(group_->failure());
  }

 private:
  DoneGroup* group_ = nullptr;
};

template <bool kResults, class... A>
class [[nodiscard("co_await it")]] Gather {
 public:
  explicit Gather(A... inputs) : inputs_(std::move(inputs)...) {}

  bool await_ready() const noexcept { return sizeof...(A) == 0; }

  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> where) {
    start(site_of(where), std::index_sequence_for<A...>());
    return wait_.wait(where);
  }

  auto await_resume() {
    wait_.finish();
    return collect(std::index_sequence_for<A...>());
  }

 private:
  template <std::size_t... I>
  void start(Site site, std::index_sequence<I...>) {
    wait_.prepare(sizeof...(I), kResults);
    ((std::get<I>(children_) = child_of(std::move(std::get<I>(inputs_)), site)), ...);
    (wait_.add(std::get<I>(children_).core()), ...);
  }
  template <std::size_t... I>
  auto collect(std::index_sequence<I...>) {
    if constexpr (kResults) return std::tuple(child_result<kIsFutureLike<A>>(std::get<I>(children_))...);
    else if constexpr ((std::is_void_v<typename ChildOf<A>::value_type> && ...)) return;
    else return std::tuple(child_value<kIsFutureLike<A>>(std::get<I>(children_))...);
  }

  std::tuple<A...> inputs_;
  std::tuple<ChildOf<A>...> children_;
  GatherWait wait_;
};

template <bool kResults, class A>
class [[nodiscard("co_await it")]] GatherRange {
 public:
  explicit GatherRange(std::vector<A> inputs) : inputs_(std::move(inputs)) {}

  bool await_ready() const noexcept { return inputs_.empty(); }

  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> where) {
    wait_.prepare(inputs_.size(), kResults);
    children_.reserve(inputs_.size());
    const Site site = site_of(where);
    for (auto& input : inputs_) children_.push_back(child_of(std::move(input), site));
    for (auto& child : children_) wait_.add(child.core());
    return wait_.wait(where);
  }

  auto await_resume() {
    using Child = ChildOf<A>;
    wait_.finish();
    if constexpr (kResults) {
      std::vector<Result<std::remove_cvref_t<typename Child::value_type>>> results;
      results.reserve(children_.size());
      for (auto& child : children_) results.push_back(child_result<kIsFutureLike<A>>(child));
      return results;
    } else if constexpr (std::is_void_v<typename Child::value_type>) {
      return;
    } else {
      std::vector<std::remove_cvref_t<typename Child::value_type>> results;
      results.reserve(children_.size());
      for (auto& child : children_) results.push_back(child_value<kIsFutureLike<A>>(child));
      return results;
    }
  }

 private:
  std::vector<A> inputs_;
  std::vector<ChildOf<A>> children_;
  GatherWait wait_;
};

template <class R>
inline constexpr bool kIsVector = false;
template <class A>
inline constexpr bool kIsVector<std::vector<A>> = true;

template <class A>
consteval void explain_unless_awaitable() {
  if constexpr (!Awaitable<A>) explain_no_coroutine<A>();
}

}  // namespace detail

template <class... A>
  requires(!(detail::Awaitable<A> && ...) && !(std::is_same_v<std::remove_cvref_t<A>, ReturnExceptions> || ...) &&
           !(detail::kIsVector<std::remove_cvref_t<A>> && ...))
std::suspend_never gather(A&&...) {
  (detail::explain_unless_awaitable<A>(), ...);
  return {};
}

/// Runs awaitables side by side; gives their results in the order of the arguments, as a tuple
/// (std::monostate for void ones; nothing at all if all are void).
///
/// The first exception is thrown at once, while the others go on. Cancelling it cancels all of them, and
/// it ends when they have. Tasks and futures are waited for as they are; everything else becomes a task.
template <detail::Awaitable... A>
  requires(sizeof...(A) > 0)
auto gather(A&&... awaitables) {
  return detail::Gather<false, std::decay_t<A>...>(std::forward<A>(awaitables)...);
}
/// The same for exceptions as results: std::tuple<Result<T>…>.
template <detail::Awaitable... A>
auto gather(ReturnExceptions, A&&... awaitables) {
  return detail::Gather<true, std::decay_t<A>...>(std::forward<A>(awaitables)...);
}
/// The same for many of one kind: std::vector<T>, or nothing for void.
template <detail::Awaitable A>
auto gather(std::vector<A> awaitables) {
  return detail::GatherRange<false, A>(std::move(awaitables));
}
template <detail::Awaitable A>
auto gather(ReturnExceptions, std::vector<A> awaitables) {
  return detail::GatherRange<true, A>(std::move(awaitables));
}

}  // namespace eddy
