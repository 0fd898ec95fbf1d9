// SPDX-License-Identifier: MIT
// Threads that can be told to stop: `to_thread()` of functions that take a std::stop_token first. Apart from threads.hpp,
// because <stop_token> is as long to compile as a tenth of eddy.hpp.
#pragma once

#include <eddy/threads.hpp>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

namespace eddy::detail {

template <class F, class... Args>
struct StoppableCall {
  explicit StoppableCall(F f, Args... args) : function(std::move(f)), arguments(std::move(args)...) {}
  decltype(auto) operator()() {
    const auto call = [this](auto&... args) -> decltype(auto) {
      return function(stop.get_token(), std::move(args)...);
    };
    return std::apply(call, arguments);
  }

  F function;
  std::tuple<Args...> arguments;
  std::stop_source stop;
};

/// `co_await to_thread([](std::stop_token stop, int n) { … }, 5)`: the token is asked to stop when the wait is cancelled.
/// The token's callbacks run on the loop's thread.
template <class F, class... Args>
  requires std::is_invocable_v<F&, std::stop_token, Args&&...>
struct CallWithToken<F, Args...> {
  using type = StoppableCall<F, Args...>;
};

}  // namespace eddy::detail
