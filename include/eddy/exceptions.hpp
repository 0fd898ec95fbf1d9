// SPDX-License-Identifier: MIT
// Every exception eddy throws, under the names Python gives them.
//
//   BaseException                      not a std::exception, so catch (const std::exception&) lets it pass
//   ├── CancelledError                 thrown at the await of a cancelled task; rethrow it after cleaning up
//   ├── KeyboardInterrupt, SystemExit  leave run() after everything was unwound
//   └── GeneratorExit                  thrown at the yield of a generator that is being closed
//   std::exception
//   ├── RuntimeError, DeadlockError, BrokenBarrierError, BrokenPromiseError, BusyResourceError, ClosedResourceError
//   ├── ValueError, TypeError, InvalidStateError
//   ├── LookupError: KeyError
//   ├── QueueEmpty, QueueFull, QueueShutDown
//   ├── StopIterationBase: StopIteration<R>; StopAsyncIteration    what eddy::next() and anext() throw at the end
//   ├── EOFError: IncompleteReadError; LimitOverrunError
//   ├── ExceptionGroup
//   └── std::system_error: OSError     and its family by errno, TimeoutError, GaiError
#pragma once

#include <exception>
#include <eddy/detail/cancelled.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace eddy {

class KeyboardInterrupt : public BaseException {};
class GeneratorExit : public BaseException {};
class SystemExit : public BaseException {
 public:
  explicit SystemExit(int code) noexcept : code_(code) {}
  int code() const noexcept { return code_; }

 private:
  int code_;
};

/// An operation in a state that does not allow it.
class RuntimeError : public std::runtime_error { using runtime_error::runtime_error; };
/// Tasks wait and nothing is left that could wake them; the text names tasks, waits and lines.
class DeadlockError : public RuntimeError { using RuntimeError::RuntimeError; };
/// A Promise went without a result, so its future will never have one.
class BrokenPromiseError : public RuntimeError { using RuntimeError::RuntimeError; };
class BrokenBarrierError : public RuntimeError { using RuntimeError::RuntimeError; };
/// The kernel cannot send this file to this socket, and reading and writing it was not allowed.
class SendfileNotAvailableError : public RuntimeError { using RuntimeError::RuntimeError; };
/// Two tasks use one end of a stream or a descriptor at once, where their bytes would mix: trio's.
class BusyResourceError : public RuntimeError { using RuntimeError::RuntimeError; };
/// What a task uses, or waits for, was closed on this side: trio's.
class ClosedResourceError : public std::logic_error {
 public:
  using logic_error::logic_error;
  ClosedResourceError();  // of a channel
};
/// The result of a future that has none, or a second result for one that has.
class InvalidStateError : public std::logic_error { using logic_error::logic_error; };
class ValueError : public std::invalid_argument { using invalid_argument::invalid_argument; };
class TypeError : public std::logic_error { using logic_error::logic_error; };
class LookupError : public std::out_of_range { using out_of_range::out_of_range; };
class KeyError : public LookupError { using LookupError::LookupError; };

class QueueEmpty : public std::runtime_error { public: QueueEmpty(); };
class QueueFull : public std::runtime_error { public: QueueFull(); };
class QueueShutDown : public std::runtime_error { public: QueueShutDown(); };

/// The end of a generator, for those who ask with `eddy::next()`. A generator that lets it out of its body throws
/// RuntimeError instead (PEP 479): leave a body with co_return.
class StopIterationBase : public std::exception {
 public:
  const char* what() const noexcept override;
};
/// With what the generator returned.
template <class R = void>
class StopIteration : public StopIterationBase {
 public:
  explicit StopIteration(R result) : value(static_cast<R&&>(result)) {}
  R value;
};
template <>
class StopIteration<void> : public StopIterationBase {};
StopIteration() -> StopIteration<void>;
class StopAsyncIteration : public std::exception {
 public:
  const char* what() const noexcept override;
};

class EOFError : public std::runtime_error { using runtime_error::runtime_error; };
/// The stream ended before a read had what it was asked for.
class IncompleteReadError : public EOFError {
 public:
  /// `expected` is 0 when the read looked for a separator, not for a number of bytes.
  IncompleteReadError(std::string partial, std::size_t expected);
  const std::string& partial() const noexcept { return partial_; }
  std::size_t expected() const noexcept { return expected_; }

 private:
  std::string partial_;
  std::size_t expected_;
};
/// No separator within the reader's limit. The bytes stay in the stream.
class LimitOverrunError : public std::runtime_error {
 public:
  LimitOverrunError(const std::string& what, std::size_t consumed) : runtime_error(what), consumed_(consumed) {}
  /// Bytes that may be consumed before looking again.
  std::size_t consumed() const noexcept { return consumed_; }

 private:
  std::size_t consumed_;
};

/// Several errors at once: what a task group's children threw, in the order in which they failed.
class ExceptionGroup : public std::runtime_error {
 public:
  ExceptionGroup(std::string_view message, std::vector<std::exception_ptr> exceptions);
  const std::vector<std::exception_ptr>& exceptions() const noexcept { return exceptions_; }

 private:
  std::vector<std::exception_ptr> exceptions_;
};

/// A failed system call. `code()` has errno; `what()` names the operation and its object.
class OSError : public std::system_error {
 public:
  OSError(std::error_code code, const std::string& what) : system_error(code), what_(what) {}
  OSError(int error_number, const std::string& what) : OSError({error_number, std::generic_category()}, what) {}
  const char* what() const noexcept override { return what_.what(); }
  int error_number() const noexcept { return code().value(); }

 private:
  std::runtime_error what_;  // a string whose copies cannot throw
};
class BlockingIOError : public OSError { using OSError::OSError; };          // EAGAIN, EALREADY, EINPROGRESS
class ChildProcessError : public OSError { using OSError::OSError; };        // ECHILD
class ConnectionError : public OSError { using OSError::OSError; };
class BrokenPipeError : public ConnectionError { using ConnectionError::ConnectionError; };         // EPIPE, ESHUTDOWN
class ConnectionAbortedError : public ConnectionError { using ConnectionError::ConnectionError; };  // ECONNABORTED
class ConnectionRefusedError : public ConnectionError { using ConnectionError::ConnectionError; };  // ECONNREFUSED
class ConnectionResetError : public ConnectionError { using ConnectionError::ConnectionError; };    // ECONNRESET
class FileExistsError : public OSError { using OSError::OSError; };          // EEXIST
class FileNotFoundError : public OSError { using OSError::OSError; };        // ENOENT
class InterruptedError : public OSError { using OSError::OSError; };         // EINTR
class IsADirectoryError : public OSError { using OSError::OSError; };        // EISDIR
class NotADirectoryError : public OSError { using OSError::OSError; };       // ENOTDIR
class PermissionError : public OSError { using OSError::OSError; };          // EACCES, EPERM
class ProcessLookupError : public OSError { using OSError::OSError; };       // ESRCH
/// A deadline passed: of timeout(), wait_for(), or of the system (ETIMEDOUT).
class TimeoutError : public OSError {
 public:
  using OSError::OSError;
  explicit TimeoutError(const std::string& what);
};
/// A host name that cannot be resolved; `error_number()` is one of EAI_….
class GaiError : public OSError {
 public:
  GaiError(int eai_code, const std::string& what);
};

/// Throws the OSError of the family that belongs to `error_number`: "connect to 127.0.0.1:1: Connection refused".
[[noreturn]] void throw_os_error(int error_number, std::string_view operation);
/// The same as an exception_ptr, for errors that travel before they are thrown.
std::exception_ptr make_os_error(int error_number, std::string_view operation);

}  // namespace eddy
