// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

void f(eddy::Future<std::string> future) { future.set_result("text"); }
