// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <eddy/detail/context.hpp>
#include <eddy/tasks.hpp>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace eddy {

template <class T>
class ContextVar;

namespace detail {

/// A variable's value, shared by all the contexts that have it. Never changed.
struct ContextValue {
  void (*destroy)(ContextValue*) noexcept;
  std::uint32_t references = 1;

  explicit ContextValue(void (*how)(ContextValue*) noexcept) noexcept : destroy(how) {}
};
template <class T>
struct ContextValueOf final : ContextValue {
  T value;
  explicit ContextValueOf(T v) : ContextValue(&destroy_it), value(std::move(v)) {}

 private:
  static void destroy_it(ContextValue* self) noexcept { delete static_cast<ContextValueOf*>(self); }
};

/// What a variable is known by: a number that is never given twice.
class ContextKey {
 public:
  explicit ContextKey(std::string_view name);
  ContextKey(const ContextKey&) = delete;
  ContextKey& operator=(const ContextKey&) = delete;

  std::string_view name() const noexcept { return name_; }
  std::uint64_t id() const noexcept { return id_; }

 private:
  std::string_view name_;
  std::uint64_t id_;
};

/// What set() replaced, and where.
class TokenCore {
 public:
  TokenCore(const TokenCore&) = delete;
  TokenCore(TokenCore&& other) noexcept;
  TokenCore& operator=(TokenCore&&) = delete;
  ~TokenCore();

 protected:
  friend void reset_context_value(const ContextKey&, TokenCore&);
  friend void restore_context_value(TokenCore&) noexcept;
  friend TokenCore set_context_value(const ContextKey&, ContextValue*);
  TokenCore(ContextCore& context, const ContextKey& key, ContextValue* old) noexcept;
  const ContextValue* old_value() const noexcept { return old_; }

 private:
  ContextRef context_;
  std::string_view name_;
  std::uint64_t id_;
  ContextValue* old_;  // counted; null: it had none
  bool used_ = false;
};

/// In the current context; null if it is not set there.
const ContextValue* find_context_value(const ContextKey& key) noexcept;
const ContextValue* find_context_value(const ContextKey& key, const ContextCore& context) noexcept;
/// Takes `value` over.
TokenCore set_context_value(const ContextKey& key, ContextValue* value);
void reset_context_value(const ContextKey& key, TokenCore& token);
void restore_context_value(TokenCore& token) noexcept;
[[noreturn]] void throw_not_set(const ContextKey& key);

/// Makes a context the current one; throws RuntimeError if it is entered already.
class EnteredContext {
 public:
  explicit EnteredContext(ContextCore& context);
  EnteredContext(const EnteredContext&) = delete;
  EnteredContext& operator=(const EnteredContext&) = delete;
  ~EnteredContext();

 private:
  ContextCore& context_;
  TaskCore* task_;
  ContextCore* outer_;
};

}  // namespace detail

/// What `ContextVar::set()` gives: the way back to the value before.
template <class T>
class Token : public detail::TokenCore {
 public:
  /// The value that set() replaced; none if the variable was not set in that context.
  std::optional<T> old_value() const {
    const auto* old = TokenCore::old_value();
    return old ? std::optional<T>(static_cast<const detail::ContextValueOf<T>*>(old)->value) : std::nullopt;
  }

 private:
  friend class ContextVar<T>;
  explicit Token(detail::TokenCore core) noexcept : TokenCore(std::move(core)) {}
};

/// Gives a variable its former value back at the end of a block. Made by `ContextVar::scoped()`.
class [[nodiscard("it ends the setting when it goes")]] ScopedValue {
 public:
  explicit ScopedValue(detail::TokenCore token) noexcept : token_(std::move(token)) {}
  ScopedValue(const ScopedValue&) = delete;
  ScopedValue& operator=(const ScopedValue&) = delete;
  ~ScopedValue() { detail::restore_context_value(token_); }

 private:
  detail::TokenCore token_;
};

