// SPDX-License-Identifier: MIT
#include <eddy/testing.hpp>

#include "base/text.hpp"
#include "loop/loop.hpp"

namespace eddy::testing {

using detail::Loop;

std::chrono::nanoseconds now() { return get_running_loop().time().time_since_epoch(); }

std::string Log::duration_text(Duration length) { return detail::format_duration(length.count()); }

Coro<> settle() {
  auto& loop = Loop::running();
  // Two turns in a row in which nothing but this step ran: what another thread posted, a signal or a timer
  // that was due stands behind this step in the first of them.
  for (int quiet = 0; quiet < 2;) {
    const auto before = loop.nodes_run;
    co_await sleep(Duration());
    quiet = loop.nodes_run == before + 1 ? quiet + 1 : 0;
  }
}

}  // namespace eddy::testing
