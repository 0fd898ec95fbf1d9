// SPDX-License-Identifier: MIT
// A request's id, set once and known wherever the request goes: in what it awaits, in its tasks, on its threads.
//
//     $ ./request_ids
//     [r-1] looks up ann
//     [r-2] looks up bob
//     [r-1] on a thread
//     [r-1] done
//     [r-2] on a thread
//     [r-2] done
//     [none] all served
#include <eddy/eddy.hpp>

#include <iostream>
#include <string>

using namespace std::chrono_literals;
using eddy::Coro;

eddy::ContextVar<std::string> request_id("request_id", "none");

void log(const std::string& text) { std::cout << '[' << request_id.get() << "] " << text << '\n'; }

Coro<> look_up(std::string user, eddy::Duration takes) {
  log("looks up " + user);
  co_await eddy::sleep(takes);
  co_await eddy::to_thread(log, std::string("on a thread"));
}

Coro<> serve(std::string id, std::string user, eddy::Duration takes) {
  request_id.set(id);
  co_await eddy::create_task(look_up(user, takes));  // a task of its own, with a copy of this one's settings
  log("done");
}

Coro<> program() {
  co_await eddy::gather(serve("r-1", "ann", 10ms), serve("r-2", "bob", 60ms));
  log("all served");
}

int main() { eddy::run(program()); }
