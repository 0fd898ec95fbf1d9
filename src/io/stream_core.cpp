// SPDX-License-Identifier: MIT
#include "io/stream_core.hpp"

#include <eddy/exceptions.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "io/sockets.hpp"
#include "task/plain_wait.hpp"

namespace eddy::detail {

namespace {

template <const char* what>
void describe_stream(const TaskCore& task, Text& text) {
  const auto fd = static_cast<const StreamCore*>(task.object)->fd();
  const auto peer = fd >= 0 ? peer_of(fd).str() : std::string();
  if (!peer.empty()) text.add("{} {} (descriptor {})", what, peer, fd);
  else if (fd >= 0) text.add("{} descriptor {}", what, fd);
  else text.add("{} a stream in memory", what);
}
constexpr char kReading[] = "bytes from";
constexpr char kDraining[] = "room to write to";
constexpr char kClosing[] = "the end of";
constexpr char kOpening[] = "a TLS handshake with";
constexpr char kSendingFile[] = "room to send a file to";
}  // namespace

const WaitOps StreamCore::kReadOps{&cancel_read, &detach_nothing, &describe_stream<kReading>, nullptr, nullptr,
                                 "stream read"};
const WaitOps StreamCore::kDrainOps{&cancel_at_once, &detach_waiter, &describe_stream<kDraining>, nullptr, nullptr,
                                  "stream drain"};
const WaitOps StreamCore::kCloseOps{&cancel_at_once, &detach_waiter, &describe_stream<kClosing>, nullptr, nullptr,
                                  "stream close"};

const WaitOps StreamCore::kHandshakeOps{&cancel_at_once, &detach_change, &describe_stream<kOpening>, nullptr, nullptr,
                                      "tls handshake"};
const WaitOps StreamCore::kFileOps{&cancel_at_once, &detach_change, &describe_stream<kSendingFile>, nullptr, nullptr,
                                 "stream sendfile"};

void StreamCore::detach_waiter(TaskCore& task) noexcept {
  if (task.WaitNode::is_linked()) static_cast<StreamCore*>(task.object)->waiters_.remove(static_cast<WaitNode&>(task));
}
void StreamCore::detach_change(TaskCore& task) noexcept { static_cast<StreamCore*>(task.object)->opener_ = nullptr; }

StreamCore::StreamCore(Loop& loop, std::size_t limit) noexcept : loop_(loop), limit_(limit) { run = &pump_later; }

void StreamCore::attach(std::unique_ptr<StreamDriver> driver) {
  driver_ = std::move(driver);
  loop_.own_descriptor(fd(), true);
  loop_.resources.push_back(static_cast<LoopResource&>(*this));
  // In memory, only this loop's own tasks can bring bytes: they do not count as something from outside.
  has_peer_ = driver_->fd() >= 0;
  if (has_peer_) loop_.io_opened();
}

void StreamCore::release() noexcept {
  if (--references_ > 0) return;
  // Nobody can read or write any more: send what was written, then go.
  ++references_;
  if (!closed()) close();
  if (--references_ == 0 && closed()) delete this;
}

// --- reading ------------------------------------------------------------------------------------------

bool StreamCore::begin_read(ReadGoal goal, std::size_t count, std::string_view separator) {
  if (reader_) {
    throw BusyResourceError(fmt::format("{}: another task already waits to read from it; one task reads at a time", describe()));
  }
  if (goal == ReadGoal::until && separator.empty()) throw ValueError("readuntil: the separator must not be empty");
  goal_ = goal;
  goal_count_ = count;
  if (goal == ReadGoal::until) separator_ = separator;
  scanned_ = found_ = 0;
  return pump();
}

bool StreamCore::other_goal_met() noexcept {
  if (ended_ || read_error_) {
    if (goal_ == ReadGoal::until) found_ = find_end();
    return true;
  }
  switch (goal_) {
    case ReadGoal::any:
    case ReadGoal::exactly: return buffer_.size() >= goal_count_;
    case ReadGoal::everything: return false;
    case ReadGoal::quiet: return true;
    case ReadGoal::until: break;
  }
  found_ = find_end();
  return found_ != 0 || buffer_.size() > limit_ + separator_.size() || scanned_ > limit_;
}

// Where the separator ends, looking only at what came since the last time; 0: it is not there.
std::size_t StreamCore::find_end() noexcept {
  if (found_) return found_;
  const auto bytes = buffer_.readable();
  if (bytes.size() < separator_.size()) return 0;
  const auto at = bytes.find(separator_, scanned_);
  if (at != bytes.npos) return at + separator_.size();
  scanned_ = bytes.size() - separator_.size() + 1;
  return 0;
}

// Reads while the kernel has something and the goal is not met, but not without end: after some transfers
// others get a turn.
bool StreamCore::pump() noexcept {
  constexpr int kInlineTransfers = 16;
  bool met = goal_met();
  if (met || pumping_ || !driver_) return met;
  pumping_ = true;
  for (int transfers = 0; !asked_; ++transfers) {
    if (transfers == kInlineTransfers) {
      retain();
      loop_.ready.push(*this);
      break;
    }
    asked_ = true;
    driver_->read();
    if (asked_) break;  // nothing has come: we shall be told
    met = goal_met();
    if (met) break;
  }
  pumping_ = false;
  return met;
}

void StreamCore::pump_later(ReadyNode& node, Dispatch how) noexcept {
  auto& self = static_cast<StreamCore&>(node);
  if (how == Dispatch::run && self.reader_) {
    if (self.pump()) self.wake_reader();
  }
  self.release();
}

std::span<char> StreamCore::read_space() {
  // Room grows with what has come: a length that a peer invented costs nothing.
  const std::size_t most = buffer_.size() + std::max(buffer_.size(), ReadBuffer::kBlock);
  const std::size_t wanted = goal_ == ReadGoal::exactly ? std::min(goal_count_, most) : 0;
  return buffer_.space(std::max(wanted, buffer_.size() + 1));
}

// The reader's step begins with the read itself. If that does not meet the goal, the reader waits on, and its
// coroutine has not noticed.
void StreamCore::readable() noexcept {
  if (!reader_ || !reader_->waiting()) return;
  reader_->run = &read_first;
  reader_->wake();
}

void StreamCore::read_first(ReadyNode& node, Dispatch how) noexcept {
  auto& task = static_cast<TaskCore&>(node);
  task.run = &TaskCore::step;
  if (how == Dispatch::discard) return;
  auto& self = *static_cast<StreamCore*>(task.object);
  if (!task.must_throw()) {
    self.asked_ = false;
    if (!self.pump()) {
      task.flags |= kWaiting;
      return;
    }
  }
  TaskCore::step(task, how);
}

void StreamCore::received(std::size_t count) noexcept {
  asked_ = false;
  moved_ = true;
  buffer_.added(count);
  if (pumping_) return;
  if (pump()) wake_reader();
}

void StreamCore::ended() noexcept {
  asked_ = false;
  ended_ = true;
  buffer_.rest();  // before others end: they can share the block
  if (!pumping_) wake_reader();
}

void StreamCore::read_failed(int error_number) noexcept {
  if (terminal_ && error_number == EIO) return ended();
  asked_ = false;
  read_error_ = error_number;
  buffer_.rest();
  note_failure();
  if (!pumping_) wake_reader();
}

void StreamCore::wake_reader() noexcept {
  if (reader_) reader_->wake();
}

void StreamCore::wait_read(std::coroutine_handle<> where) {
  buffer_.rest();
  reader_ = &current_task_core();
  reader_->wait(where, kReadOps, this);
}

CancelResult StreamCore::cancel_read(TaskCore& task) noexcept {
  auto& self = *static_cast<StreamCore*>(task.object);
  if (std::exchange(self.asked_, false) && self.driver_) self.driver_->stop_reading();
  task.wake_cancelled();
  return CancelResult::accepted;
}

ReadEnd StreamCore::finish_read(bool waited) noexcept {
  const auto goal = std::exchange(goal_, ReadGoal::quiet);
  if (waited) {
    TaskCore& task = *std::exchange(reader_, nullptr);
    if (task.must_throw()) {
      if (std::exchange(asked_, false) && driver_) driver_->stop_reading();
      return ReadEnd::cancelled;
    }
  }
  // What came before the error is still read.
  return read_error_ && (buffer_.empty() || goal == ReadGoal::everything) ? ReadEnd::failed : ReadEnd::fine;
}

std::string_view StreamCore::take_any(std::size_t most) noexcept {
  const auto bytes = buffer_.readable().substr(0, most);
  buffer_.consume(bytes.size());
  return bytes;
}

std::string_view StreamCore::take_exactly(std::size_t count) {
  if (buffer_.size() < count) {
    if (read_error_) std::rethrow_exception(read_failure("read from "));
    throw IncompleteReadError(std::string(take_any(count)), count);
  }
  return take_any(count);
}

std::string_view StreamCore::take_until(std::string_view separator, bool partial_at_end) {
  if (found_ && found_ - separator.size() <= limit_) return take_any(found_);
  if (!found_ && (ended_ || read_error_)) {
    if (read_error_) std::rethrow_exception(read_failure("read from "));
    if (partial_at_end) return take_any(buffer_.size());
    throw IncompleteReadError(std::string(take_any(buffer_.size())), 0);
  }
  const auto consumed = found_ ? found_ - separator.size() : scanned_;
  throw LimitOverrunError(
      found_ ? fmt::format("{}: the separator came after {} bytes; the reader's limit is {}", describe(), consumed, limit_)
             : fmt::format("{}: no separator in {} bytes; the reader's limit is {}", describe(), buffer_.size(), limit_),
      consumed);
}

// --- writing ------------------------------------------------------------------------------------------

void StreamCore::refuse(const char* operation) const {
  if (closing_) throw RuntimeError(fmt::format("{} to {} after close()", operation, describe()));
  if (eof_wanted_) throw RuntimeError(fmt::format("{} to {} after write_eof()", operation, describe()));
  throw RuntimeError(fmt::format("{} to {} while sendfile() is in progress", operation, describe()));
}

void StreamCore::write(std::string_view data) {
  if (!is_writable()) [[unlikely]] refuse("write");
  queue(data);
}

void StreamCore::queue(std::string_view data) {
  if (lost_ || closed() || data.empty()) return;
  if (corks_ > 0 || queued() > 0) {
    out_.append(data);
    return;
  }
  out_.write_through(data, [this] { flush(); });
}

void StreamCore::writelines(const std::vector<std::string_view>& pieces) {
  if (!is_writable()) [[unlikely]] refuse("write");
  cork();
  for (auto piece : pieces) write(piece);
  uncork();
}

void StreamCore::uncork() noexcept {
  if (corks_ == 0 || --corks_ > 0) return;  // close() takes every cork out
  if (queued() > 0) flush();
  if (!closed()) after_flush();
}

void StreamCore::flush() noexcept {
  if (driver_) driver_->flush();
}

std::string_view StreamCore::unsent() noexcept { return out_.next(); }

std::string_view StreamCore::sent(std::size_t count) noexcept {
  note_sent(count);
  if (out_.sent(count) && corks_ == 0) after_flush();
  return out_.next();
}

// Something may have gone: those that wait for room, for the end of the stream, for the close.
void StreamCore::after_flush() noexcept {
  if (queued() <= kLowWater) wake_all(kDrainOps);
  if (queued() > 0 || lost_) return;
  if (opener_) opener_->wake();
  if (eof_wanted_ && !std::exchange(eof_sent_, true)) {
    if (write_only_) closing_ = true;
    else driver_->shut_down_writing();
  }
  if (closing_) finish();
}

void StreamCore::write_failed(int error_number) noexcept { lose(error_number); }

void StreamCore::wait_drain(std::coroutine_handle<> where) {
  TaskCore& task = current_task_core();
  if (queued() <= kHighWater || lost_) {  // closing or lost: asyncio lets others run once
    task.resume_point = where;
    task.object = nullptr;
    task.WaitNode::ops = &kDrainOps;
    loop_.ready.push(task);
    return;
  }
  task.wait(where, kDrainOps, this);
  waiters_.push_back(static_cast<WaitNode&>(task));
}

void StreamCore::finish_drain(bool waited) {
  if (waited) {
    TaskCore& task = current_task_core();
    detach_waiter(task);
    task.throw_if_cancelled();
  }
  if (lost_) throw_lost("write to ");
  if (read_error_) std::rethrow_exception(read_failure("write to "));
}

void StreamCore::write_eof() {
  if (closing_ || eof_wanted_ || closed()) return;
  if (!is_writable()) [[unlikely]] refuse("write_eof()");
  eof_wanted_ = true;
  if (corks_ == 0) after_flush();
}

void StreamCore::begin_file() {
  if (sending_file_ || opener_) {
    throw BusyResourceError(fmt::format("sendfile to {}: another task already {}", describe(),
                                        sending_file_ ? "sends a file" : "starts TLS"));
  }
  if (!is_writable()) [[unlikely]] refuse("sendfile");
  if (lost_) throw_lost("sendfile to ");
  sending_file_ = true;
  corks_ = 0;
  flush();
}

void StreamCore::note_sent(std::size_t count) noexcept {
  moved_ = true;
  total_sent_ += count;
}

// --- the end ------------------------------------------------------------------------------------------

void StreamCore::close() {
  if (closed() || std::exchange(closing_, true)) return;
  corks_ = 0;
  driver_->closing();
  if (queued() > 0) flush();
  if (!closed() && queued() == 0) finish();
}

void StreamCore::finish() noexcept {
  if (std::exchange(finishing_, true)) return;
  if (driver_->finish()) return finish_close();
  // Reads end now, whatever the driver still has to do.
  ended_ = true;
  if (std::exchange(asked_, false)) driver_->stop_reading();
  wake_reader();
}
void StreamCore::finished() noexcept { finish_close(); }

void StreamCore::lose(int error_number) noexcept {
  if (closed() || lost_) return;
  note_failure();
  lost_ = true;
  write_error_ = error_number;
  if (!read_error_) read_error_ = error_number;
  out_.clear();
  finish_close();
}

void StreamCore::fail(std::exception_ptr error) noexcept {
  if (closed() || lost_) return;
  failure_ = std::move(error);
  lose(ECONNABORTED);
}

void StreamCore::tell_owner() noexcept {
  if (auto* owner = std::exchange(owner_, nullptr)) owner->stream_closed();
}

// The driver may be on the stack below us: it is destroyed from the ready queue, its descriptor with it.
void StreamCore::finish_close() noexcept {
  if (closed()) return;
  struct Grave final : ReadyNode, Pooled {
    std::unique_ptr<StreamDriver> driver;
    StreamCore* core;
    static void bury(ReadyNode& node, Dispatch) noexcept {
      auto* self = static_cast<Grave*>(&node);
      self->core->loop_.own_descriptor(self->driver->fd(), false);
      self->driver.reset();
      self->core->tell_owner();
      self->core->release();
      delete self;
    }
  };
  auto* grave = new Grave;
  grave->run = &Grave::bury;
  grave->driver = std::move(driver_);
  grave->core = this;
  retain();
  loop_.ready.push(*grave);
  static_cast<LoopResource&>(*this).unlink();
  if (has_peer_) loop_.io_closed();
  if (std::exchange(asked_, false)) grave->driver->stop_reading();
  ended_ = true;
  wake_reader();
  wake_all(kDrainOps);
  wake_all(kCloseOps);
  if (opener_) opener_->wake();
}

void StreamCore::loop_closed() noexcept {
  // The loop has unlinked us already.
  if (has_peer_) loop_.io_closed();
  driver_.reset();
  ended_ = lost_ = true;
  tell_owner();
  if (references_ == 0) delete this;
}

void StreamCore::wait_closed(std::coroutine_handle<> where) {
  TaskCore& task = current_task_core();
  task.wait(where, kCloseOps, this);
  waiters_.push_back(static_cast<WaitNode&>(task));
}

void StreamCore::finish_wait_closed(bool waited) {
  if (waited) {
    TaskCore& task = current_task_core();
    detach_waiter(task);
    task.throw_if_cancelled();
  }
  if (lost_ && write_error_) throw_lost("close ");
}

void StreamCore::Change::await_suspend(std::coroutine_handle<> where) {
  core_->opener_ = &current_task_core();
  core_->opener_->wait(where, what_ == For::file ? kFileOps : kHandshakeOps, core_);
}
void StreamCore::Change::await_resume() { std::exchange(core_->opener_, nullptr)->throw_if_cancelled(); }
void StreamCore::opened() noexcept {
  if (opener_) opener_->wake();
}

// The driver goes before its error is thrown.
void StreamCore::note_failure() noexcept {
  if (!failure_ && driver_) failure_ = driver_->failure();
}

std::exception_ptr StreamCore::read_failure(const char* operation) const {
  return failure_ ? failure_ : make_os_error(read_error_, operation + describe());
}

void StreamCore::throw_lost(const char* operation) const {
  if (failure_) std::rethrow_exception(failure_);
  if (write_error_) throw_os_error(write_error_, operation + describe());
  throw ConnectionAbortedError(ECONNABORTED, fmt::format("{}{}: the connection was aborted", operation, describe()));
}

void StreamCore::hung_up() noexcept {
  hung_up_ = true;
  if (auto* call = std::exchange(hangup_call_, nullptr)) call(hangup_context_);
}

void StreamCore::on_hangup(void (*call)(void*) noexcept, void* context) noexcept {
  hangup_call_ = hung_up_ ? nullptr : call;
  hangup_context_ = context;
  if (hung_up_ && call) call(context);
}

void StreamCore::wake_all(const WaitOps& kind) noexcept {
  ListNode* const first = waiters_.front();
  if (!first) return;
  for (ListNode* node = first;;) {
    if (task_of(*node).WaitNode::ops == &kind) task_of(*node).wake();
    node = node->next;
    if (node == first) return;
  }
}

std::string StreamCore::describe() const {
  if (!driver_) return "a closed stream";
  const auto peer = peer_of(fd()).str();
  return peer.empty() ? fmt::format("descriptor {}", fd()) : peer;  // a Unix socket's seldom has a name
}

Streams make_streams(Loop& loop, const MakeDriver& make_driver, std::size_t limit) {
  auto* core = new StreamCore(loop, limit);
  Streams streams{StreamReader(*core), StreamWriter(*core)};
  core->attach(make_driver(*core));
  return streams;
}

Streams make_streams(Loop& loop, int fd, std::size_t limit) {
  UniqueFd owner(fd);
  auto* core = new StreamCore(loop, limit);
  Streams streams{StreamReader(*core), StreamWriter(*core)};
  core->attach(loop.backend->make_stream(fd, *core));
  owner.release();
  return streams;
}

StreamReader make_pipe_reader(Loop& loop, int fd, std::size_t limit) { return make_streams(loop, fd, limit).reader; }

StreamWriter make_pipe_writer(Loop& loop, int fd) {
  auto writer = make_streams(loop, fd, 0).writer;
  writer.core().set_write_only();
  return writer;
}

}  // namespace eddy::detail
