// SPDX-License-Identifier: MIT
// Who waits for whom, by function and line: the sample program of CPython's `python -m asyncio pstree`.
//
//     $ ./task_tree                                the program prints its own tree, in virtual time
//     $ EDDY_INSPECT=1 ./task_tree wait &          or it waits,
//     $ eddy pstree $!                             and is looked at from outside
#include <eddy/eddy.hpp>

#include <chrono>
#include <iostream>
#include <string_view>

using namespace std::chrono_literals;
using eddy::Coro;

Coro<> play(std::chrono::minutes length) { co_await eddy::sleep(length); }

Coro<> album(std::string_view first, std::string_view second) {
  auto one = eddy::create_task(play(4min), {.name = first});
  auto two = eddy::create_task(play(3min), {.name = second});
  co_await eddy::gather(one, two);
}

Coro<> main_program(bool wait) {
  eddy::current_task().set_name("main");
  auto sundowning = eddy::create_task(album("TNDNBTG", "Levitate"), {.name = "Sundowning"});
  auto tmbte = eddy::create_task(album("DYWTYLM", "Aqua Regia"), {.name = "TMBTE"});
  if (!wait) {
    eddy::get_running_loop().call_later(1min, [] { std::cout << eddy::format_task_tree(); });
  }
  co_await eddy::gather(sundowning, tmbte);
}

int main(int argc, char**) {
  const bool wait = argc > 1;
  eddy::run(main_program(wait), {.backend = wait ? eddy::Backend::automatic : eddy::Backend::simulated});
}
