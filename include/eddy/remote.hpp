// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <eddy/concurrent.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/pack.hpp>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace eddy {

/// An exception that a function threw in another process, of a type that eddy does not know. The types of
/// <stdexcept> and of eddy/exceptions.hpp come back as what they are.
class RemoteError : public RuntimeError {
 public:
  RemoteError(std::string_view type_name, std::string_view text);
  /// "app::NoSuchNovel"
  const std::string& type_name() const noexcept { return type_name_; }
  /// what() of the original; empty if it was no std::exception.
  const std::string& text() const noexcept { return text_; }

 private:
  std::string type_name_;
  std::string text_;
};

namespace detail {

/// Reads the function and its arguments, calls it, writes what it gave.
using RemoteThunk = void (*)(Unpacker& arguments, Packer& result);

/// A place in the program's code: its module and the offset there, which are the same in every process of the
/// same files, wherever the modules lie.
void pack_code(Packer& packer, const void* address);
/// Throws UnpackError for a place outside of code, RuntimeError for a module that is another one now.
const void* unpack_code(Unpacker& unpacker);

/// The type by which a parameter travels: the value, or an owner of what it looks at.
template <class P>
struct Carried {
  using type = std::decay_t<P>;
};
template <>
struct Carried<std::string_view> {
  using type = std::string;
};
template <>
struct Carried<const char*> {
  using type = std::string;
};
template <>
struct Carried<char*> {
  using type = std::string;
};
template <class T>
struct Carried<std::span<const T>> {
  using type = std::vector<T>;
};
template <class P>
using CarriedBy = typename Carried<std::decay_t<P>>::type;

template <class P>
inline constexpr bool kIsOutParameter =
    std::is_lvalue_reference_v<P> && !std::is_const_v<std::remove_reference_t<P>>;

/// The carried value as the function's parameter P.
template <class P, class C>
decltype(auto) hand_over(C& carried) {
  if constexpr (std::is_same_v<std::decay_t<P>, const char*> && std::is_same_v<C, std::string>)
    return carried.c_str();
  else return std::move(carried);
}

template <class R>
void add_result(Packer& packer, const R& result) {
  using C = CarriedBy<R>;
  if constexpr (std::is_same_v<C, std::remove_cvref_t<R>>) packer.add(result);
  else packer.add(C(result));
}

/// What is known at compile time of a call of F with Args: how it travels, what it gives.
template <class F, class... Args>
struct RemoteCall {
  static_assert(std::is_empty_v<F> && std::is_default_constructible_v<F>,
                "eddy: only a plain function, or a lambda without captures, can run in another process: "
                "there is no copy "
                "of what a function object holds. Pass it as an argument");
  using Result = std::invoke_result_t<F&, CarriedBy<Args>&&...>;
  static void add_function(Packer&, F) {}
  static void add_arguments(Packer& packer, const Args&... args) { (add_result(packer, args), ...); }
  static const void* code(F) noexcept { return nullptr; }
  static auto call(Unpacker& unpacker) {
    std::tuple<CarriedBy<Args>...> arguments{unpacker.get<CarriedBy<Args>>()...};
    unpacker.finish();
    if constexpr (std::is_default_constructible_v<F>) {
      return std::apply([](auto&... carried) { return F()(std::move(carried)...); }, arguments);
    }
  }
};

template <class R, class... P, class... Args>
struct RemoteCall<R (*)(P...), Args...> {
  static_assert(
      !(kIsOutParameter<P> || ...),
      "eddy: a parameter by non-const reference cannot change an object of another process: take it by value "
      "and return it");
  static_assert(sizeof...(P) == sizeof...(Args), "eddy: the function takes another number of arguments");
  using Function = R (*)(P...);
  using Result = R;
  static void add_function(Packer& packer, Function function) { pack_code(packer, code(function)); }
  static void add_arguments(Packer& packer, const Args&... args) {
    (add_argument<CarriedBy<P>>(packer, args), ...);
  }
  static const void* code(Function function) noexcept { return reinterpret_cast<const void*>(function); }
  static auto call(Unpacker& unpacker) {
    const auto function = reinterpret_cast<Function>(const_cast<void*>(unpack_code(unpacker)));
    std::tuple<CarriedBy<P>...> arguments{unpacker.get<CarriedBy<P>>()...};
    unpacker.finish();
    if constexpr (!(kIsOutParameter<P> || ...)) {
      return std::apply([function](auto&... carried) { return function(hand_over<P>(carried)...); },
                        arguments);
    }
  }

