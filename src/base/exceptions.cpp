// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>

#include <fmt/format.h>
#include <netdb.h>

#include <cerrno>
#include <cstring>

namespace eddy {
namespace {

class GaiCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "getaddrinfo"; }
  std::string message(int code) const override { return ::gai_strerror(code); }
};

const std::error_category& gai_category() noexcept {
  static const GaiCategory category;
  return category;
}

std::string first_line_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "not a std::exception";
  }
}

std::string group_text(std::string_view message, const std::vector<std::exception_ptr>& exceptions) {
  auto text = fmt::format("{} ({} sub-exception{})", message, exceptions.size(), exceptions.size() == 1 ? "" : "s");
  for (const auto& error : exceptions) text += "\n  " + first_line_of(error);
  return text;
}

}  // namespace

const char* CancelledError::message() const noexcept {
  if (!message_) return "";
  try {
    std::rethrow_exception(message_);
  } catch (const std::exception& e) {
    return e.what();  // lives as long as message_ does
  } catch (...) {
    return "";
  }
}

const char* StopIterationBase::what() const noexcept { return "StopIteration"; }
const char* StopAsyncIteration::what() const noexcept { return "StopAsyncIteration"; }

QueueEmpty::QueueEmpty() : runtime_error("the queue is empty; co_await get() waits for an item") {}
QueueFull::QueueFull() : runtime_error("the queue is full; co_await put() waits for room") {}
QueueShutDown::QueueShutDown() : runtime_error("the queue was shut down") {}

IncompleteReadError::IncompleteReadError(std::string partial, std::size_t expected)
    : EOFError(expected == 0
                   ? fmt::format("the stream ended after {} bytes, before the separator", partial.size())
                   : fmt::format("the stream ended after {} of {} bytes", partial.size(), expected)),
      partial_(std::move(partial)),
      expected_(expected) {}

ExceptionGroup::ExceptionGroup(std::string_view message, std::vector<std::exception_ptr> exceptions)
    : runtime_error(group_text(message, exceptions)), exceptions_(std::move(exceptions)) {}

TimeoutError::TimeoutError(const std::string& what) : OSError(ETIMEDOUT, what) {}

GaiError::GaiError(int eai_code, const std::string& what) : OSError({eai_code, gai_category()}, what) {}

std::exception_ptr make_os_error(int error_number, std::string_view operation) {
  const auto what = fmt::format("{}: {}", operation, std::generic_category().message(error_number));
  switch (error_number) {
    case EAGAIN:
    case EALREADY:
    case EINPROGRESS: return std::make_exception_ptr(BlockingIOError(error_number, what));
    case ECHILD: return std::make_exception_ptr(ChildProcessError(error_number, what));
    case EPIPE:
    case ESHUTDOWN: return std::make_exception_ptr(BrokenPipeError(error_number, what));
    case ECONNABORTED: return std::make_exception_ptr(ConnectionAbortedError(error_number, what));
    case ECONNREFUSED: return std::make_exception_ptr(ConnectionRefusedError(error_number, what));
    case ECONNRESET: return std::make_exception_ptr(ConnectionResetError(error_number, what));
    case EEXIST: return std::make_exception_ptr(FileExistsError(error_number, what));
    case ENOENT: return std::make_exception_ptr(FileNotFoundError(error_number, what));
    case EINTR: return std::make_exception_ptr(InterruptedError(error_number, what));
    case EISDIR: return std::make_exception_ptr(IsADirectoryError(error_number, what));
    case ENOTDIR: return std::make_exception_ptr(NotADirectoryError(error_number, what));
    case EACCES:
    case EPERM: return std::make_exception_ptr(PermissionError(error_number, what));
    case ESRCH: return std::make_exception_ptr(ProcessLookupError(error_number, what));
    case ETIMEDOUT: return std::make_exception_ptr(TimeoutError(error_number, what));
    default: return std::make_exception_ptr(OSError(error_number, what));
  }
}

void throw_os_error(int error_number, std::string_view operation) {
  std::rethrow_exception(make_os_error(error_number, operation));
}

}  // namespace eddy
