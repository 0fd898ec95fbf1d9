// SPDX-License-Identifier: MIT
// Three fetches side by side take as long as the slowest one; results keep the order of the arguments.
//
//     $ ./gather
//     fetch a, fetch b, fetch c
//     a took 30 ms
//     b took 10 ms
//     c took 20 ms
#include <eddy/eddy.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using eddy::Coro;

Coro<std::string> fetch(std::string name, std::chrono::milliseconds delay) {
  co_await eddy::sleep(delay);
  co_return name + " took " + std::to_string(delay.count()) + " ms";
}

Coro<> main_program() {
  std::cout << "fetch a, fetch b, fetch c\n";
  std::vector<Coro<std::string>> fetches;
  fetches.push_back(fetch("a", 30ms));
  fetches.push_back(fetch("b", 10ms));
  fetches.push_back(fetch("c", 20ms));
  for (auto& line : co_await eddy::gather(std::move(fetches))) std::cout << line << '\n';
}

int main() { eddy::run(main_program()); }
