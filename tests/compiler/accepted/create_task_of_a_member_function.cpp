// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

struct Server {
  eddy::Coro<> serve(int port);
};
void f(Server& server) { eddy::create_task(server.serve(80), {.name = "server"}); }
