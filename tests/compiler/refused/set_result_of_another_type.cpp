// SPDX-License-Identifier: MIT
// error: eddy: this is no value for the future
#include <eddy/eddy.hpp>

void f(eddy::Future<int> future) { future.set_result("text"); }
