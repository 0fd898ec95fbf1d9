// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <eddy/async_generators.hpp>

#include "base/text.hpp"
#include "loop/loop.hpp"
#include "loop/report.hpp"
#include "task/exception_kind.hpp"

namespace eddy {
namespace detail {
namespace {

constexpr const char* kOperations[] = {"anext()", "athrow()", "aclose()"};

// The loop closes what has been started and has not ended.
void enlist(AsyncGeneratorCore& generator) {
  auto& loop = running_loop_core();
  if (loop.async_generators_shut) {
    Loop::of(loop).report(
        fmt::format("asynchronous generator '{}' ({}:{}) was started after shutdown_asyncgens(): "
                    "nobody will close it",
                    generator.function, file_name(generator.file), generator.line),
        nullptr, nullptr);
  }
  loop.async_generators.push_back(generator);
}

}  // namespace

void AsyncGeneratorCore::unhandled_exception() noexcept {
  error = std::current_exception();
  const char* name = is_a(error, typeid(StopIterationBase))    ? "async generator raised StopIteration"
                     : is_a(error, typeid(StopAsyncIteration)) ? "async generator raised StopAsyncIteration"
                                                               : nullptr;
  if (name) error = std::make_exception_ptr(RuntimeError(name));
}

bool AsyncGeneratorCore::begin_step(AsyncStepKind kind, void* what) {
  if (state == GeneratorState::running) {
    injected = nullptr;
    const char* operation = kOperations[static_cast<int>(kind)];
    throw RuntimeError(fmt::format("{}: asynchronous generator is already running", operation));
  }
  if (kind == AsyncStepKind::athrow && !injected) {
    throw TypeError("athrow() was given no exception: the exception_ptr is null");
  }
  if (state == GeneratorState::ended) {
    injected = nullptr;
    return false;
  }
  if (state == GeneratorState::created) {
    if (what) throw TypeError("can't send non-None value to a just-started async generator");
    if (injected) {  // it ends without having run
      state = GeneratorState::ended;
      error = std::exchange(injected, nullptr);
      return false;
    }
    enlist(*this);
  }
  sending = what;
  current = nullptr;
  state = GeneratorState::running;
  return true;
}

bool AsyncGeneratorCore::end_step(AsyncStepKind kind) {
  if (state == GeneratorState::running) {  // it has come to its end
    state = GeneratorState::ended;
    if (is_linked()) unlink();
  }
  const bool closing = kind == AsyncStepKind::aclose;
  if (state == GeneratorState::suspended) {
    if (closing) throw RuntimeError("async generator ignored GeneratorExit");
    return true;
  }
  if (!error) return false;
  const auto failure = std::exchange(error, nullptr);
  if (closing && is_a(failure, typeid(GeneratorExit))) return false;
  std::rethrow_exception(failure);
}

void AsyncGeneratorCore::abandon() noexcept {
  state = GeneratorState::ended;
  if (is_linked()) unlink();
}

void AsyncGeneratorCore::destroy() noexcept {
  if (state == GeneratorState::running) {
    std::fprintf(stderr, "eddy: asynchronous generator '%s' (%s:%u) was destroyed while a task waits in it\n",
                 function, file, static_cast<unsigned>(line));
    std::abort();
  }
  if (is_linked()) unlink();
  frame().destroy();
}

}  // namespace detail

Coro<> EventLoop::shutdown_asyncgens() {
  auto& generators = core().async_generators;
  core().async_generators_shut = true;
  while (!generators.empty()) {
    auto& last = static_cast<detail::AsyncGeneratorCore&>(*generators.end()->prev);
    last.unlink();
    std::exception_ptr error;
    try {
      co_await detail::AsyncClose(last);
    } catch (const CancelledError&) {
      throw;
    } catch (...) {
      error = std::current_exception();
    }
    if (!error) continue;
    loop_->report(fmt::format("an error occurred during closing of asynchronous generator '{}' ({}:{})",
                              last.function, detail::file_name(last.file), last.line),
                  error, nullptr);
  }
}

}  // namespace eddy
