// SPDX-License-Identifier: MIT
// The untyped half of a generator: where it stands, whom it delegates to (for generators.hpp).
//
// Generators that delegate to each other form a chain. The one that the user holds, the root, keeps a pointer
// to the innermost one and resumes that: a step costs the same at any depth, and nothing recurses.
//
//     root --innermost--------------------.
//      ^                                  v
//      '--parent-- generator <--parent-- generator      (only the running one's `root` is valid)
//
// An inner generator that ends is popped, and the driver goes on with the one that delegated to it.
#pragma once

#include <coroutine>
#include <cstdint>
#include <eddy/detail/frame_pool.hpp>
#include <exception>
#include <utility>

namespace eddy::detail {

enum class GeneratorState : std::uint8_t {
  created,    // has not run
  suspended,  // stands at a yield
  running,    // runs, or another one delegates to it
  ended,      // returned, threw or was closed
};

[[noreturn]] void throw_generator_moved();

class GeneratorCore {
 public:
  std::exception_ptr injected;  // to be thrown at the place where it stands
  std::exception_ptr error;     // what ended it, until somebody has caught it
  GeneratorState state = GeneratorState::created;
  bool returned = false;

  static void* operator new(std::size_t bytes) { return pool_allocate(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { pool_deallocate(frame, bytes); }

  GeneratorCore() noexcept = default;
  GeneratorCore(const GeneratorCore&) = delete;
  GeneratorCore& operator=(const GeneratorCore&) = delete;

  std::suspend_always initial_suspend() const noexcept { return {}; }
  std::suspend_always final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept;

  template <class A>
  std::suspend_never await_transform(A&&) const noexcept;

  // For the running generator.
  void*& yielded_value() noexcept { return root_->value_; }
  void*& sent_value() noexcept { return root_->sent_; }
  void stand_at_yield() const noexcept {}
  void stands_in_line(int) const noexcept {}
  /// Goes on with `inner`, which `*owner` destroys, until that ends. Throws ValueError if it runs already.
  void delegate_to(GeneratorCore& inner, std::coroutine_handle<>* owner);

  // For the holder of a root.
  /// Runs to the next yield, whose value's address it gives; null when the generator has ended.
  void* advance(void* sent = nullptr) {
    if (state != GeneratorState::suspended && !may_start(sent != nullptr)) [[unlikely]]
      return nullptr;
    sent_ = sent;
    state = GeneratorState::running;
    if (run_until_end_of(*this)) [[likely]] {
      state = GeneratorState::suspended;
      return value_;
    }
    end();
    return nullptr;
  }
  /// Throws `exception` at the place where it stands; then as advance().
  void* raise(std::exception_ptr exception);
  /// Throws GeneratorExit there. Throws RuntimeError if it yields in answer.
  void close();
  /// Closes it if need be, and frees it; what that throws is reported.
  void destroy() noexcept;
  void* value() const noexcept { return value_; }
  [[noreturn]] void throw_not_returned() const;

 private:
  std::coroutine_handle<> handle() noexcept {
    return std::coroutine_handle<GeneratorCore>::from_promise(*this);
  }

  /// False: something yielded. `end` is this or one on the way to the innermost.
  bool run_until_end_of(GeneratorCore& end) {
    for (;;) {
      GeneratorCore& active = *innermost_;
      active.root_ = this;
      const auto frame = active.handle();
      frame.resume();
      if (!frame.done()) {
        if (innermost_ == &active) [[likely]]
          return true;
        continue;  // it delegates
      }
      if (&active == &end) return false;
      innermost_ = std::exchange(active.parent_, nullptr);
      active.state = GeneratorState::ended;
    }
  }
  bool may_start(bool sends);
  bool raise_exit(std::exception_ptr exit);
  void end();
  void check_not_running() const;

  GeneratorCore* root_ = this;
  GeneratorCore* parent_ = nullptr;  // the one that delegates to it
  GeneratorCore* innermost_ = this;  // of a root, or of what was one and has been suspended with others in it
  void* value_ = nullptr;            // of a root: where what was yielded is
  void* sent_ = nullptr;             // of a root: what the next co_yield gives; null: a default
  std::coroutine_handle<>* owner_ = nullptr;
};

}  // namespace eddy::detail