/// A variable with a value of its own in each task: `contextvars.ContextVar`. For what belongs to a request
/// and is wanted deep inside: its id, its user, its trace.
///
///     ContextVar<std::string> request_id("request_id");   // in a namespace: it must outlive its use
///     request_id.set("r-1");                              // in this task, and in those that it makes from now on
///     log("[{}] done", request_id.get());
///
/// A task gets a copy of its maker's context, so what it sets is seen by it and what it makes, never by its
/// maker or its siblings. Callbacks and `to_thread()` jobs run in a copy, too. A task that never uses one
/// pays nothing. Source of the rules: PEP 567.
template <class T>
class ContextVar : private detail::ContextKey {
  static_assert(std::is_copy_constructible_v<T>, "eddy: a context variable's value is copied out by get(); use a "
                                                 "ContextVar<std::shared_ptr<T>> for what cannot be copied");

 public:
  /// `name` is kept as it is given: a literal.
  explicit ContextVar(std::string_view name) : ContextKey(name) {}
  ContextVar(std::string_view name, T default_value) : ContextKey(name), default_(std::move(default_value)) {}

  using ContextKey::name;

  /// The value in the current context, else the variable's default. Throws LookupError if there is neither.
  T get() const {
    if (const auto* found = detail::find_context_value(*this)) return value_in(*found);
    if (!default_) detail::throw_not_set(*this);
    return *default_;
  }
  /// The value in the current context, else `fallback`.
  T get(std::type_identity_t<T> fallback) const {
    const auto* found = detail::find_context_value(*this);
    return found ? value_in(*found) : std::move(fallback);
  }

  /// Gives it a value in the current context.
  Token<T> set(T value) const {
    return Token<T>(detail::set_context_value(*this, new detail::ContextValueOf<T>(std::move(value))));
  }
  /// Back to what it was before that set(). Throws RuntimeError if the token was used already, ValueError if
  /// it is another variable's or was made in another context.
  void reset(Token<T>& token) const { detail::reset_context_value(*this, token); }
  void reset(Token<T>&& token) const { detail::reset_context_value(*this, token); }

  /// set() until the end of the block, however it ends.
  ScopedValue scoped(T value) const { return ScopedValue(set(std::move(value))); }

 private:
  friend class Context;
  static const T& value_in(const detail::ContextValue& found) noexcept {
    return static_cast<const detail::ContextValueOf<T>&>(found).value;
  }

  std::optional<T> default_;
};

/// The values of the context variables: `contextvars.Context`. A handle: copies refer to the same context.
/// Used by one thread at a time.
class Context {
 public:
  /// An empty one.
  Context();

  /// A context of its own with the same values. Takes the same time however many there are.
  Context copy() const;

  /// Calls `function(args...)` in it: what the function sets stays in this context. Throws RuntimeError if
  /// it is entered already. For a coroutine, give the context to its task: `create_task(c, {.context = &context})`.
  template <class F, class... Args>
  decltype(auto) run(F&& function, Args&&... args) const {
    const detail::EnteredContext entered(core());
    return std::forward<F>(function)(std::forward<Args>(args)...);
  }

  /// The variable's value in this context; none if it is not set in it.
  template <class T>
  std::optional<T> get(const ContextVar<T>& variable) const {
    const auto* found = detail::find_context_value(variable, core());
    return found ? std::optional<T>(ContextVar<T>::value_in(*found)) : std::nullopt;
  }
  template <class T>
  bool contains(const ContextVar<T>& variable) const {
    return detail::find_context_value(variable, core()) != nullptr;
  }
  /// How many variables are set in it, and their names in order of the variables' creation.
  std::size_t size() const noexcept;
  std::vector<std::string_view> names() const;

  friend bool operator==(const Context& a, const Context& b) noexcept { return &a.core() == &b.core(); }

  /// For eddy's own layers.
  detail::ContextCore& core() const noexcept { return *core_.get(); }
  explicit Context(detail::ContextRef core) noexcept : core_(std::move(core)) {}

 private:
  mutable detail::ContextRef core_;
};

/// A copy of the context in which the calling code runs.
Context copy_context();

}  // namespace eddy
