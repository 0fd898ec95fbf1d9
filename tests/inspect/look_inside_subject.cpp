// SPDX-License-Identifier: MIT
// A program to look into: `look_inside_subject calm` waits, `block MS` blocks its loop, `circle` waits for
// itself, `fork` forks.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <eddy/eddy.hpp>
#include <thread>

using namespace std::chrono_literals;
using eddy::Coro;
using eddy::Task;

namespace {

Coro<> play() { co_await eddy::sleep(1h); }

Coro<> album() {
  auto body = [](eddy::TaskGroup& group) -> Coro<> {
    group.create_task(play(), {.name = "song-1"});
    group.create_task(play(), {.name = "song-2"});
    co_return;
  };
  co_await eddy::task_group(body);
}

[[gnu::noinline]] void compute(std::chrono::milliseconds length) {
  for (const auto until = std::chrono::steady_clock::now() + length;
       std::chrono::steady_clock::now() < until;) {
    asm volatile("" ::: "memory");
  }
}

Coro<> handle_request(std::chrono::milliseconds length) {
  co_await eddy::sleep(50ms);
  compute(length);
  co_await eddy::sleep(100ms);
}

void say_ready() {
  std::puts("ready");
  std::fflush(stdout);
}

Coro<> calm() {
  eddy::current_task().set_name("main");
  eddy::Lock lock;
  auto hold = [&]() -> Coro<> {
    auto held = co_await lock;
    co_await eddy::sleep(1h);
  };
  auto want = [&]() -> Coro<> { auto held = co_await lock; };
  auto a = eddy::create_task(album(), {.name = "album"});
  auto b = eddy::create_task(hold(), {.name = "holder"});
  auto c = eddy::create_task(want(), {.name = "wanter"});
  auto d = eddy::create_task(play());
  eddy::get_running_loop().call_later(20ms, say_ready);
  co_await eddy::gather(a, b, c, eddy::shield(d));
}

Coro<> block(std::chrono::milliseconds length) {
  auto task = eddy::create_task(handle_request(length), {.name = "request"});
  say_ready();
  co_await task;
}

Coro<> circle() {
  Task<> a, b;
  auto wait_for = [](const Task<>& other) -> Coro<> { co_await other; };
  a = eddy::create_task(wait_for(b), {.name = "a"});
  b = eddy::create_task(wait_for(a), {.name = "b"});
  eddy::get_running_loop().call_later(20ms, say_ready);
  co_await eddy::sleep(1h);
}

}  // namespace

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "calm";
  if (std::strcmp(what, "block") == 0)
    eddy::run(block(std::chrono::milliseconds(std::atoi(argv[2]))));
  else if (std::strcmp(what, "circle") == 0)
    eddy::run(circle());
  else
    eddy::run(calm());
}
