// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace eddy {

/// Every task of the running loop: name, state, where it was made, its chain of awaits by function and
/// file:line, and what it waits for. Costs nothing until it is called.
///
///     task 'Task-2' (fetch, made at main.cpp:31): waiting
///         fetch  main.cpp:14
///         read_page  main.cpp:9
///           waits for sleep, 1.5s left
std::string format_tasks();
/// The same, to stderr.
void print_tasks();

}  // namespace eddy
