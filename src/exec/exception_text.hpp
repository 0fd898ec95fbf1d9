// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <string>

namespace eddy::detail {

/// What() of the exception being handled, or the name of its type if it has no text.
std::string text_of_current_exception();
/// "app::NoSuchNovel: chapter 7"
std::string text_with_type_of_current_exception();

}  // namespace eddy::detail
