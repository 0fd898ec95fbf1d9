// SPDX-License-Identifier: MIT
#include <eddy/processes.hpp>

void wrong(eddy::ProcessPoolExecutor& pool, int factor) {
  pool.submit([factor](int n) { return n * factor; }, 2);
}
