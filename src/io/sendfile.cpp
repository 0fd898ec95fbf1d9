// SPDX-License-Identifier: MIT
// loop.sendfile(): a file behind what was written, from the page cache to the socket without a copy.
#include <eddy/exceptions.hpp>
#include <eddy/threads.hpp>
#include <eddy/transports.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/quiet_pipe.hpp"
#include "base/unique_fd.hpp"
#include "io/transport_core.hpp"

namespace eddy::detail {
namespace {

constexpr std::uint64_t kMostAtOnce = 1 << 30;
constexpr std::size_t kChunk = 256 * 1024;  // of the fallback

// No data and no writes while the file goes.
class Hold {
 public:
  explicit Hold(TransportPtr transport) : transport_(std::move(transport)), was_reading_(transport_->is_reading()) {
    transport_->pause_reading();
    transport_.core().hold_writes(true);
  }
  Hold(Hold&&) = delete;
  ~Hold() {
    transport_.core().hold_writes(false);
    if (was_reading_) transport_->resume_reading();
  }

 private:
  TransportPtr transport_;
  bool was_reading_;
};

// Waits for room through a second descriptor of the socket: the first one is its driver's.
class RoomWatch {
 public:
  RoomWatch(EventLoop& loop, int fd) : loop_(loop), fd_(::fcntl(fd, F_DUPFD_CLOEXEC, 0)) {
    if (!fd_) throw_os_error(errno, "sendfile: second descriptor");
  }
  RoomWatch(RoomWatch&&) = delete;
  ~RoomWatch() { loop_.remove_writer(fd_.get()); }

  Coro<> wait() {
    auto room = loop_.create_future<>();
    auto tell = [this, room] {
      loop_.remove_writer(fd_.get());
      if (!room.done()) room.set_result();
    };
    loop_.add_writer(fd_.get(), std::move(tell));
    co_await room;
  }

 private:
  EventLoop& loop_;
  UniqueFd fd_;
};

bool is_unavailable(int error_number) noexcept {
  return error_number == EINVAL || error_number == ENOSYS || error_number == ENOTSOCK || error_number == EOPNOTSUPP;
}

// Throws SendfileNotAvailableError if the first call says that it will never do.
Coro<std::uint64_t> send_native(TransportPtr transport, int file, SendfileOptions options) {
  auto& core = transport.core();
  RoomWatch room(get_running_loop(), core.fd());
  auto offset = static_cast<off_t>(options.offset);
  std::uint64_t total = 0;
  while (total < options.count) {
    if (core.is_closing()) throw_os_error(ECONNABORTED, "sendfile to " + core.describe());
    ssize_t sent = 0;
    {
      const QuietPipe quiet;
      sent = ::sendfile(core.fd(), file, &offset, std::min(options.count - total, kMostAtOnce));
    }
    const int failure = errno;
    if (sent == 0) break;
    if (sent > 0) {
      total += static_cast<std::uint64_t>(sent);
      core.note_moved();
    } else if (failure == EAGAIN) {
      co_await room.wait();
    } else if (failure != EINTR) {
      if (total == 0 && is_unavailable(failure)) {
        throw SendfileNotAvailableError(fmt::format("sendfile(2) does not work from descriptor {} to {}", file, core.describe()));
      }
      throw_os_error(failure, "sendfile to " + core.describe());
    }
  }
  co_return total;
}

std::string read_chunk(int file, std::uint64_t offset, std::size_t most) {
  std::string chunk(most, '\0');
  ssize_t count = 0;
  do {
    count = ::pread(file, chunk.data(), chunk.size(), static_cast<off_t>(offset));
  } while (count < 0 && errno == EINTR);
  if (count < 0) throw_os_error(errno, fmt::format("sendfile: read from descriptor {}", file));
  chunk.resize(static_cast<std::size_t>(count));
  return chunk;
}

Coro<std::uint64_t> send_copies(TransportPtr transport, int file, SendfileOptions options) {
  auto& core = transport.core();
  std::uint64_t total = 0;
  while (total < options.count) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(options.count - total, kChunk));
    auto read = [file, wanted, from = options.offset + total] { return read_chunk(file, from, wanted); };
    auto chunk = co_await to_thread(read);
    if (chunk.empty()) break;
    core.hold_writes(false);
    core.write(chunk);
    core.hold_writes(true);
    co_await core.drained(core.limits().low);
    if (core.is_closing()) throw_os_error(ECONNABORTED, "sendfile to " + core.describe());
    total += chunk.size();
  }
  co_return total;
}

}  // namespace

Coro<std::uint64_t> sendfile(TransportPtr transport, int file, SendfileOptions options) {
  auto& core = transport.core();
  if (core.is_closing()) throw RuntimeError("sendfile: the transport is closing");
  Hold hold(transport);
  co_await core.drained(0);
  std::exception_ptr unavailable;
  if (core.driver() && core.driver()->is_plain_socket()) {
    try {
      const auto sent = co_await send_native(transport, file, options);
      co_return sent;
    } catch (const SendfileNotAvailableError&) {
      unavailable = std::current_exception();
    }
  }
  if (!options.fallback) {
    if (unavailable) std::rethrow_exception(unavailable);
    throw SendfileNotAvailableError(fmt::format("sendfile(2) cannot serve {}: it is no plain socket", core.describe()));
  }
  const auto copied = co_await send_copies(transport, file, options);
  co_return copied;
}

}  // namespace eddy::detail
