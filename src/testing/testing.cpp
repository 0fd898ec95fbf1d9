// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/locks.hpp>
#include <eddy/testing.hpp>
#include <fmt/format.h>

#include <map>
#include <set>

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

struct Sequencer::State {
  int turn = 0;
  bool broken = false;
  std::set<int> taken;
  std::map<int, Event> begins;

  void give_up() noexcept {
    broken = true;
    for (auto& [number, event] : begins) event.set();
  }
};

Sequencer::Sequencer() : state_(new State) {}
Sequencer::~Sequencer() = default;

Coro<Sequencer::Turn> Sequencer::operator()(int number) {
  auto& state = *state_;
  if (!state.taken.insert(number).second) {
    throw RuntimeError(fmt::format("turn {} of the sequencer was taken before", number));
  }
  if (state.turn != number && !state.broken) {
    try {
      co_await state.begins[number].wait();
    } catch (...) {
      state.give_up();
      throw;
    }
  }
  if (state.turn != number) throw RuntimeError(fmt::format("turn {} cannot come: a task before it gave up", number));
  co_return Turn(*this);
}

void Sequencer::next() noexcept { state_->begins[++state_->turn].set(); }

}  // namespace eddy::testing

namespace eddy::detail {

void Checkpoints::check(bool wanted) const {
  const auto steps = loop_.steps() - steps_;
  if ((steps > 0) == wanted) return;
  throw std::logic_error(wanted ? std::string("the coroutine ended without having let other tasks run")
                                : fmt::format("the coroutine let other tasks run: {} steps were taken before its end", steps));
}

}  // namespace eddy::detail
