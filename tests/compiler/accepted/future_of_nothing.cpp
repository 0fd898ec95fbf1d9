// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

void f(eddy::Future<> future) { future.set_result(); }
