// SPDX-License-Identifier: MIT
#include <cstdio>
#include <cstdlib>
#include <eddy/exceptions.hpp>
#include <eddy/generators.hpp>

#include "loop/loop.hpp"
#include "loop/report.hpp"
#include "task/exception_kind.hpp"

namespace eddy::detail {
namespace {

[[noreturn]] void throw_executing() { throw ValueError("generator already executing"); }

bool is_exit(const std::exception_ptr& error) noexcept { return is_a(error, typeid(GeneratorExit)); }

void report_failed_close() noexcept {
  constexpr auto kMessage = "a generator that was destroyed threw when it was closed";
  if (auto* loop = this_thread.loop) return report_current_exception(loop, kMessage);
  std::fprintf(stderr, "eddy: %s\n  %s\n", kMessage, describe_exception(std::current_exception()).c_str());
}

}  // namespace

void GeneratorCore::unhandled_exception() noexcept {
  error = std::current_exception();
  if (!is_a(error, typeid(StopIterationBase))) return;
  error = std::make_exception_ptr(RuntimeError("generator raised StopIteration"));
}

void GeneratorCore::delegate_to(GeneratorCore& inner, std::coroutine_handle<>* owner) {
  if (inner.state == GeneratorState::running) throw_executing();
  inner.parent_ = this;
  inner.owner_ = owner;
  inner.state = GeneratorState::running;
  root_->innermost_ = std::exchange(inner.innermost_, &inner);
}

bool GeneratorCore::may_start(bool sends) {
  switch (state) {
    case GeneratorState::running:
      throw_executing();
    case GeneratorState::ended:
      return false;
    default:
      break;
  }
  if (sends) throw TypeError("can't send non-None value to a just-started generator");
  return true;
}

void GeneratorCore::end() {
  state = GeneratorState::ended;
  if (error) std::rethrow_exception(std::exchange(error, nullptr));
}

void* GeneratorCore::raise(std::exception_ptr exception) {
  if (!exception) throw TypeError("throw_() was given no exception: the exception_ptr is null");
  if (state == GeneratorState::running) throw_executing();
  if (state != GeneratorState::suspended) {
    state = GeneratorState::ended;
    std::rethrow_exception(std::move(exception));
  }
  sent_ = nullptr;
  state = GeneratorState::running;
  bool yielded;
  if (is_exit(exception)) {
    yielded = raise_exit(std::move(exception));
  } else {
    innermost_->injected = std::move(exception);
    yielded = run_until_end_of(*this);
  }
  if (yielded) {
    state = GeneratorState::suspended;
    return value_;
  }
  end();
  return nullptr;
}

// PEP 380: the inner generator is closed first; as that went, the exit or the error is raised in the one that
// delegated to it; and so on outwards. False: this one has ended.
bool GeneratorCore::raise_exit(std::exception_ptr exit) {
  auto raised = exit;
  for (;;) {
    GeneratorCore& closing = *innermost_;
    closing.injected = std::move(raised);
    const bool yielded = run_until_end_of(closing);
    if (&closing == this) return yielded;
    if (yielded) {
      closing.state = GeneratorState::suspended;
      closing.innermost_ = innermost_;
      raised = std::make_exception_ptr(RuntimeError("generator ignored GeneratorExit"));
    } else {
      closing.state = GeneratorState::ended;
      raised = std::exchange(closing.error, nullptr);
      if (!raised || is_exit(raised)) raised = exit;
    }
    innermost_ = std::exchange(closing.parent_, nullptr);
  }
}

void GeneratorCore::close() {
  if (state == GeneratorState::running) throw_executing();
  if (state != GeneratorState::suspended) {
    state = GeneratorState::ended;
    return;
  }
  sent_ = nullptr;
  state = GeneratorState::running;
  if (raise_exit(std::make_exception_ptr(GeneratorExit()))) {
    state = GeneratorState::suspended;
    throw RuntimeError("generator ignored GeneratorExit");
  }
  if (is_exit(error)) error = nullptr;
  end();
}

void GeneratorCore::destroy() noexcept {
  if (state == GeneratorState::running) {
    std::fputs(
        "eddy: a generator was destroyed while it runs: its own body, or one that it calls, destroyed it\n",
        stderr);
    std::abort();
  }
  if (state == GeneratorState::suspended) {
    try {
      close();
    } catch (...) {
      report_failed_close();
    }
  }
  // It ignored its end, perhaps inside of others that it delegates to: innermost first, so that no destructor
  // recurses.
  while (innermost_ != this) {
    GeneratorCore& last = *innermost_;
    innermost_ = last.parent_;
    *last.owner_ = nullptr;
    last.handle().destroy();
  }
  handle().destroy();
}

void GeneratorCore::throw_not_returned() const {
  throw InvalidStateError(state == GeneratorState::ended
                              ? "the generator has no result: it was closed or threw"
                              : "the generator has no result: it has not returned");
}

void throw_generator_moved() {
  throw RuntimeError("the generator was moved away: from() or another object has it");
}

void throw_sent_to_range() { throw TypeError("cannot send a value to a plain range: it has only next()"); }

}  // namespace eddy::detail
