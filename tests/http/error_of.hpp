// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <string>

namespace eddy::http::test {

/// What `call` throws as an `Error`, as text; any other exception passes.
template <class Error = std::exception, class Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace eddy::http::test
