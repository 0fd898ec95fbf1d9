// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

void f(eddy::Future<int&> future, int& x) { future.set_result(x); }
