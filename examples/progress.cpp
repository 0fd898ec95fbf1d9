// SPDX-License-Identifier: MIT
// A job in a process that reports its progress, with its task's number, through a pipe.
//
//     $ ./progress
//     task 7: 25 %
//     task 7: 50 %
//     task 7: 75 %
//     task 7: 100 %
//     task 7 gave 40 words, exit code 0
#include <eddy/eddy.hpp>

#include <iostream>
#include <optional>

using eddy::Coro;
namespace mp = eddy::mp;

namespace {

struct Report {
  int task = 0;
  int percent = 0;
  std::optional<int> result;
};

void count_words(int task, mp::Connection<Report> parent) {  // runs in the other process
  int words = 0;
  for (int part = 1; part <= 4; ++part) {
    words += 10;
    parent.blocking_send({task, part * 25, std::nullopt});
  }
  parent.blocking_send({task, 100, words});
}

Coro<> main_program() {
  auto [here, there] = mp::pipe<Report>();
  mp::Process process(count_words, 7, there);
  process.start();
  there.close();  // else the end of the process would not be seen here
  std::optional<int> words;
  while (!words) {
    const auto report = co_await here.recv();
    if (!report.result) std::cout << "task " << report.task << ": " << report.percent << " %\n";
    words = report.result;
  }
  const int exit_code = co_await process.wait();
  std::cout << "task 7 gave " << *words << " words, exit code " << exit_code << '\n';
}

}  // namespace

int main() { eddy::run(main_program()); }
