// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace eddy::detail {

/// "area(double)" if the program exports its symbols, else "program+0x1a2b", which addr2line understands.
std::string describe_code(const void* address);

/// A C++ symbol or a type's name as people write it.
std::string demangled(const char* name);

}  // namespace eddy::detail
