// SPDX-License-Identifier: MIT
// error: eddy: a done callback is called with the future or task that is done
#include <eddy/eddy.hpp>

void f(eddy::Future<int> future) {
  future.add_done_callback([] {});
}
