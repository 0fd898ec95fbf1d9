// SPDX-License-Identifier: MIT
// The fields of an aggregate, by structured bindings (for pack.hpp).
#pragma once

#include <cstddef>
#include <tuple>
#include <utility>

namespace eddy::detail {

inline constexpr std::size_t kMaxFields = 16;

struct AnyField {
  template <class T>
  operator T() const noexcept;  // declared only: for counting
};

template <class T, std::size_t... I>
constexpr bool initialisable_from(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), AnyField{})...}; };
}

/// How many fields the aggregate T has; kMaxFields + 1: more than can be named.
template <class T, std::size_t N = kMaxFields + 1>
constexpr std::size_t count_fields() {
  if constexpr (N == 0) return 0;
  else if constexpr (initialisable_from<T>(std::make_index_sequence<N>())) return N;
  else return count_fields<T, N - 1>();
}

/// References to the fields of `value`, in order.
template <std::size_t N, class T>
constexpr auto fields_of(T& value) {
  static_assert(N <= kMaxFields,
                "eddy: an aggregate with more than 16 fields cannot be packed; group them in structs, or "
                "specialise eddy::PackAs");
  if constexpr (N == 0 || N > kMaxFields) return std::tuple<>();
#define EDDY_FIELDS(N_, ...)                \
  else if constexpr (N == N_) {             \
    auto& [__VA_ARGS__] = value;            \
    return std::tie(__VA_ARGS__);           \
  }
  EDDY_FIELDS(1, a)
  EDDY_FIELDS(2, a, b)
  EDDY_FIELDS(3, a, b, c)
  EDDY_FIELDS(4, a, b, c, d)
  EDDY_FIELDS(5, a, b, c, d, e)
  EDDY_FIELDS(6, a, b, c, d, e, f)
  EDDY_FIELDS(7, a, b, c, d, e, f, g)
  EDDY_FIELDS(8, a, b, c, d, e, f, g, h)
  EDDY_FIELDS(9, a, b, c, d, e, f, g, h, i)
  EDDY_FIELDS(10, a, b, c, d, e, f, g, h, i, j)
  EDDY_FIELDS(11, a, b, c, d, e, f, g, h, i, j, k)
  EDDY_FIELDS(12, a, b, c, d, e, f, g, h, i, j, k, l)
  EDDY_FIELDS(13, a, b, c, d, e, f, g, h, i, j, k, l, m)
  EDDY_FIELDS(14, a, b, c, d, e, f, g, h, i, j, k, l, m, n)
  EDDY_FIELDS(15, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o)
  EDDY_FIELDS(16, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)
#undef EDDY_FIELDS
}

}  // namespace eddy::detail
