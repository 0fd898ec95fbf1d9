// SPDX-License-Identifier: MIT
// Other programs: `asyncio.subprocess`. By pidfd, so no SIGCHLD handler is needed, no process is mistaken for another
// of the same number, and no zombie stays, whoever waits, cancels or forgets. Needs Linux 5.4.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/streams.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace eddy {

/// Where a child's standard input comes from, or its output goes: PIPE, DEVNULL, STDOUT, or a descriptor of ours,
/// which stays ours.
class Redirect {
 public:
  enum class Kind : unsigned char { inherit, descriptor, pipe, standard_output, nothing };

  constexpr Redirect() noexcept = default;  // what we have ourselves
  constexpr Redirect(int descriptor) noexcept : kind_(Kind::descriptor), descriptor_(descriptor) {}
  constexpr explicit Redirect(Kind kind) noexcept : kind_(kind) {}
  constexpr Kind kind() const noexcept { return kind_; }
  constexpr int descriptor() const noexcept { return descriptor_; }

 private:
  Kind kind_ = Kind::inherit;
  int descriptor_ = -1;
};

inline constexpr Redirect PIPE(Redirect::Kind::pipe);               // a stream of the Process
inline constexpr Redirect STDOUT(Redirect::Kind::standard_output);  // for `err`: where `out` goes
inline constexpr Redirect DEVNULL(Redirect::Kind::nothing);

/// setrlimit() in the child: `{RLIMIT_CPU, 10, 10}`.
struct ResourceLimit {
  int resource;
  std::uint64_t soft, hard;
};

/// Views are copied when the function is called.
struct SubprocessOptions {
  // Behaviour.
  Redirect in = {}, out = {}, err = {};
  std::string_view cwd = {};              // relative paths of the program are looked up from there, too
  std::span<const std::string> env = {};  // "NAME=value" is set on top of our own environment, "NAME" is taken out
  bool clear_env = false;                 // start from nothing instead of our own environment
  std::span<const int> pass_fds = {};     // 3 and more, which the child finds under the same numbers
  bool close_fds = true;                  // the child gets no other descriptor; false: those without close-on-exec
  bool start_new_session = false;
  int process_group = -1;             // 0: a group of its own, for kill_tree(); -1: ours
  bool controlling_terminal = false;  // `in` is a terminal and becomes the child's own; with start_new_session
  bool kill_on_destroy = false;       // SIGKILL, to all of its group if it has one of its own, when its handle goes
  int death_signal = 0;               // to the child when our *thread* that started it ends: PR_SET_PDEATHSIG
  int umask = -1;
  std::int64_t user = -1, group = -1;           // set-user-id and set-group-id for good; numbers of both
  std::span<const unsigned> extra_groups = {};  // with user or group as root: the only supplementary groups
  // Limits.
  std::span<const ResourceLimit> rlimits = {};
  std::size_t limit = 64 * 1024;  // the longest line of out.readline() and err.readline(), bytes
};

struct CommunicateOptions {
  std::size_t limit = static_cast<std::size_t>(-1);  // of out and of err each, bytes
};
struct ProcessOutput {
  std::string out, err;  // empty for what is no PIPE
};

namespace detail {

class ProcessCore;
void retain(ProcessCore& core) noexcept;
void release(ProcessCore& core) noexcept;

class ProcessHandle {
 public:
  ProcessHandle() noexcept = default;
  explicit ProcessHandle(ProcessCore& core) noexcept : core_(&core) { retain(core); }
  ProcessHandle(const ProcessHandle& other) noexcept : core_(other.core_) {
    if (core_) retain(*core_);
  }
  ProcessHandle(ProcessHandle&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  ProcessHandle& operator=(ProcessHandle other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~ProcessHandle() {
    if (core_) release(*core_);
  }
  ProcessCore& core() const noexcept { return *core_; }

 private:
  ProcessCore* core_ = nullptr;
};

/// `co_await process.wait()`: the exit code.
class [[nodiscard("co_await it")]] ProcessWait {
 public:
  explicit ProcessWait(ProcessHandle process) noexcept : process_(std::move(process)) {}
  bool await_ready() const;
  void await_suspend(std::coroutine_handle<> where);
  int await_resume();

 private:
  ProcessHandle process_;
  bool waited_ = false;
};

}  // namespace detail

/// A child process: `asyncio.subprocess.Process`. A handle; copies are the same process.
///
/// When the last handle goes while the child runs, the child runs on, and eddy lays it to rest when it ends, also
/// after its loop has closed; with `.kill_on_destroy` it is killed instead. Its pipes close with their own handles.
class Process {
 public:
  Process(detail::ProcessHandle handle, StreamWriter input, StreamReader output, StreamReader errors) noexcept
      : in(std::move(input)), out(std::move(output)), err(std::move(errors)), handle_(std::move(handle)) {}

  // Empty unless PIPE was asked for.
  StreamWriter in;
  StreamReader out, err;

  int pid() const noexcept;
  /// The exit code; -n if signal n ended it; nothing while it runs, as far as the loop has heard. 255: somebody else
  /// has waited for it, or SIGCHLD is ignored.
  std::optional<int> returncode() const noexcept;

  /// Waits for its end and gives the exit code. Any number of tasks may; a cancelled wait leaves the child alone. It
  /// does not read: a child that fills a PIPE nobody reads never ends. communicate() reads.
  auto wait() const { return detail::ProcessWait(handle_); }

