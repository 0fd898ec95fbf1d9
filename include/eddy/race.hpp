// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <eddy/detail/done_group.hpp>
#include <eddy/detail/site.hpp>
#include <eddy/taskgroups.hpp>
#include <eddy/tasks.hpp>
#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace eddy {

/// Who won a race of many of one kind, and with what.
template <class T>
struct RaceResult {
  std::size_t index;
  T value;
};

namespace detail {

[[noreturn]] void throw_race_of_none();

/// The untyped part: waits for the first to end, cancels the others, waits for their end.
class RaceCore {
 public:
  void add(FutureCore& racer);
  Coro<std::size_t> run();

 private:
  struct AnyFuture {
    FutureCore* future;
    FutureCore& core() const noexcept { return *future; }
  };
  Coro<> end_all_but(const FutureCore* winner);
  void throw_losers_errors(const FutureCore& winner);

  std::vector<AnyFuture> racers_;
};

template <class Child>
auto race_value(Child& child) {
  static_cast<void>(child.result());
  using T = typename Child::value_type;
  if constexpr (std::is_void_v<T>) return std::monostate{};
  else return std::remove_cvref_t<T>(take_from(child.holder()));
}

template <class Variant, std::size_t I = 0, class Children>
Variant winner_of(Children& children, std::size_t index) {
  if constexpr (I + 1 < std::tuple_size_v<Children>) {
    if (index != I) return winner_of<Variant, I + 1>(children, index);
  }
  return Variant(std::in_place_index<I>, race_value(std::get<I>(children)));
}

template <class A>
using RaceValue = decltype(race_value(std::declval<ChildOf<A>&>()));

template <class... A>
Coro<std::variant<RaceValue<A>...>> race_of(A... racers) {
  auto children = std::tuple<ChildOf<A>...>(child_of(std::move(racers), Site{})...);
  RaceCore core;
  std::apply([&core](auto&... child) { (core.add(child.core()), ...); }, children);
  const std::size_t winner = co_await core.run();
  co_return winner_of<std::variant<RaceValue<A>...>>(children, winner);
}

template <class A>
Coro<RaceResult<RaceValue<A>>> race_of_many(std::vector<A> racers) {
  if (racers.empty()) throw_race_of_none();
  std::vector<ChildOf<A>> children;
  children.reserve(racers.size());
  for (auto& racer : racers) children.push_back(child_of(std::move(racer), Site{}));
  RaceCore core;
  for (auto& child : children) core.add(child.core());
  const std::size_t winner = co_await core.run();
  co_return RaceResult<RaceValue<A>>{winner, race_value(children[winner])};
}

}  // namespace detail

/// Runs awaitables side by side until the first ends; gives its value as a std::variant by place
/// (std::monostate for void), or throws what it threw.
///
/// The others are cancelled, and have ended before this returns. If one of them throws while it cleans up,
/// nothing is lost: all errors come as an ExceptionGroup. Of several that end in the same turn, the first in
/// order wins.
template <detail::Awaitable... A>
  requires(sizeof...(A) > 0)
auto race(A&&... racers) {
  return detail::race_of<std::decay_t<A>...>(std::forward<A>(racers)...);
}
/// The same for many of one kind: a RaceResult. Throws ValueError for none.
template <detail::Awaitable A>
auto race(std::vector<A> racers) {
  return detail::race_of_many<A>(std::move(racers));
}

}  // namespace eddy