 private:
  template <class C, class A>
  static void add_argument(Packer& packer, const A& argument) {
    if constexpr (std::is_same_v<A, C>) {
      packer.add(argument);
    } else {
      static_assert(std::is_constructible_v<C, const A&>,
                    "eddy: an argument does not fit the function's parameter");
      packer.add(C(argument));
    }
  }
};
template <class R, class... P, class... Args>
struct RemoteCall<R (*)(P...) noexcept, Args...> : RemoteCall<R (*)(P...), Args...> {};

template <class F, class... Args>
using RemoteResult = CarriedBy<typename RemoteCall<std::decay_t<F>, std::decay_t<const Args&>...>::Result>;

template <class Call>
void run_remote_call(Unpacker& arguments, Packer& result) {
  if constexpr (std::is_void_v<decltype(Call::call(arguments))>) Call::call(arguments);
  else add_result(result, Call::call(arguments));
}

/// The call as bytes: its thunk, the function, the arguments.
template <class F, class... Args>
Parcel pack_call(F function, const Args&... args) {
  using Call = RemoteCall<F, Args...>;
  Packer packer;
  pack_code(packer, reinterpret_cast<const void*>(static_cast<RemoteThunk>(&run_remote_call<Call>)));
  Call::add_function(packer, function);
  Call::add_arguments(packer, args...);
  return std::move(packer).take();
}

/// A function over a part of a range.
template <class F, class E>
struct RemoteMap {
  using Call = RemoteCall<F, E>;
  using Result = RemoteResult<F, E>;
  static void run(Unpacker& unpacker, Packer& packer) {
    F function = take_function(unpacker);
    auto elements = unpacker.get<std::vector<CarriedBy<E>>>();
    unpacker.finish();
    std::vector<Result> results;
    results.reserve(elements.size());
    for (auto&& element : elements) results.push_back(Result(function(std::move(element))));
    packer.add(results);
  }
  static Parcel pack(F function, const std::vector<E>& elements) {
    Packer packer;
    pack_code(packer, reinterpret_cast<const void*>(static_cast<RemoteThunk>(&run)));
    Call::add_function(packer, function);
    packer.add(elements);
    return std::move(packer).take();
  }

 private:
  static F take_function(Unpacker& unpacker) {
    if constexpr (std::is_pointer_v<F>) return reinterpret_cast<F>(const_cast<void*>(unpack_code(unpacker)));
    else return F();
  }
};

/// Runs a packed call; gives the parcel of what it gave, or of what it threw.
Parcel run_parcel(Parcel& call) noexcept;
/// The side that asked: an unpacker behind the mark for "it gave", or what it threw.
std::exception_ptr outcome_of(Unpacker& result);

void pack_exception(Packer& packer, const std::exception_ptr& error);
std::exception_ptr unpack_exception(Unpacker& unpacker);

/// A call, without its types, on its way through a pool.
class RemoteJob {
 public:
  RemoteJob(Parcel packed, const void* function, const std::type_info& function_type, Duration limit) noexcept
      : call(std::move(packed)), code(function), type(&function_type), timeout(limit) {}
  virtual ~RemoteJob() = default;
  /// False: it was cancelled.
  virtual bool start() = 0;
  virtual void finish(Unpacker& value) = 0;
  virtual void fail(std::exception_ptr error) = 0;

  Parcel call;
  const void* code;  // of a plain function; null: `type` names it
  const std::type_info* type;
  Duration timeout;
};

template <class T>
class TypedRemoteJob final : public RemoteJob {
 public:
  TypedRemoteJob(std::shared_ptr<BlockingBox<T>> state, Parcel packed, const void* function,
                 const std::type_info& function_type, Duration limit)
      : RemoteJob(std::move(packed), function, function_type, limit), state_(std::move(state)) {}
  bool start() override { return (*state_).start(); }
  void finish(Unpacker& value) override {
    try {
      if constexpr (!std::is_void_v<T>) state_->holder.set(value.get<T>());
      value.finish();
    } catch (...) {
      return state_->finish(std::current_exception());
    }
    state_->finish(nullptr);
  }
  void fail(std::exception_ptr error) override { state_->finish(std::move(error)); }

 private:
  struct CancelUnended {  // a job that is thrown away
    std::shared_ptr<BlockingBox<T>> state;
    BlockingBox<T>& operator*() const { return *state; }
    BlockingBox<T>* operator->() const { return state.get(); }
    explicit CancelUnended(std::shared_ptr<BlockingBox<T>> s) : state(std::move(s)) {}
    ~CancelUnended() { state->cancel(); }
  };
  CancelUnended state_;
};

}  // namespace detail
}  // namespace eddy
