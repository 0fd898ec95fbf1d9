// SPDX-License-Identifier: MIT
// Concurrency with a bound, results in order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <eddy/coro.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/taskgroups.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace eddy::crawl {

namespace detail {

template <class Inputs, class F>
using MappedValue = eddy::detail::AwaitValue<
    std::invoke_result_t<F&, const typename Inputs::value_type&>>;

/// Takes the next input until there is none.
template <class Inputs, class F, class R>
Coro<> map_inputs(const Inputs& inputs, F& function, std::size_t& next, std::vector<std::optional<R>>& results) {
  while (next < inputs.size()) {
    const std::size_t i = next++;
    results[i].emplace(co_await function(inputs[i]));
  }
}

}  // namespace detail

/// Calls `function(input)`, a coroutine, for each input, at most `limit` at a time (0 counts as 1), in their
/// order; gives the results in the order of the inputs, however long each took.
///
///     auto chapters = co_await crawl::map_ordered(urls, 3, fetch_chapter);
///
/// `inputs` is a vector or the like. The first exception cancels the rest and is thrown.
template <class Inputs, class F>
Coro<std::vector<detail::MappedValue<Inputs, F>>> map_ordered(Inputs inputs, std::size_t limit, F function) {
  using R = detail::MappedValue<Inputs, F>;
  std::vector<std::optional<R>> results(inputs.size());
  std::size_t next = 0;
  std::exception_ptr error;
  try {
    co_await task_group([&](TaskGroup& group) -> Coro<> {
      const auto workers = std::min(std::max<std::size_t>(limit, 1), inputs.size());
      for (std::size_t i = 0; i < workers; ++i) {
        group.create_task(detail::map_inputs<Inputs, F, R>(inputs, function, next, results));
      }
      co_return;
    });
  } catch (const ExceptionGroup& group) {
    error = group.exceptions().front();
  }
  if (error) std::rethrow_exception(error);
  std::vector<R> values;
  values.reserve(results.size());
  for (auto& result : results) values.push_back(std::move(*result));
  co_return values;
}

}  // namespace eddy::crawl
