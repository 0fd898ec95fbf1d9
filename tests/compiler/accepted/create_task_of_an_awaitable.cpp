// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

void f() { eddy::create_task(eddy::sleep(1s)); }
