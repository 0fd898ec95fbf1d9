// SPDX-License-Identifier: MIT
// A stream for any descriptor that the process was born with.
#include <eddy/exceptions.hpp>
#include <eddy/terminal.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.hpp"
#include "io/file_transfer.hpp"
#include "io/stream_core.hpp"

namespace eddy {
namespace detail {
namespace {

// Files, and devices that cannot be polled: reads are done on the pool, writes at once.
class FileDriver final : public StreamDriver {
 public:
  FileDriver(Loop& loop, UniqueFd fd, StreamSink& sink) : loop_(loop), state_(std::make_shared<State>()) {
    state_->fd = std::move(fd);
    state_->sink = &sink;
  }
  ~FileDriver() override { state_->sink = nullptr; }

  int fd() const noexcept override { return state_->fd.get(); }
  void redirect(StreamSink& sink) noexcept override { state_->sink = &sink; }

  void read() override {
    state_->wanted = true;
    if (state_->busy) return;
    if (!state_->ahead().empty()) return state_->deliver();
    state_->busy = true;
    loop_.facade->create_task(read_some(state_), {.name = "read a file"});
  }
  void stop_reading() noexcept override { state_->wanted = false; }

  void flush() noexcept override {
    auto& sink = *state_->sink;
    for (auto bytes = sink.unsent(); !bytes.empty();) {
      const auto written = ::write(fd(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return sink.write_failed(errno);
      bytes = sink.sent(static_cast<std::size_t>(written));
      if (!state_->sink) return;
    }
  }
  void shut_down_writing() noexcept override {}

 private:
  struct State {
    UniqueFd fd;
    StreamSink* sink;  // null: nobody wants to know any more
    std::string block;
    std::size_t begin = 0;
    bool busy = false;
    bool wanted = false;

    std::string_view ahead() const noexcept { return std::string_view(block).substr(begin); }
    void deliver() {
      wanted = false;
      const auto space = sink->read_space();
      const auto count = std::min(space.size(), ahead().size());
      std::memcpy(space.data(), ahead().data(), count);
      begin += count;
      sink->received(count);
    }
  };

  static Coro<> read_some(std::shared_ptr<State> state) {
    using eddy_body [[maybe_unused]] = int;
    std::string block(64 * 1024, '\0');
    ssize_t count = 0;
    co_await transfer(FileRequest::Kind::read, state->fd.get(), block.data(), block.size(), -1, count);
    state->busy = false;
    if (!state->sink) co_return;
    block.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    state->block = std::move(block);
    state->begin = 0;
    if (count < 0) state->sink->read_failed(static_cast<int>(-count));
    else if (count == 0) state->sink->ended();
    else if (state->wanted) state->deliver();
  }

  Loop& loop_;
  std::shared_ptr<State> state_;
};

[[noreturn]] void fail(int descriptor) { throw_os_error(errno, fmt::format("open descriptor {} as a stream", descriptor)); }

// Of its own, where the system allows it: O_NONBLOCK belongs to what was opened, not to our descriptor of it.
UniqueFd open_again(int descriptor, mode_t type, int access) {
  if (!S_ISSOCK(type)) {
    const auto path = fmt::format("/proc/self/fd/{}", descriptor);
    UniqueFd fd(::open(path.c_str(), access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (fd) return fd;
  }
  UniqueFd fd(::fcntl(descriptor, F_DUPFD_CLOEXEC, 3));
  if (!fd || ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK) != 0) fail(descriptor);
  return fd;
}

Streams open_streams(int descriptor, int access, std::size_t limit) {
  auto& loop = Loop::running();
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) fail(descriptor);
  const bool is_terminal = ::isatty(descriptor) == 1;
  if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || is_terminal) {
    auto streams = make_streams(loop, open_again(descriptor, status.st_mode, access).release(), limit);
    if (is_terminal) streams.reader.core().set_terminal();
    return streams;
  }
  UniqueFd fd(::fcntl(descriptor, F_DUPFD_CLOEXEC, 3));
  if (!fd) fail(descriptor);
  const auto make = [&](StreamSink& sink) { return std::make_unique<FileDriver>(loop, std::move(fd), sink); };
  return make_streams(loop, MakeDriver(std::ref(make)), limit);
}

}  // namespace
}  // namespace detail

StreamReader open_reader(int descriptor, std::size_t limit) { return detail::open_streams(descriptor, O_RDONLY, limit).reader; }
StreamWriter open_writer(int descriptor) {
  auto writer = detail::open_streams(descriptor, O_WRONLY, 0).writer;
  writer.core().set_write_only();
  return writer;
}
StreamReader open_stdin(std::size_t limit) { return open_reader(0, limit); }
StreamWriter open_stdout() { return open_writer(1); }
StreamWriter open_stderr() { return open_writer(2); }

}  // namespace eddy
