// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/coro.hpp>
#include <eddy/detail/owned.hpp>
#include <eddy/remote.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace eddy::mp {

/// What Process can be told.
struct ProcessOptions {
  std::string_view name = {};  // for texts and `ps`; empty: Process-1, …
  bool daemon = false;         // the destructor ends the process by SIGTERM instead of waiting for it
};

/// A process of its own that runs one function: `multiprocessing.Process`.
///
///     mp::Process child(count_words, "novel.txt", results);
///     child.start();
///     int exit_code = co_await child.wait();
///
/// It is a fresh image of this program, as a pool's worker is: see ProcessPoolExecutor for what runs there
/// and what can be sent. Its exit code is 0 when the function returns; 1 when it throws, and the exception is
/// printed; that of SystemExit; -n when it died by signal n. It is killed when this program dies.
///
/// Its members may be called from any thread. The destructor waits for the process.
class Process {
 public:
  template <class F, class... Args>
  requires(!std::is_same_v<F, ProcessOptions>) explicit Process(F function, const Args&... args)
      : Process(ProcessOptions{}, function, args...) {}
  template <class F, class... Args>
  Process(ProcessOptions options, F function, const Args&... args)
      : Process(options, detail::pack_call<F, std::decay_t<const Args&>...>(function, args...)) {}
  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;
  ~Process();

  /// Throws RuntimeError if it was started, OSError.
  void start();
  /// Waits by blocking; false if it still runs after `timeout`.
  bool join(Duration timeout = Duration::max()) const;
  /// Waits inside of a task; gives the exit code. Cancelling the wait does nothing to the process.
  Coro<int> wait() const;

  bool is_alive() const;
  /// Nothing before it has ended.
  std::optional<int> exitcode() const;
  int pid() const;
  const std::string& name() const noexcept;
  /// A descriptor that becomes readable when the process ends, for mp::wait().
  int sentinel() const;

  /// SIGTERM, SIGKILL, SIGINT. Nothing if it has ended.
  void terminate() const;
  void kill() const;
  void interrupt() const;

 private:
  struct Impl;
  Process(ProcessOptions options, Parcel call);
  detail::Owned<Impl> impl_;
};

/// The process of run_process() ended without a result.
class ProcessDied : public RuntimeError {
 public:
  explicit ProcessDied(int exit_code);
  /// Negative: the signal.
  int exitcode() const noexcept { return exit_code_; }

 private:
  int exit_code_;
};

/// How run_process() goes about it.
struct RunProcessOptions {
  Duration timeout = Duration::max();  // then the process is killed, and TimeoutError thrown
};

}  // namespace eddy::mp

namespace eddy::detail {

/// The answer of a process that runs the call.
Coro<Parcel> call_in_process(Parcel call, Duration timeout);

template <class T>
Coro<T> result_of_process(Parcel call, Duration timeout) {
  auto parcel = co_await call_in_process(std::move(call), timeout);
  Unpacker result(parcel);
  if (auto error = outcome_of(result)) std::rethrow_exception(error);
  if constexpr (!std::is_void_v<T>) co_return result.get<T>();
}

}  // namespace eddy::detail

namespace eddy::mp {

/// Runs `function(args...)` in a process of its own and gives what it gives. Whatever ends the await, its
/// time limit or a cancellation, ends the process too: it is gone when this throws. Throws ProcessDied if it
/// crashed.
template <class F, class... Args>
auto run_process(RunProcessOptions options, F function, const Args&... args) {
  using T = detail::RemoteResult<F, Args...>;
  return detail::result_of_process<T>(detail::pack_call<F, std::decay_t<const Args&>...>(function, args...),
                                      options.timeout);
}

}  // namespace eddy::mp
