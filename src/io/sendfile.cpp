// SPDX-License-Identifier: MIT
// StreamWriter::sendfile() and loop.sendfile(): a file behind what was written, from the page cache to the socket without
// a copy.
//
// sendfile(2) goes around the stream's driver, while nothing is queued. Waiting for room is the driver's: it waits as long
// as bytes are queued. So when the socket is full, a page of the file is read and queued like any write, and when the driver
// has sent it, there is room. One page in a third of a socket's buffer is copied so, and no driver has to know of files.
//
// The head of a response, or what else was written, goes first, by itself: with MSG_MORE, in one segment with the file's
// beginning, a file of 100 kB cost 10 % more of the server's CPU time on loopback.
//
// The disk does not hold up the loop: what the page cache has not is read as files are, by the back end or on a thread,
// and copied. Only its first and last byte are looked at (RWF_NOWAIT), since the kernel reads ahead: a hole between them
// is read by sendfile(2). Where a filesystem does not know RWF_NOWAIT (overlayfs, NFS), sendfile(2) may have to wait.
#include <eddy/exceptions.hpp>
#include <eddy/tasks.hpp>
#include <eddy/transports.hpp>
#include <fmt/format.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "io/file_transfer.hpp"
#include "io/socket_calls.hpp"
#include "io/stream_core.hpp"
#include "io/transport_core.hpp"

namespace eddy::detail {
namespace {

constexpr std::uint64_t kTurn = 256 * 1024;        // sent before others get a turn
constexpr std::size_t kPage = 4 * 1024;            // queued in order to wait for room
constexpr std::uint64_t kCachedPiece = 64 * 1024;  // copied out of the page cache, on the loop, a turn
constexpr std::uint64_t kDiskPiece = 256 * 1024;   // or from the disk

struct FilePart {
  int file;
  std::uint64_t offset;
  std::uint64_t size;

  FilePart first(std::uint64_t most) const noexcept { return {file, offset, std::min(size, most)}; }
};

// The bytes read, or -1: errno tells why not. EAGAIN: they are not in the page cache.
ssize_t read_cached(const FilePart& part, char* data) noexcept {
  const iovec space{data, static_cast<std::size_t>(part.size)};
  return ::preadv2(part.file, &space, 1, static_cast<off_t>(part.offset), RWF_NOWAIT);
}

bool is_cached(const FilePart& part) noexcept {
  char byte = 0;
  for (const auto at : {part.offset, part.offset + part.size - 1}) {
    if (read_cached({part.file, at, 1}, &byte) < 0 && errno == EAGAIN) return false;
  }
  return true;
}

// Met while reading. What else sendfile(2) meets is the connection's.
bool is_of_file(int error_number) noexcept {
  return error_number == EBADF || error_number == ESPIPE || error_number == EIO || error_number == ESTALE ||
         error_number == EOVERFLOW || error_number == ENOMEM;
}

// Empty at the end of the file.
Coro<std::string> read_piece(FilePart part) {
  const auto cached = part.first(kCachedPiece);
  std::string piece(static_cast<std::size_t>(cached.size), '\0');
  auto count = read_cached(cached, piece.data());
  if (count < 0 && is_of_file(errno)) throw_os_error(errno, fmt::format("sendfile from descriptor {}", part.file));
  if (count <= 0) {
    piece.resize(static_cast<std::size_t>(part.first(kDiskPiece).size));
    co_await transfer(FileRequest::Kind::read, part.file, piece.data(), piece.size(), static_cast<std::int64_t>(part.offset), count);
    if (count < 0) throw_os_error(static_cast<int>(-count), fmt::format("sendfile from descriptor {}", part.file));
  }
  piece.resize(static_cast<std::size_t>(count));
  co_return piece;
}

bool is_unavailable(int error_number) noexcept {
  return error_number == EINVAL || error_number == ENOSYS || error_number == ENOTSOCK || error_number == EOPNOTSUPP;
}

Coro<> until_sent(TransportCore& core) { co_await core.drained(0); }
Coro<> until_sent(StreamCore& core) {
  while (!core.closed() && core.queued() > 0) co_await StreamCore::Change(core, StreamCore::Change::For::file);
}

void check_open(const TransportCore& core) {
  if (core.is_closing()) throw_os_error(ECONNABORTED, "sendfile to " + core.describe());
}
void check_open(const StreamCore& core) {
  if (core.is_closing()) core.throw_lost("sendfile to ");
}

// What both kinds of connection do once they have kept others from writing. `Core` is alive until it has ended.
template <class Core>
class FileSending {
 public:
  FileSending(Core& core, int file, SendfileOptions options)
      : core_(core), file_(file), options_(options), by_kernel_(core.driver()->is_plain_socket()) {
    if (!by_kernel_) refuse_without_fallback("sendfile(2) cannot serve {}: it is no plain socket", core_.describe());
  }

