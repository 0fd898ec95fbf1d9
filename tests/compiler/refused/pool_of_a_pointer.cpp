// SPDX-License-Identifier: MIT
#include <eddy/processes.hpp>

struct Novel;
int chapters(Novel* novel);

void wrong(eddy::ProcessPoolExecutor& pool, Novel* novel) { pool.submit(chapters, novel); }
