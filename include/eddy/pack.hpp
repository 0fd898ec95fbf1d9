// SPDX-License-Identifier: MIT
// Values as bytes, between processes of one program on one machine: docs/reference/processes.md has the list
// of types. Numbers are as they lie in memory; what has a length has 8 bytes of it in front; an optional and
// an aggregate have one byte. Not a format for files: another build may lay values out differently.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <eddy/clock.hpp>
#include <eddy/detail/pack_fields.hpp>
#include <eddy/exceptions.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace eddy {

/// How a type of one's own travels: as a value of another type. The one hook.
///
///     template <>
///     struct eddy::PackAs<Url> {
///       static std::string pack(const Url& url) { return url.str(); }
///       static Url unpack(std::string text) { return Url(text); }  // may throw: the bytes are refused
///     };
template <class T>
struct PackAs;

/// Bytes that do not hold what is read from them: cut short, with impossible lengths, followed by others.
class UnpackError : public ValueError { using ValueError::ValueError; };

/// Bytes and descriptors on their way. Owns the descriptors.
class Parcel {
 public:
  Parcel() noexcept = default;
  Parcel(Parcel&&) noexcept = default;
  Parcel& operator=(Parcel&& other) noexcept {
    bytes.swap(other.bytes);
    descriptors.swap(other.descriptors);
    std::swap(spilled, other.spilled);
    return *this;
  }
  ~Parcel();

  std::string bytes;
  std::vector<int> descriptors;  // -1: taken
  bool spilled = false;          // the bytes lie in the memory file that is the last descriptor
};

namespace detail {

inline constexpr int kMaxNesting = 256;  // of a value in values: a limit to the stack that bytes can ask for

[[noreturn]] void throw_nested_too_deep();

template <class T>
concept PackHooked = requires { sizeof(PackAs<T>); };
template <class T>
concept PackScalar = std::is_arithmetic_v<T> || std::is_enum_v<T>;
template <class T>
concept PackTicks = requires(const T& t) {
  typename T::period;
  t.count();
  T(typename T::rep());
};
template <class T>
concept PackTime = requires(const T& t) { typename T::clock; t.time_since_epoch(); };
template <class T>
concept PackPath = requires(const T& t) { typename T::string_type; t.native(); };
template <class T>
concept PackTuple = requires { std::tuple_size<T>::value; };
template <class T>
concept PackArray = PackTuple<T> && requires(T& t) { t.data(); typename T::value_type; };
template <class T>
concept PackOptional = requires(T& t) { t.has_value(); t.reset(); *t; typename T::value_type; };
template <class T>
concept PackRange = requires(const T& t) {
  typename T::value_type;
  t.begin();
  t.end();
  t.size();
};
template <class T>
concept PackSet = PackRange<T> && requires { typename T::key_type; };
template <class T>
concept PackSequence =
    PackRange<T> && requires(T& t) { t.push_back(std::declval<typename T::value_type>()); };
// Whose elements can be copied as memory.
template <class T>
concept PackMemory = PackSequence<T> && PackScalar<typename T::value_type> &&
                     !std::same_as<typename T::value_type, bool> &&
                     requires(T& t) { t.data(); t.resize(std::size_t{}); };

template <class T>
inline constexpr bool kIsVariant = false;
template <class... Ts>
inline constexpr bool kIsVariant<std::variant<Ts...>> = true;

enum class PackKind {
  hooked, scalar, duration, ticks, time, path, array, tuple, variant, optional, set, memory, sequence, fields, none
};

template <class T>
constexpr bool kPackable = PackHooked<T> || PackScalar<T> || std::same_as<T, Duration> || PackTicks<T> ||
                           PackTime<T> || PackPath<T> || PackTuple<T> || kIsVariant<T> || PackOptional<T> ||
                           PackSet<T> || PackSequence<T> ||
                           (std::is_aggregate_v<T> && !std::is_union_v<T> && !std::is_array_v<T>);

/// What T is, for packing; the one place that refuses a type.
template <class T>
struct PackKindOf {
  static_assert(kPackable<T>,
                "eddy: a value of this type cannot travel to another process. Numbers, enums, strings, "
                "containers, tuples, optionals, variants, durations and aggregates of these can; for a type of your own, specialise "
                "eddy::PackAs. A pointer or a reference means nothing there");
  static constexpr PackKind value = PackHooked<T>               ? PackKind::hooked
                                    : PackScalar<T>             ? PackKind::scalar
                                    : std::same_as<T, Duration> ? PackKind::duration
                                    : PackTicks<T>              ? PackKind::ticks
                                    : PackTime<T>               ? PackKind::time
                                    : PackPath<T>               ? PackKind::path
                                    : PackArray<T>              ? PackKind::array
                                    : PackTuple<T>              ? PackKind::tuple
                                    : kIsVariant<T>             ? PackKind::variant
                                    : PackOptional<T>           ? PackKind::optional
                                    : PackSet<T>                ? PackKind::set
                                    : PackMemory<T>             ? PackKind::memory
                                    : PackSequence<T>           ? PackKind::sequence
                                    : kPackable<T>              ? PackKind::fields
                                                                : PackKind::none;  // refused above
};

/// How deep the value at hand lies in others.
class Nesting {
 public:
  explicit Nesting(int& depth) : depth_(depth) {
    if (++depth_ > kMaxNesting) {
      --depth_;
      throw_nested_too_deep();
    }
  }
  Nesting(const Nesting&) = delete;
  ~Nesting() { --depth_; }

