// SPDX-License-Identifier: MIT
// The same program on every back end that this machine allows. `eddy doctor` tells of the others.
//
//     $ ./backends
//     each back end answers: Hello!

#include <eddy/backends.hpp>
#include <eddy/runners.hpp>
#include <eddy/streams.hpp>

#include <iostream>
#include <set>
#include <string>

using eddy::Coro;

Coro<> greet(eddy::StreamReader reader, eddy::StreamWriter writer) {
  auto name = co_await reader.readline();
  writer.write("Hello!");
  writer.close();
}

Coro<std::string> ask() {
  auto server = co_await eddy::start_server(greet, "127.0.0.1", 0);
  auto streams = co_await eddy::open_connection("127.0.0.1", server.port());
  streams.writer.write("anybody there?\n");
  auto answer = co_await streams.reader.read();
  co_return answer;
}

int main() {
  std::set<std::string> answers;
  for (auto backend : eddy::available_backends()) answers.insert(eddy::run(ask(), {.backend = backend}));
  std::cout << "each back end answers:";
  for (const auto& answer : answers) std::cout << ' ' << answer;
  std::cout << '\n';
}
