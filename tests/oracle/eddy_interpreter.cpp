// SPDX-License-Identifier: MIT
// Runs the oracle's programs on eddy under the virtual clock: a JSON program a line in, its trace a line out.
#include <iostream>
#include <string>

#include "interpreter.hpp"

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    oracle::Interpreter interpreter(boost::json::parse(line).as_object());
    std::cout << interpreter.run() << std::endl;  // flushed: if the next one crashes, this one did not
  }
}
