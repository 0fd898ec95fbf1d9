// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <typeinfo>

namespace eddy::detail {

/// Whether `catch (const Base&)` would catch it: a look at the types, no throw, which would cost a
/// microsecond. For bases that are not virtual.
inline bool is_a(const std::exception_ptr& error, const std::type_info& base) noexcept {
  const auto* type = error ? error.__cxa_exception_type() : nullptr;
  if (!type) return false;
  void* object = nullptr;
  return base.__do_catch(type, &object, 1);
}

}  // namespace eddy::detail
