// SPDX-License-Identifier: MIT
// error: eddy: a Future<> has no value
#include <eddy/eddy.hpp>

void f(eddy::Future<> future) { future.set_result(1); }
