// SPDX-License-Identifier: MIT
// Where file operations are done: by the back end if it can, else on the thread pool.
#pragma once

#include <eddy/coro.hpp>
#include <sys/types.h>

#include <string>
#include <string_view>

#include "loop/backend.hpp"

namespace eddy::detail {

/// Reads, writes or syncs once. `result` is set to the bytes, or to a negative errno, also when the wait is cancelled:
/// then CancelledError is thrown when it is over.
Coro<> transfer(FileRequest::Kind kind, int fd, char* data, std::size_t size, std::int64_t offset, ssize_t& result);

Coro<> call_on_thread(void (*call)(void*), void* what);

/// Calls `function()` on the loop's pool, and waits for it, whatever happens: it may refer to what the caller has.
template <class F>
Coro<> on_thread(F& function) {
  return call_on_thread([](void* what) { (*static_cast<F*>(what))(); }, &function);
}

/// Throws the OSError of errno: "stat 'path': No such file or directory".
[[noreturn]] void throw_path_error(std::string_view operation, std::string_view path);
[[noreturn]] void throw_path_error(int error, std::string_view operation, std::string_view path);
/// Throws ValueError: a system call would see but the part before the zero.
void check_path(std::string_view operation, std::string_view path);

}  // namespace eddy::detail
