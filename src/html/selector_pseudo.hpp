// SPDX-License-Identifier: MIT
// The pseudo-classes that take no argument, by name.
#pragma once

#include <html/selector_syntax.hpp>

#include <optional>

namespace eddy::html::detail {

/// What `:name` means; nothing if there is no such pseudo-class.
std::optional<Simple> plain_pseudo(std::string_view name);
/// jQuery's :first, :last, :even, :odd.
std::optional<Position> plain_position(std::string_view name);

bool is_function_name(std::string_view name) noexcept;
bool is_pseudo_element(std::string_view name) noexcept;
/// The pseudo-class whose name is nearest, if one is near: "first-chlid" gives "first-child".
std::string_view nearest_pseudo(std::string_view name);

}  // namespace eddy::html::detail
