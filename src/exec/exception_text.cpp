// SPDX-License-Identifier: MIT
#include "exec/exception_text.hpp"

#include <cxxabi.h>
#include <fmt/format.h>

#include <typeinfo>

#include "exec/code_address.hpp"

namespace eddy::detail {

namespace {
std::string type_of_current_exception() {
  const auto* type = abi::__cxa_current_exception_type();
  return type ? demangled(type->name()) : "an exception of another language";
}
}  // namespace

std::string text_of_current_exception() {
  try {
    throw;
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return type_of_current_exception();
  }
}

std::string text_with_type_of_current_exception() {
  try {
    throw;
  } catch (const std::exception& e) {
    return fmt::format("{}: {}", type_of_current_exception(), e.what());
  } catch (...) {
    return type_of_current_exception();
  }
}

}  // namespace eddy::detail