  /// Writes `input`, closes `in`, reads `out` and `err` to their ends, waits for the end of the child. A child that
  /// does not want all of its input is no error. Pipes end when the last process that has them closes them: if that
  /// may be a grandchild, use a timeout and kill_tree().
  ///
  /// Throws LimitOverrunError after more than `limit` bytes, and kills the child; ValueError for input without a PIPE.
  /// Cancelled, it leaves the child alone, and what was read stays to be read.
  Coro<ProcessOutput> communicate(std::string input = {}, CommunicateOptions options = {}) const;

  /// False if it has ended, and then nothing is sent. Throws OSError: no such signal, not permitted.
  bool send_signal(int number) const;
  bool terminate() const;  // SIGTERM
  bool kill() const;       // SIGKILL
  /// Kills all of its process group: grandchildren, too, and also when it has ended itself. False if none was left.
  /// Throws RuntimeError if it has no group of its own: `.process_group = 0` or `.start_new_session`.
  bool kill_tree() const;

 private:
  detail::ProcessHandle handle_;
};

/// What went wrong with a program that was run.
class SubprocessError : public std::runtime_error { using runtime_error::runtime_error; };
/// It ended with another exit code than 0, and `.check` was asked for.
class CalledProcessError : public SubprocessError {
 public:
  CalledProcessError(std::string command, int returncode, ProcessOutput output);
  const std::string& command() const noexcept { return command_; }
  int returncode() const noexcept { return returncode_; }
  const std::string& out() const noexcept { return output_.out; }
  const std::string& err() const noexcept { return output_.err; }

 private:
  std::string command_;
  int returncode_;
  ProcessOutput output_;
};
/// It did not end in time, and was killed. Unlike Python's, a TimeoutError.
class TimeoutExpired : public TimeoutError {
 public:
  TimeoutExpired(std::string command, Duration timeout, ProcessOutput output);
  const std::string& command() const noexcept { return command_; }
  Duration timeout() const noexcept { return timeout_; }
  /// What had come by then.
  const std::string& out() const noexcept { return output_.out; }
  const std::string& err() const noexcept { return output_.err; }

 private:
  std::string command_;
  Duration timeout_;
  ProcessOutput output_;
};

struct RunProcessOptions {
  // Behaviour.
  std::string_view input = {};  // if it is not empty: `in` becomes a PIPE
  bool capture_output = false;  // `out` and `err` become PIPEs
  bool check = false;           // an exit code that is not 0 throws CalledProcessError
  bool kill_tree = true;        // it gets a process group of its own, all of which a timeout or a cancellation kills;
                                // false for programs that read from the terminal, which must be in its group
  SubprocessOptions process = {};
  // Limits.
  Duration timeout = Duration::max();
  std::size_t output_limit = static_cast<std::size_t>(-1);  // of out and of err each, bytes
};

struct CompletedProcess {
  std::string command;  // as in messages: "ls /zzz"
  int returncode;
  std::string out, err;
  /// Throws CalledProcessError unless it is 0.
  void check_returncode() const;
};

namespace detail {

template <class T>
void add_argument(std::vector<std::string>& arguments, const T& argument) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    arguments.emplace_back(std::string_view(argument));
  } else if constexpr (requires { argument.native(); }) {  // a std::filesystem::path
    arguments.emplace_back(argument.native());
  } else if constexpr (requires { argument.begin(); argument.end(); }) {
    for (const auto& part : argument) add_argument(arguments, part);
  } else {
    static_assert(kNever<T>, "eddy: the arguments of a program are strings, paths, or containers of them");
  }
}
template <class... Args>
std::vector<std::string> arguments_of(const Args&... args) {
  std::vector<std::string> arguments;
  arguments.reserve(sizeof...(args));
  (add_argument(arguments, args), ...);
  return arguments;
}

Coro<Process> create_subprocess(const SubprocessOptions& options, std::vector<std::string> arguments);
Coro<CompletedProcess> run_process(const RunProcessOptions& options, std::vector<std::string> arguments);
std::vector<std::string> shell_arguments(std::string_view command);

}  // namespace detail

/// Starts `program`, a path or a name that is looked up in the child's PATH, with arguments: strings, paths, or containers
/// of them. The loop stands still until the new program has been loaded, about a millisecond.
///
///     auto process = co_await create_subprocess_exec({.out = PIPE}, "ls", "-l");
///     auto [out, err] = co_await process.communicate();
///
/// Throws FileNotFoundError, PermissionError and others of OSError, which name the program or the directory;
/// ValueError for options that exclude each other.
template <class... Args>
Coro<Process> create_subprocess_exec(SubprocessOptions options, const Args&... program_and_arguments) {
  static_assert(sizeof...(Args) > 0, "eddy: create_subprocess_exec() needs a program");
  return detail::create_subprocess(options, detail::arguments_of(program_and_arguments...));
}
/// Starts `/bin/sh -c command`. What a user gave must not be pasted into a command: give it as an argument of a program,
/// or in the environment.
inline Coro<Process> create_subprocess_shell(SubprocessOptions options, std::string_view command) {
  return detail::create_subprocess(options, detail::shell_arguments(command));
}

/// Starts a program, communicates, and waits for its end: `subprocess.run`.
///
/// A timeout throws TimeoutExpired, with what had come until then. Whatever ends the wait early, a timeout, a
/// cancellation, too much output, the program is killed, by default with all that it started, and laid to rest.
template <class... Args>
Coro<CompletedProcess> run_process(RunProcessOptions options, const Args&... program_and_arguments) {
  static_assert(sizeof...(Args) > 0, "eddy: run_process() needs a program");
  return detail::run_process(options, detail::arguments_of(program_and_arguments...));
}
inline Coro<CompletedProcess> run_shell(RunProcessOptions options, std::string_view command) {
  return detail::run_process(options, detail::shell_arguments(command));
}

}  // namespace eddy
