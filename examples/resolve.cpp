// SPDX-License-Identifier: MIT
// Prints the addresses of each host, all of them asked for at once.
//
//     $ resolve localhost example.org
//     localhost: ::1 127.0.0.1
//     example.org: …
#include <eddy/eddy.hpp>

#include <iostream>
#include <string>
#include <vector>

using eddy::Coro;

Coro<std::string> addresses_of(std::string host) {
  std::string line = host + ":";
  try {
    for (const auto& address : co_await eddy::getaddrinfo(host, 0)) line += " " + address.host();
  } catch (const eddy::GaiError& error) {
    line += std::string(" ") + error.what();
  }
  co_return line;
}

Coro<> show(std::vector<std::string> hosts) {
  std::vector<Coro<std::string>> lookups;
  for (auto& host : hosts) lookups.push_back(addresses_of(std::move(host)));
  for (const auto& line : co_await eddy::gather(std::move(lookups))) std::cout << line << '\n';
}

int main(int argc, char** argv) {
  std::vector<std::string> hosts(argv + 1, argv + argc);
  if (hosts.empty()) hosts = {"127.0.0.1", "::1", "127.1", "0x7f.2", "fe80::1%lo"};
  eddy::run(show(hosts));
}
