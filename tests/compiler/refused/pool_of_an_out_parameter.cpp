// SPDX-License-Identifier: MIT
#include <eddy/processes.hpp>

void append(std::string& text);

void wrong(eddy::ProcessPoolExecutor& pool, std::string text) { pool.submit(append, text); }