 private:
  int& depth_;
};

}  // namespace detail

/// Turns values into bytes.
class Packer {
 public:
  /// Throws ValueError for a variant without a value and for values nested deeper than 256 levels.
  template <class T>
  void add(const T& value) {
    const detail::Nesting nesting(depth_);
    constexpr auto kind = detail::PackKindOf<T>::value;
    using detail::PackKind;
    if constexpr (kind == PackKind::scalar) add_memory(&value, sizeof value);
    else if constexpr (kind == PackKind::hooked) add_hooked(value);
    else if constexpr (kind == PackKind::duration || kind == PackKind::ticks) add(value.count());
    else if constexpr (kind == PackKind::time) add(value.time_since_epoch());
    else if constexpr (kind == PackKind::path) add(value.native());
    else if constexpr (kind == PackKind::array) add_each(value);
    else if constexpr (kind == PackKind::tuple) add_tuple(value);
    else if constexpr (kind == PackKind::variant) add_variant(value);
    else if constexpr (kind == PackKind::optional) {
      add(value.has_value());
      if (value.has_value()) add(*value);
    } else if constexpr (kind == PackKind::memory) {
      add_size(value.size());
      add_memory(value.data(), value.size() * sizeof(typename T::value_type));
    } else if constexpr (kind == PackKind::set || kind == PackKind::sequence) {
      add_size(value.size());
      add_each(value);
    } else if constexpr (kind == PackKind::fields) {
      add(std::uint8_t{1});  // so that nothing takes no bytes
      add_tuple(detail::fields_of<detail::count_fields<T>()>(value));
    }
  }

  void add_memory(const void* data, std::size_t size) {
    if (size > 0) parcel_.bytes.append(static_cast<const char*>(data), size);
  }
  /// A copy of the descriptor travels. Throws OSError.
  void add_descriptor(int fd);

  Parcel take() && { return std::move(parcel_); }
  const Parcel& parcel() const noexcept { return parcel_; }

 private:
  void add_size(std::size_t size) {
    const std::uint64_t wide = size;
    add_memory(&wide, sizeof wide);
  }
  template <class T>
  void add_each(const T& values) {
    using Element = typename T::value_type;
    for (const auto& element : values) add<Element>(static_cast<const Element&>(element));
  }
  template <class Tuple>
  void add_tuple(const Tuple& tuple) {
    std::apply([this](const auto&... elements) { (this->add(elements), ...); }, tuple);
  }
  template <class T>
  void add_hooked(const T& value) {
    if constexpr (requires { PackAs<T>::pack(value, *this); }) PackAs<T>::pack(value, *this);
    else add(PackAs<T>::pack(value));
  }
  template <class V>
  void add_variant(const V& value) {
    if (value.valueless_by_exception()) throw ValueError("cannot pack a variant without a value");
    add_size(value.index());
    std::visit([this](const auto& held) { this->add(held); }, value);
  }

  Parcel parcel_;
  int depth_ = 0;
};

/// Turns bytes into values again. It trusts no length: whatever the bytes are, it gives values or throws.
class Unpacker {
 public:
  /// The parcel must outlive it.
  explicit Unpacker(Parcel& parcel) noexcept : bytes_(parcel.bytes), descriptors_(&parcel.descriptors) {}
  explicit Unpacker(std::string_view bytes) noexcept : bytes_(bytes) {}

  std::size_t left() const noexcept { return bytes_.size() - position_; }

