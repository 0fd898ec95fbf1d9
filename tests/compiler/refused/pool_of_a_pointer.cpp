// SPDX-License-Identifier: MIT
// error: eddy: a value of this type cannot travel to another process
#include <eddy/processes.hpp>

struct Novel;
int chapters(Novel* novel);

void wrong(eddy::ProcessPoolExecutor& pool, Novel* novel) { pool.submit(chapters, novel); }
