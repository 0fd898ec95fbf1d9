// SPDX-License-Identifier: MIT
#include "io/file_transfer.hpp"

#include <eddy/exceptions.hpp>
#include <eddy/threads.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/text.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {
namespace {

// A request that the back end has, and the task that waits for it, in the frame of the coroutine that awaits it.
class Submitted final : public FileRequest {
 public:
  Submitted(Kind what, int descriptor, char* memory, std::size_t bytes, std::int64_t at, ssize_t& into) : result_(into) {
    kind = what;
    fd = descriptor;
    data = memory;
    size = bytes;
    offset = at;
    done = [](FileRequest& request, int outcome) noexcept { static_cast<Submitted&>(request).finish(outcome); };
  }
  Submitted(const Submitted&) = delete;

  class Awaiter {
   public:
    explicit Awaiter(Submitted& request) noexcept : request_(&request) {}
    bool await_ready() const noexcept { return request_->done_; }
    void await_suspend(std::coroutine_handle<> where) {
      request_->waiter_ = &current_task_core();
      request_->waiter_->wait(where, kOps, request_);
      Loop::of(*request_->waiter_->loop).expect_wakeup();
    }
    void await_resume() {
      auto* task = std::exchange(request_->waiter_, nullptr);
      if (!task) return;
      Loop::of(*task->loop).wakeup_came();
      task->throw_if_cancelled();
    }

   private:
    Submitted* request_;
  };
  Awaiter wait() noexcept { return Awaiter(*this); }

 private:
  void finish(int outcome) noexcept {
    result_ = outcome;
    done_ = true;
    if (waiter_) waiter_->wake();
  }
  // The kernel has our memory: the task throws when it has given it back.
  static CancelResult cancel(TaskCore&) noexcept { return CancelResult::deferred; }
  static void detach(TaskCore& task) noexcept {
    auto& self = *static_cast<Submitted*>(task.object);
    Loop::of(*task.loop).wakeup_came();
    self.waiter_ = nullptr;  // the back end has settled: no request is under way when a loop closes
  }
  static void describe(const TaskCore& task, Text& text) {
    const auto& self = *static_cast<const Submitted*>(task.object);
    const char* what = self.kind == Kind::read ? "read" : self.kind == Kind::write ? "write" : "sync";
    text.add("a {} of the file of descriptor {}", what, self.fd);
  }
  static constexpr WaitOps kOps{&cancel, &detach, &describe, nullptr, nullptr, "file"};

  ssize_t& result_;
  TaskCore* waiter_ = nullptr;
  bool done_ = false;
};

ssize_t transfer_now(FileRequest::Kind kind, int fd, char* data, std::size_t size, std::int64_t offset) noexcept {
  for (;;) {
    ssize_t count = 0;
    switch (kind) {
      case FileRequest::Kind::read: count = offset < 0 ? ::read(fd, data, size) : ::pread(fd, data, size, offset); break;
      case FileRequest::Kind::write: count = offset < 0 ? ::write(fd, data, size) : ::pwrite(fd, data, size, offset); break;
      case FileRequest::Kind::sync: count = ::fsync(fd); break;
    }
    if (count >= 0) return count;
    if (errno != EINTR) return -errno;
  }
}

}  // namespace

Coro<> transfer(FileRequest::Kind kind, int fd, char* data, std::size_t size, std::int64_t offset, ssize_t& result) {
  using eddy_body [[maybe_unused]] = int;
  constexpr std::size_t kMost = 1u << 30;  // the kernel's own limit is a little below 2 GiB
  for (bool interrupted = true; interrupted;) {
    Submitted request(kind, fd, data, std::min(size, kMost), offset, result);
    if (!Loop::running().backend->submit(request)) break;
    co_await request.wait();
    interrupted = result == -EINTR;
    if (!interrupted) co_return;
  }
  auto call = [&] { result = transfer_now(kind, fd, data, std::min(size, kMost), offset); };
  co_await on_thread(call);
}

Coro<> call_on_thread(void (*call)(void*), void* what) {
  using eddy_body [[maybe_unused]] = int;
  co_await to_thread(call, what);
}

void throw_path_error(std::string_view operation, std::string_view path) { throw_path_error(errno, operation, path); }
void throw_path_error(int error, std::string_view operation, std::string_view path) {
  throw_os_error(error, fmt::format("{} '{}'", operation, path));
}

void check_path(std::string_view operation, std::string_view path) {
  if (path.find('\0') == path.npos) return;
  throw ValueError(fmt::format("{} '{}': the path has a zero byte in it", operation, path.substr(0, path.find('\0'))));
}

}  // namespace eddy::detail