  /// The next value. Throws UnpackError, or what a PackAs throws.
  template <class T>
  T get() {
    const detail::Nesting nesting(depth_);
    constexpr auto kind = detail::PackKindOf<T>::value;
    using detail::PackKind;
    if constexpr (std::same_as<T, bool>) return get_bool();
    else if constexpr (kind == PackKind::scalar) return get_scalar<T>();
    else if constexpr (kind == PackKind::hooked) return get_hooked<T>();
    else if constexpr (kind == PackKind::duration) return Duration::nanoseconds(get<std::int64_t>());
    else if constexpr (kind == PackKind::ticks) return T(get<typename T::rep>());
    else if constexpr (kind == PackKind::time) return T(get<typename T::duration>());
    else if constexpr (kind == PackKind::path) return T(get<typename T::string_type>());
    else if constexpr (kind == PackKind::array) return get_array<T>();
    else if constexpr (kind == PackKind::tuple) return get_tuple<T>(Count<std::tuple_size_v<T>>());
    else if constexpr (kind == PackKind::variant) return get_variant<T>(Count<std::variant_size_v<T>>());
    else if constexpr (kind == PackKind::optional) {
      if (!get_bool()) return T();
      return T(get<typename T::value_type>());
    } else if constexpr (kind == PackKind::memory) return get_block<T>();
    else if constexpr (kind == PackKind::set || kind == PackKind::sequence) return get_range<T>();
    else if constexpr (kind == PackKind::fields) return get_aggregate<T>();
    else return T();
  }

  void get_memory(void* to, std::size_t size);
  /// The caller owns it. Throws UnpackError if there is none.
  int take_descriptor();
  /// Throws UnpackError if bytes are left.
  void finish() const;

  /// For eddy's own layers: how deep the value at hand lies.
  int& depth() noexcept { return depth_; }

 private:
  template <std::size_t N>
  using Count = std::make_index_sequence<N>;
  bool get_bool();
  /// A count of elements that take `each` bytes or more; throws if so many cannot be left.
  std::size_t get_size(std::size_t each);
  std::size_t get_choice(std::size_t choices);

  template <class T>
  T get_scalar() {
    T value;
    get_memory(&value, sizeof value);
    return value;
  }
  template <class T>
  T get_hooked() {
    if constexpr (requires { PackAs<T>::unpack(*this); }) return PackAs<T>::unpack(*this);
    else {
      using Other = std::remove_cvref_t<decltype(PackAs<T>::pack(std::declval<const T&>()))>;
      return PackAs<T>::unpack(get<Other>());
    }
  }
  template <class T>
  T get_array() {
    T values{};
    for (auto& element : values) element = get<typename T::value_type>();
    return values;
  }
  template <class T, std::size_t... I>
  T get_tuple(std::index_sequence<I...>) {
    return T{get<std::remove_cv_t<std::tuple_element_t<I, T>>>()...};
  }
  template <class V, std::size_t... I>
  V get_variant(std::index_sequence<I...>) {
    using Get = V (*)(Unpacker&);
    static constexpr Get kGet[] = {[](Unpacker& self) {
      return V(std::in_place_index<I>, self.get<std::variant_alternative_t<I, V>>());
    }...};
    return kGet[get_choice(sizeof...(I))](*this);
  }
  template <class T>
  T get_block() {
    using Element = typename T::value_type;
    T values;
    values.resize(get_size(sizeof(Element)));
    get_memory(values.data(), values.size() * sizeof(Element));
    return values;
  }
  template <class T>
  T get_range() {
    T values;
    for (auto left = get_size(1); left > 0; --left) {
      if constexpr (!detail::PackSet<T>) values.push_back(get<typename T::value_type>());
      else if constexpr (requires { typename T::mapped_type; }) {
        auto key = get<typename T::key_type>();
        values.emplace(std::move(key), get<typename T::mapped_type>());
      } else values.insert(get<typename T::value_type>());
    }
    return values;
  }
  template <class T>
  T get_aggregate() {
    if (get<std::uint8_t>() != 1) throw UnpackError("cannot unpack: no aggregate begins here");
    using Fields = decltype(detail::fields_of<detail::count_fields<T>()>(std::declval<T&>()));
    return get_fields<T, Fields>(std::make_index_sequence<std::tuple_size_v<Fields>>());
  }
  template <class T, class Fields, std::size_t... I>
  T get_fields(std::index_sequence<I...>) {
    return T{get<std::remove_cvref_t<std::tuple_element_t<I, Fields>>>()...};
  }

  std::string_view bytes_;
  std::vector<int>* descriptors_ = nullptr;
  std::size_t position_ = 0;
  std::size_t next_descriptor_ = 0;
  int depth_ = 0;
};

/// The bytes of one value; the value of such bytes. For tests and for one's own transports.
template <class T>
std::string pack(const T& value) {
  Packer packer;
  packer.add(value);
  return std::move(packer).take().bytes;
}
template <class T>
T unpack(std::string_view bytes) {
  Unpacker unpacker(bytes);
  T value = unpacker.get<T>();
  unpacker.finish();
  return value;
}

}  // namespace eddy
