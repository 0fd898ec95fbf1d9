// SPDX-License-Identifier: MIT
// error: eddy: only a plain function, or a lambda without captures, can run in another process
#include <eddy/processes.hpp>

void wrong(eddy::ProcessPoolExecutor& pool, int factor) {
  pool.submit([factor](int n) { return n * factor; }, 2);
}
