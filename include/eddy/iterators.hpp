// SPDX-License-Identifier: MIT
// What can be iterated: Python's collections.abc for types, and the iterator protocol for classes.
#pragma once

#include <cstddef>
#include <eddy/detail/await.hpp>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

namespace eddy {

namespace detail {

/// A value or nothing: what next() gives.
template <class T>
concept MaybeValue = requires(T& maybe) {
  static_cast<bool>(maybe);
  *maybe;
};

}  // namespace detail

/// Has `next()`, which gives a value, or nothing at the end and ever after: Python's Iterator.
template <class T>
concept iterator_like = requires(T& it) {
  { it.next() } -> detail::MaybeValue;
};

/// What a for loop takes, or an iterator: Python's Iterable.
template <class T>
concept iterable = iterator_like<T> || requires(T& range) {
  std::ranges::begin(range);
  std::ranges::end(range);
};

/// An iterator into which one may throw, and which may be closed: Python's Generator.
template <class T>
concept generator_like = iterator_like<T> && requires(T& it, std::exception_ptr error) {
  { it.throw_(error) } -> detail::MaybeValue;
  it.close();
};

/// Has `next()` to be awaited, which gives a value, or nothing at the end: Python's AsyncIterator.
template <class T>
concept async_iterable = requires(T& it) {
  requires detail::Awaitable<decltype(it.next())>;
  requires detail::MaybeValue<std::remove_reference_t<detail::AwaitResult<decltype(it.next())>>>;
};

/// Makes a range of a class with `next()`:
///
///     struct Countdown : Iterator<Countdown> {
///       int left;
///       std::optional<int> next() { return left > 0 ? std::optional(left--) : std::nullopt; }
///     };
///     for (int n : Countdown{{}, 3}) …   // 3 2 1
///
/// It is an input range: one pass, and the object must outlive the loop's iterators.
template <class Derived>
class Iterator {
 public:
  class iterator;

  auto begin() { return iterator(static_cast<Derived&>(*this)); }
  std::default_sentinel_t end() const noexcept { return {}; }
};

template <class Derived>
class Iterator<Derived>::iterator {
  using Next = decltype(std::declval<Derived&>().next());

 public:
  using value_type = std::remove_cvref_t<decltype(*std::declval<Next&>())>;
  using difference_type = std::ptrdiff_t;

  explicit iterator(Derived& source) : source_(&source), current_(source.next()) {}

  value_type& operator*() const noexcept { return *current_; }
  iterator& operator++() {
    current_ = source_->next();
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept { return !it.current_; }

 private:
  Derived* source_;
  mutable Next current_;
};

}  // namespace eddy
