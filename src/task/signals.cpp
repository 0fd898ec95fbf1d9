// SPDX-License-Identifier: MIT
#include "loop/signals.hpp"

#include <eddy/exceptions.hpp>
#include <eddy/signals.hpp>

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "loop/loop.hpp"
#include "task/plain_wait.hpp"

namespace eddy {
namespace detail {

class SignalQueue final : public SignalListener {
 public:
  SignalQueue(Loop& loop, std::initializer_list<int> numbers) : loop_(loop), numbers_(numbers) {
    if (!loop.signals) loop.signals = std::make_unique<SignalHandlers>(*loop.backend);
    std::size_t done = 0;
    try {
      for (; done < numbers_.size(); ++done) loop.signals->listen(numbers_[done], *this);
    } catch (...) {
      numbers_.resize(done);
      leave();
      throw;
    }
  }
  SignalQueue(const SignalQueue&) = delete;
  ~SignalQueue() { leave(); }

  bool empty() const noexcept { return pending_ == 0; }
  int take() noexcept {
    const int number = std::countr_zero(pending_) + 1;
    pending_ &= pending_ - 1;
    return number;
  }

  void check_alone() const {
    if (waiter_) throw RuntimeError("another task already waits for these signals; one task waits at a time");
  }
  void wait(std::coroutine_handle<> where) noexcept {
    waiter_ = &current_task_core();
    waiter_->wait(where, kOps, this);
    loop_.expect_wakeup();
  }
  void finish_wait() {
    TaskCore& task = *std::exchange(waiter_, nullptr);
    loop_.wakeup_came();
    task.throw_if_cancelled();
  }

 private:
  void came(int number) noexcept override {
    pending_ |= std::uint64_t{1} << (number - 1);
    if (waiter_) waiter_->wake();
  }
  void closed() noexcept override { closed_ = true; }
  void leave() noexcept {
    if (closed_) return;
    for (int number : numbers_) loop_.signals->unlisten(number, *this);
  }
  static void describe(const TaskCore& task, Text& text) {
    const auto& self = *static_cast<const SignalQueue*>(task.object);
    text.add("a signal:");
    for (int number : self.numbers_) text.add(" {}", name_of_signal(number));
  }
  static constexpr WaitOps kOps{&cancel_at_once, &detach_nothing, &describe, nullptr, nullptr, "signal"};

  Loop& loop_;
  std::vector<int> numbers_;
  std::uint64_t pending_ = 0;  // bit n - 1: signal n
  TaskCore* waiter_ = nullptr;
  bool closed_ = false;
};

}  // namespace detail

Signals::Signals(std::initializer_list<int> numbers)
    : queue_(std::make_shared<detail::SignalQueue>(detail::Loop::running(), numbers)) {}
Signals::Signals(Signals&&) noexcept = default;
Signals& Signals::operator=(Signals&&) noexcept = default;
Signals::~Signals() = default;

Signals::Next Signals::next() {
  queue_->check_alone();
  return Next(queue_);
}

bool Signals::Next::await_ready() const { return !queue_->empty(); }
void Signals::Next::await_suspend(std::coroutine_handle<> where) {
  queue_->wait(where);
  waited_ = true;
}
std::optional<int> Signals::Next::await_resume() {
  if (waited_) queue_->finish_wait();
  return queue_->take();
}

}  // namespace eddy
