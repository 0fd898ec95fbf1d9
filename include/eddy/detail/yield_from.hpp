// SPDX-License-Identifier: MIT
// What `co_yield from(x)` does with what is not a generator of the same kind, and with one that is (for
// generators.hpp, which includes it at its end).
#pragma once

#include <eddy/generators.hpp>

namespace eddy::detail {

[[noreturn]] void throw_sent_to_range();

/// Something of which only the address is yielded: it stays where it is until the generator goes on.
template <class Y>
class RangeItem {
 public:
  static constexpr bool kIsRangeItem = true;
  explicit RangeItem(std::remove_reference_t<Y>& item) noexcept : item_(address_of(item)) {}

  RangeItem yielded_by(GeneratorCore& core) noexcept {
    core_ = &core;
    core.yielded_value() = item_;
    return *this;
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  /// Nothing can be sent to it.
  void await_resume() const {
    if (take_sent()) throw_sent_to_range();
  }

 protected:
  void* take_sent() const {
    void* const sent = core_->sent_value();
    resume_yield<void>(*core_);
    return sent;
  }

 private:
  void* item_;
  GeneratorCore* core_ = nullptr;
};

/// The same where the co_yield gives what was sent, or nothing.
template <class Y, class S>
class SentItem : public RangeItem<Y> {
 public:
  explicit SentItem(std::remove_reference_t<Y>& item) noexcept : RangeItem<Y>(item) {}
  SentItem yielded_by(GeneratorCore& core) noexcept {
    RangeItem<Y>::yielded_by(core);
    return *this;
  }
  std::optional<S> await_resume() const {
    if (void* sent = this->take_sent()) return std::optional<S>(std::move(*static_cast<S*>(sent)));
    return std::nullopt;
  }
};

template <class Item, class Y>
inline constexpr bool kYieldsInPlace =
    std::is_reference_v<Y>&& std::convertible_to<std::remove_reference_t<Item>*, std::remove_reference_t<Y>*>;

template <class Y, class S, class Range>
Generator<Y, S> over_range(Range range) {
  for (auto&& item : range) {
    using Item = decltype(item);
    if constexpr (kYieldsInPlace<Item, Y>) {
      co_yield RangeItem<Y>(item);
    } else {
      std::remove_cvref_t<Y> copy(static_cast<Item>(item));
      co_yield RangeItem<Y>(copy);
    }
  }
}

template <class It>
struct ReturnOf {
  using type = void;
};
template <class It>
requires requires(It& it) { it.result(); }
struct ReturnOf<It> {
  using type = std::remove_cvref_t<decltype(std::declval<It&>().result())>;
};

/// PEP 380 by hand, for what has next() and perhaps send(), throw_(), close() and result().
template <class Y, class S, class It>
Generator<Y, S, typename ReturnOf<std::remove_reference_t<It>>::type> over_iterator(It iterator) {
  using Plain = std::remove_reference_t<It>;
  constexpr bool kSends =
      !std::is_void_v<S> && requires(Plain & it, std::conditional_t<std::is_void_v<S>, int, S> v) {
    it.send(v);
  };
  constexpr bool kThrows = requires(Plain & it, std::exception_ptr e) { it.throw_(e); };
  using Item = std::conditional_t<kSends, SentItem<Y, std::conditional_t<kSends, S, int>>, RangeItem<Y>>;
  auto value = iterator.next();
  while (value) {
    using Value = std::remove_reference_t<decltype(*value)>;
    constexpr bool kInPlace = kYieldsInPlace<Value, Y>;
    std::conditional_t<kInPlace, Value&, std::remove_cvref_t<Y>> item(
        static_cast<std::conditional_t<kInPlace, Value&, Value&&>>(*value));
    std::exception_ptr thrown;
    std::conditional_t<kSends, std::optional<std::conditional_t<kSends, S, int>>, std::nullopt_t> sent(
        std::nullopt);
    try {
      if constexpr (kSends) {
        auto given = co_yield Item(item);  // g++ 12: in a template, a co_yield can only initialise
        sent = std::move(given);
      } else {
        co_yield Item(item);
      }
    } catch (const GeneratorExit&) {
      if constexpr (requires { iterator.close(); }) iterator.close();
      throw;
    } catch (...) {
      if constexpr (!kThrows) throw;
      thrown = std::current_exception();
    }
    if constexpr (kThrows) {
      if (thrown) {
        value = iterator.throw_(std::move(thrown));
        continue;
      }
    }
    if constexpr (kSends) {
      if (sent) {
        value = iterator.send(*std::move(sent));
        continue;
      }
    }
    value = iterator.next();
  }
  if constexpr (!std::is_void_v<typename ReturnOf<Plain>::type>) co_return std::move(iterator.result());
}

/// Awaits the end of a generator into which the driver goes in the meantime.
template <class G>
class Delegation {
 public:
  Delegation(GeneratorCore& outer, G&& inner) noexcept : outer_(&outer), inner_(std::move(inner)) {}
  bool await_ready() const noexcept { return inner_.done(); }
  void await_suspend(std::coroutine_handle<>) { outer_->delegate_to(inner_.core(), inner_.holder()); }
  typename G::return_type await_resume() {
    if (outer_->injected) [[unlikely]]
      std::rethrow_exception(std::exchange(outer_->injected, nullptr));
    auto& inner = inner_.core();
    if (inner.error) [[unlikely]]
      std::rethrow_exception(std::exchange(inner.error, nullptr));
    if constexpr (!std::is_void_v<typename G::return_type>) return std::move(inner_.result());
  }

 private:
  GeneratorCore* outer_;
  G inner_;
};

template <class X, class Y, class S>
inline constexpr bool kDelegatesDirectly = false;
template <class Y, class S2, class R2, class S>
inline constexpr bool kDelegatesDirectly<Generator<Y, S2, R2>, Y, S> =
    std::is_void_v<S2> || std::is_same_v<S2, S>;

template <class Y, class S, class X>
auto generator_over(From<X>& from) {
  if constexpr (kDelegatesDirectly<X, Y, S>)
    return from.take();
  else if constexpr (iterator_like<X>)
    return over_iterator<Y, S, X>(from.take());
  else
    return over_range<Y, S, X>(from.take());
}

template <class Y, class S, class R>
template <class X>
auto GeneratorPromiseBase<Y, S, R>::yield_value(From<X> from, int) {
  auto inner = generator_over<Y, S, X>(from);
  return Delegation<decltype(inner)>(*this, std::move(inner));
}

/// Yields the elements of the ranges, one range after the other.
template <class Value, class... Ranges>
Generator<Value> chain_of(Ranges... ranges) {
  (co_yield From<Ranges&>(ranges), ...);
}

}  // namespace eddy::detail

namespace eddy {

template <std::ranges::range... Ranges>
requires(sizeof...(Ranges) >
         0) Generator<std::common_type_t<std::ranges::range_value_t<Ranges>...>> chain(Ranges&&... ranges) {
  return detail::chain_of<std::common_type_t<std::ranges::range_value_t<Ranges>...>, Ranges...>(
      std::forward<Ranges>(ranges)...);
}

}  // namespace eddy
