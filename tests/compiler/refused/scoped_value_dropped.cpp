// SPDX-License-Identifier: MIT
// error: it ends the setting when it goes
#include <eddy/eddy.hpp>

eddy::ContextVar<int> variable("x");
void f() { variable.scoped(1); }
