// SPDX-License-Identifier: MIT
// What co_yield does in both kinds of generator (for generators.hpp and async_generators.hpp).
//
// A value that is yielded stays where it is, in the generator's frame, until the generator goes on; only its
// address travels. `Core` is the untyped half of the promise.
#pragma once

#include <concepts>
#include <coroutine>
#include <eddy/detail/await.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace eddy {

namespace detail {

/// How a value of `Y` goes from the generator to its consumer.
template <class Y>
struct Yielded {
  using Value = std::remove_cvref_t<Y>;
  using Reference = std::conditional_t<std::is_reference_v<Y>, Y, Y&>;
  using Pointer = std::remove_reference_t<Y>*;
  /// What next() gives: a value or nothing; of `T&`, a pointer or null.
  using Next = std::conditional_t<std::is_lvalue_reference_v<Y>, Pointer, std::optional<Value>>;

  static Reference at(void* address) noexcept {
    return static_cast<Reference>(*static_cast<Pointer>(address));
  }
  static Next take(void* address) {
    if constexpr (std::is_lvalue_reference_v<Y>)
      return static_cast<Pointer>(address);
    else
      return Next(std::move(*static_cast<Pointer>(address)));
  }
  static Next nothing() noexcept { return Next{}; }
};

/// What send() takes; of a generator that is sent nothing, something that nobody can make.
struct Unsendable {
  Unsendable() = delete;
};
template <class S>
using Sendable = std::conditional_t<std::is_void_v<S>, Unsendable, S>;

template <class T>
void* address_of(T& object) noexcept {
  return const_cast<void*>(static_cast<const volatile void*>(__builtin_addressof(object)));
}

/// The generator goes on after a co_yield: with an exception that was thrown into it, or with what was sent.
template <class S, class Core>
S resume_yield(Core& core) {
  if (core.injected) [[unlikely]]
    std::rethrow_exception(std::exchange(core.injected, nullptr));
  void* const sent = std::exchange(core.sent_value(), nullptr);
  if constexpr (!std::is_void_v<S>) {
    if (sent) return std::move(*static_cast<S*>(sent));
    return S{};
  }
}

template <class Core, class S>
class ValueYield {
 public:
  explicit ValueYield(Core& core) noexcept : core_(&core) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) const noexcept { core_->stand_at_yield(); }
  S await_resume() const { return resume_yield<S>(*core_); }

 private:
  Core* core_;
};

/// Keeps a copy of what was yielded, which the consumer may change or move away.
template <class Core, class S, class V>
class CopyYield {
 public:
  CopyYield(Core& core, const V& value) : core_(&core), value_(value) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) noexcept {
    core_->yielded_value() = address_of(value_);
    core_->stand_at_yield();
  }
  S await_resume() const { return resume_yield<S>(*core_); }

 private:
  Core* core_;
  V value_;
};

/// The yield_value() of a generator of `Y` that is sent `S`.
template <class Core, class Y, class S>
struct YieldPromise : Core {
  static_assert(std::is_reference_v<Y> || std::is_object_v<Y>, "eddy: a generator has to yield something");
  static_assert(std::is_void_v<S> || std::default_initializable<S>,
                "eddy: co_yield gives Send{} after next(): what is sent needs a default");

  ValueYield<Core, S> yield_value(std::conditional_t<std::is_reference_v<Y>, Y, Y&&> value,
                                  int at = __builtin_LINE()) noexcept {
    this->stands_in_line(at);
    this->yielded_value() = address_of(value);
    return ValueYield<Core, S>(*this);
  }
  auto yield_value(const std::remove_reference_t<Y>& value,
                   int at = __builtin_LINE()) requires(!std::is_lvalue_reference_v<Y> &&
                                                       std::copy_constructible<std::remove_cvref_t<Y>>) {
    this->stands_in_line(at);
    return CopyYield<Core, S, std::remove_cvref_t<Y>>(*this, value);
  }
};

}  // namespace detail
}  // namespace eddy
