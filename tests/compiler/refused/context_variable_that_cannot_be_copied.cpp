// SPDX-License-Identifier: MIT
// error: eddy: a context variable's value is copied out
#include <eddy/eddy.hpp>

#include <memory>

eddy::ContextVar<std::unique_ptr<int>> variable("x");
