// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>
#include <eddy/streams.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "io/sockets.hpp"
#include "io/stream_core.hpp"

namespace eddy {
namespace detail {

void retain(StreamCore& core) noexcept { core.retain(); }
void release(StreamCore& core) noexcept { core.release(); }

bool begin_read(StreamCore& core, ReadGoal goal, std::size_t count, std::string_view separator) {
  return core.begin_read(goal, count, separator);
}
void wait_read(StreamCore& core, std::coroutine_handle<> where) { core.wait_read(where); }
ReadEnd finish_read(StreamCore& core, bool waited) noexcept { return core.finish_read(waited); }
std::exception_ptr read_failure(const StreamCore& core) { return core.read_failure("read from "); }
std::string_view take_any(StreamCore& core, std::size_t most) noexcept { return core.take_any(most); }
std::string_view take_exactly(StreamCore& core, std::size_t count) { return core.take_exactly(count); }
std::string_view take_until(StreamCore& core, std::string_view separator, bool partial_at_end) {
  return core.take_until(separator, partial_at_end);
}

}  // namespace detail

std::string_view StreamReader::buffered() const noexcept { return core_->buffer().readable(); }
void StreamReader::consume(std::size_t n) noexcept { core_->buffer().consume(n); }
bool StreamReader::at_eof() const noexcept { return core_->ended_reading() && core_->buffer().empty(); }
std::size_t StreamReader::limit() const noexcept { return core_->limit(); }

bool StreamReader::More::await_ready() {
  before_ = core_->buffer().size();
  return core_->begin_read(detail::ReadGoal::exactly, before_ + 1, {});
}
bool StreamReader::More::has_more() const noexcept { return core_->buffer().size() > before_; }

void StreamWriter::write(std::string_view data) { core_->write(data); }
void StreamWriter::writelines(const std::vector<std::string_view>& pieces) { core_->writelines(pieces); }
void StreamWriter::write_eof() { core_->write_eof(); }
void StreamWriter::close() { core_->close(); }
void StreamWriter::abort() { core_->abort(); }
bool StreamWriter::is_closing() const noexcept { return core_->is_closing(); }
std::size_t StreamWriter::write_buffer_size() const noexcept { return core_->queued(); }
Address StreamWriter::local_address() const { return detail::local_of(core_->fd()); }
Address StreamWriter::peer_address() const { return detail::peer_of(core_->fd()); }
PeerCredentials StreamWriter::peer_credentials() const { return detail::credentials_of(core_->fd()); }
int StreamWriter::fileno() const noexcept { return core_->fd(); }

StreamWriter::Cork StreamWriter::cork() { return Cork(*this); }
StreamWriter::Cork::Cork(StreamWriter writer) : writer_(std::move(writer)) { writer_.core().cork(); }
StreamWriter::Cork::~Cork() {
  if (writer_) writer_.core().uncork();
}

bool StreamWriter::Drain::await_ready() const { return !core_->must_drain(); }
void StreamWriter::Drain::await_suspend(std::coroutine_handle<> where) {
  core_->wait_drain(where);
  waited_ = true;
}
void StreamWriter::Drain::await_resume() { core_->finish_drain(waited_); }

bool StreamWriter::WaitClosed::await_ready() const noexcept { return core_->closed(); }
void StreamWriter::WaitClosed::await_suspend(std::coroutine_handle<> where) {
  core_->wait_closed(where);
  waited_ = true;
}
void StreamWriter::WaitClosed::await_resume() { core_->finish_wait_closed(waited_); }

Coro<Streams> open_pipe() {
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) throw_os_error(errno, "pipe");
  auto& loop = detail::Loop::running();
  detail::UniqueFd writing(ends[1]);
  auto reader = detail::make_pipe_reader(loop, ends[0], 64 * 1024);
  auto writer = detail::make_pipe_writer(loop, writing.release());
  co_return Streams{std::move(reader), std::move(writer)};
}

}  // namespace eddy
