// SPDX-License-Identifier: MIT
// error: eddy: this future has a value
#include <eddy/eddy.hpp>

void f(eddy::Future<int> future) { future.set_result(); }
