// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

void f(eddy::Task<int> task) {
  task.add_done_callback([](eddy::Task<int>& done) { static_cast<void>(done.cancelled()); });
  task.add_done_callback([](auto&) {});
}