  Coro<std::uint64_t> run() {
    co_await until_sent(core_);
    std::uint64_t turn_began = 0;
    while (total_ < options_.count && !ended_) {
      check_open(core_);
      const auto part = rest().first(kTurn);
      if (!by_kernel_ || !is_cached(part)) co_await copy_piece();
      else if (!send(part)) co_await copy_page();
      if (total_ - turn_began >= kTurn || !by_kernel_) {  // a peer that takes everything at once is not alone
        turn_began = total_;
        co_await sleep(Duration());
      }
    }
    co_return total_;
  }

 private:
  FilePart rest() const noexcept { return {file_, options_.offset + total_, options_.count - total_}; }

  // False: the socket is full, or the file has ended before the part, which reading will tell.
  bool send(const FilePart& part) {
    const auto sent = send_file_some(core_.fd(), file_, part.offset, part.size);
    const int failure = errno;
    if (sent >= 0) {
      ended_ = sent == 0;
      total_ += static_cast<std::uint64_t>(sent);
      core_.note_sent(static_cast<std::size_t>(sent));
      return ended_ || static_cast<std::uint64_t>(sent) == part.size;
    }
    if (failure == EAGAIN) return false;
    if (is_of_file(failure)) throw_os_error(failure, fmt::format("sendfile from descriptor {}", file_));
    if (!is_unavailable(failure)) {
      const auto what = "sendfile to " + core_.describe();
      core_.sending_failed(failure);
      throw_os_error(failure, what);
    }
    refuse_without_fallback("sendfile(2) does not work from descriptor {} to {}", file_, core_.describe());
    by_kernel_ = false;
    return true;
  }

  Coro<> copy_page() {
    char page[kPage];
    const auto part = rest().first(kPage);
    auto count = read_cached(part, page);
    if (count < 0 && errno == EOPNOTSUPP) count = ::pread(file_, page, static_cast<std::size_t>(part.size), static_cast<off_t>(part.offset));
    if (count < 0) co_await copy_piece();
    else co_await queue({page, static_cast<std::size_t>(count)});
  }

  Coro<> copy_piece() {
    const auto piece = co_await read_piece(rest());
    check_open(core_);
    co_await queue(piece);
  }

  // `piece`: the caller's, until this has ended. An empty one is the end of the file.
  Coro<> queue(std::string_view piece) {
    core_.write_of_file(piece);
    total_ += piece.size();
    ended_ = piece.empty();
    co_await until_sent(core_);
    check_open(core_);
  }

  template <class... Values>
  void refuse_without_fallback(fmt::format_string<Values...> reason, Values&&... values) const {
    if (!options_.fallback) throw SendfileNotAvailableError(fmt::format(reason, std::forward<Values>(values)...));
  }

  Core& core_;
  const int file_;
  const SendfileOptions options_;
  std::uint64_t total_ = 0;
  bool by_kernel_;
  bool ended_ = false;  // the file
};

// No data and no writes while the file goes.
class TransportHold {
 public:
  explicit TransportHold(TransportPtr transport) : transport_(std::move(transport)), was_reading_(transport_->is_reading()) {
    transport_->pause_reading();
    transport_.core().hold_writes(true);
  }
  TransportHold(TransportHold&&) = delete;
  ~TransportHold() {
    transport_.core().hold_writes(false);
    if (was_reading_) transport_->resume_reading();
  }

 private:
  TransportPtr transport_;
  bool was_reading_;
};

class StreamHold {
 public:
  explicit StreamHold(StreamCore& core) : core_(core) { core_.begin_file(); }
  StreamHold(StreamHold&&) = delete;
  ~StreamHold() { core_.end_file(); }

 private:
  StreamCore& core_;
};

Coro<std::uint64_t> send_over_stream(StreamHandle stream, int file, SendfileOptions options) {
  auto& core = stream.core();
  const StreamHold hold(core);
  check_open(core);
  FileSending sending(core, file, options);
  const auto sent = co_await sending.run();
  co_return sent;
}

}  // namespace

Coro<std::uint64_t> sendfile(TransportPtr transport, int file, SendfileOptions options) {
  auto& core = transport.core();
  if (core.is_closing()) throw RuntimeError("sendfile: the transport is closing");
  const TransportHold hold(transport);
  co_await core.drained(0);
  check_open(core);
  FileSending sending(core, file, options);
  const auto sent = co_await sending.run();
  co_return sent;
}

}  // namespace eddy::detail

namespace eddy {

Coro<std::uint64_t> StreamWriter::sendfile(int file, SendfileOptions options) {
  return detail::send_over_stream(*this, file, options);
}

}  // namespace eddy
