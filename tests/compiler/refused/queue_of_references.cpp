// SPDX-License-Identifier: MIT
// error: eddy: a queue holds values
#include <eddy/eddy.hpp>

eddy::Queue<int&> queue;
