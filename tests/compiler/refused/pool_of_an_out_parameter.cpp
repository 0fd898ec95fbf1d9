// SPDX-License-Identifier: MIT
// error: eddy: a parameter by non-const reference cannot change an object of another process
#include <eddy/processes.hpp>

void append(std::string& text);

void wrong(eddy::ProcessPoolExecutor& pool, std::string text) { pool.submit(append, text); }
