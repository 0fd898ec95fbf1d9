// SPDX-License-Identifier: MIT
#include "io/transport_core.hpp"

#include <eddy/exceptions.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <typeinfo>

#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "exec/code_address.hpp"
#include "io/sockets.hpp"
#include "io/tls_driver.hpp"
#include "loop/report.hpp"
#include "task/plain_wait.hpp"

namespace eddy::detail {

void retain(TransportCore& core) noexcept { core.retain(); }
void release(TransportCore& core) noexcept { core.release(); }

void report_protocol_error(Loop& loop, const std::string& message, const BaseProtocol& protocol,
                           const std::string& transport, const std::exception_ptr& error) noexcept {
  if (ends_the_loop(error)) return loop.interrupt(error);
  loop.report(fmt::format("{}\n  protocol: {}\n  transport: {}", message, demangled(typeid(protocol).name()), transport),
              error, nullptr);
}

TransportCore::TransportCore(Loop& loop, AnyProtocol protocol, TransportKind kind)
    : loop_(loop), protocol_(std::move(protocol)), kind_(kind) {
  if (!protocol_.owner) throw RuntimeError("the protocol factory returned no protocol");
  prepare<&TransportCore::live>(life_);
  prepare<&TransportCore::read_step>(reading_);
  prepare<&TransportCore::resume_step>(resuming_);
  owner_entry.transport = this;
}

void TransportCore::attach(std::unique_ptr<StreamDriver> driver, TransportOwner* owner, Future<> made, const TlsStart* tls) {
  driver_ = std::move(driver);
  TlsDriver* handshaking = tls ? &put_on(*tls) : nullptr;
  owner_ = owner;
  made_future_ = std::move(made);
  peer_ = peer_of(fd());
  loop_.own_descriptor(fd(), true);
  loop_.resources.push_back(static_cast<LoopResource&>(*this));
  has_peer_ = driver_->fd() >= 0;
  if (has_peer_) loop_.io_opened();
  retain();  // until it is gone: the loop owns it, as it owns tasks
  if (handshaking) handshaking->start();
  else push(life_);
}

// --- TLS ----------------------------------------------------------------------------------------------

// What it throws leaves the transport as it was.
TlsDriver& TransportCore::put_on(const TlsStart& tls) {
  auto above = std::make_unique<TlsDriver>(loop_, driver_, *this, tls.context, tls.host, tls.shutdown_timeout);
  auto& driver = *above;
  const auto name = tls_peer(tls.host, driver.fd());
  driver_ = std::move(above);
  opened_ = false;
  handshake_limit_ = loop_.facade->call_later(tls.handshake_timeout, [this, name, limit = tls.handshake_timeout.count()] {
    abort(std::make_exception_ptr(TimeoutError(
        fmt::format("TLS handshake with {}: not done after {}", name, format_duration(limit)))));
  });
  return driver;
}

void TransportCore::start_tls(const TlsStart& tls, Future<> made) {
  stop_reading();
  auto& driver = put_on(tls);
  made_future_ = std::move(made);
  driver.start();
}

void TransportCore::opened() noexcept {
  opened_ = true;
  handshake_limit_.cancel();
  if (lost_) return;
  if (!made_) return push(life_);
  if (made_future_ && !made_future_.done()) made_future_.set_result();
  made_future_ = {};
  push(reading_);
}

// The driver knows more than an errno says.
std::exception_ptr TransportCore::reason(int error_number, const char* operation) const {
  auto failure = driver_ ? driver_->failure() : nullptr;
  return failure ? failure : make_os_error(error_number, operation + describe());
}

std::string TransportCore::describe() const {
  if (peer_) return peer_.str();
  return driver_ && fd() >= 0 ? fmt::format("descriptor {}", fd()) : driver_ ? "memory" : "closed";
}

Address TransportCore::local_address() const noexcept { return local_of(fd()); }

// --- the calls of the protocol ------------------------------------------------------------------------

void TransportCore::fail(const std::string& message, std::exception_ptr error) noexcept {
  report_protocol_error(loop_, message, *protocol_.owner, describe(), error);
  abort(std::move(error));
}

void TransportCore::live() noexcept {
  if (!made_ && opened_) begin();
  else if (lost_ && driver_) end();
}

void TransportCore::begin() noexcept {
  made_ = true;
  call("connection_made", [this] {
    if (protocol_.buffered) protocol_.buffered->connection_made(*this);
    else protocol_.stream->connection_made(*this);
  });
  if (made_future_ && !made_future_.done()) made_future_.set_result();
  made_future_ = {};
  // Who made the connection goes on before the first bytes are told.
  if (lost_) push(life_);
  else push(reading_);
}

void TransportCore::end() noexcept {
  auto error = std::exchange(error_, nullptr);
  handshake_limit_.cancel();
  if (made_future_ && !made_future_.done()) {
    made_future_.set_exception(error ? error : make_os_error(ECONNABORTED, "connect to " + describe()));
  } else if (!made_ && error && loop_.debug.load(std::memory_order_relaxed)) {
    // As in asyncio, a client that cannot do it is no news.
    loop_.report("a TLS handshake failed", error, nullptr);
  }
  made_future_ = {};
  if (made_) tell_lost(std::move(error));
  loop_.own_descriptor(fd(), false);
  driver_.reset();
  static_cast<LoopResource&>(*this).unlink();
  if (has_peer_) loop_.io_closed();
  if (auto* owner = std::exchange(owner_, nullptr)) owner->transport_gone(*this);
  release();
}

void TransportCore::tell_lost(std::exception_ptr error) noexcept {
  try {
    const ContextEntry entry(context_);
    protocol_.owner->connection_lost(std::move(error));
  } catch (...) {
    report_protocol_error(loop_, "protocol.connection_lost() call failed.", *protocol_.owner, describe(),
                          std::current_exception());
  }
}

void TransportCore::loop_closed() noexcept {
  // The loop has unlinked us already. As in asyncio, a loop that closes tells no protocol.
  if (has_peer_) loop_.io_closed();
  closing_ = lost_ = made_ = true;
  driver_.reset();
  made_future_ = {};
  if (auto* owner = std::exchange(owner_, nullptr)) owner->transport_gone(*this);
  release();
}

// --- reading ------------------------------------------------------------------------------------------

// Asks the driver, if there is somebody to read for. What is there comes at once.
void TransportCore::want_read() {
  if (asked_ || reading_paused_ || closing_ || ended_ || read_error_ || pending_size_ > 0 || !driver_ || !made_ ||
      kind_ == TransportKind::write_pipe) {
    return;
  }
  asked_ = true;
  driver_->read();
  if (asked_) buffer_.rest();
}

void TransportCore::stop_reading() noexcept {
  if (std::exchange(asked_, false) && driver_) driver_->stop_reading();
}

// One transfer a turn, as in asyncio: what data_received() schedules runs before the next one.
void TransportCore::read_step() noexcept {
  in_read_step_ = true;
  want_read();
  in_read_step_ = false;
  if (closing_ || reading_paused_) return;
  deliver();
  want_read();
}

void TransportCore::note_read() noexcept {
  asked_ = false;
  if (!in_read_step_) push(reading_);
}

std::span<char> TransportCore::read_space() {
  pending_owner_ = protocol_.buffered;
  const auto space = pending_owner_ ? user_space() : buffer_.space(ReadBuffer::kBlock);
  pending_ = space.data();
  return space;
}

// Of a BufferedProtocol. What it throws is told when the bytes, which it does not get, have come.
std::span<char> TransportCore::user_space() {
  try {
    const ContextEntry entry(context_);
    const auto space = pending_owner_->get_buffer(0);
    if (!space.empty()) return space;
    throw RuntimeError("get_buffer() returned an empty buffer");
  } catch (...) {
    space_error_ = std::current_exception();
  }
  misread_.resize(1);
  return misread_;
}

void TransportCore::readable() noexcept { note_read(); }

void TransportCore::received(std::size_t count) noexcept {
  moved_ = true;
  if (!pending_owner_) buffer_.added(count);
  pending_size_ = count;
  note_read();
}

void TransportCore::ended() noexcept {
  ended_ = true;
  note_read();
}

void TransportCore::read_failed(int error_number) noexcept {
  read_error_ = error_number;
  note_read();
}

void TransportCore::deliver() noexcept {
  if (space_error_) {
    pending_size_ = 0;
    return fail("Fatal error: protocol.get_buffer() call failed.", std::exchange(space_error_, nullptr));
  }
  if (pending_size_ == 0) return deliver_end();
  const std::string_view bytes(pending_, std::exchange(pending_size_, 0));
  if (protocol_.stream) {
    call("data_received", [&] { protocol_.stream->data_received(bytes); });
  } else if (pending_owner_ == protocol_.buffered) {
    call("buffer_updated", [&] { protocol_.buffered->buffer_updated(bytes.size()); });
  } else {
    call("buffer_updated", [&] { feed(bytes); });
  }
  buffer_.consume(buffer_.size());
}

// Bytes that came into other memory than the protocol's: it has changed since.
void TransportCore::feed(std::string_view bytes) {
  while (!bytes.empty() && protocol_.buffered) {
    const auto space = protocol_.buffered->get_buffer(bytes.size());
    if (space.empty()) throw RuntimeError("get_buffer() returned an empty buffer");
    const auto count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    bytes.remove_prefix(count);
    protocol_.buffered->buffer_updated(count);
  }
}

void TransportCore::deliver_end() noexcept {
  if (read_error_) return abort(reason(read_error_, "read from "));
  if (!ended_ || std::exchange(end_told_, true)) return;
  bool stay = false;
  const bool told = call("eof_received", [&] {
    stay = protocol_.buffered ? protocol_.buffered->eof_received() : protocol_.stream->eof_received();
  });
  if (told && (!stay || kind_ == TransportKind::read_pipe)) close();
}

void TransportCore::pause_reading() noexcept {
  if (!is_reading()) return;
  reading_paused_ = true;
  stop_reading();
}

void TransportCore::resume_reading() {
  if (closing_ || !std::exchange(reading_paused_, false) || !made_) return;
  push(reading_);
}

void TransportCore::exchange_protocol(AnyProtocol protocol) {
  retired_.push_back(std::move(protocol_.owner));
  protocol_ = std::move(protocol);
}

// --- writing ------------------------------------------------------------------------------------------

void TransportCore::check_writable() const {
  if (kind_ == TransportKind::read_pipe) throw RuntimeError(fmt::format("write to {}, the reading end of a pipe", describe()));
  if (eof_wanted_) throw RuntimeError(fmt::format("write to {} after write_eof()", describe()));
  if (writes_held_) throw RuntimeError(fmt::format("write to {} while sendfile() is in progress", describe()));
}

void TransportCore::write(std::string_view data) {
  check_writable();
  queue(data);
}

void TransportCore::queue(std::string_view data) {
  if (lost_ || finishing_ || data.empty()) return;
  if (out_.empty()) out_.write_through(data, [this] { flush(); });
  else out_.append(data);
  maybe_pause();
}

void TransportCore::writelines(const std::vector<std::string_view>& pieces) {
  check_writable();
  if (lost_ || finishing_) return;
  const bool was_empty = out_.empty();
  for (const auto piece : pieces) out_.append(piece);
  if (was_empty && !out_.empty()) flush();
  maybe_pause();
}

void TransportCore::flush() noexcept {
  if (driver_) driver_->flush();
}

std::string_view TransportCore::unsent() noexcept { return out_.next(); }

std::string_view TransportCore::sent(std::size_t count) noexcept {
  moved_ = true;
  if (out_.sent(count)) after_flush();
  return out_.next();
}

void TransportCore::after_flush() noexcept {
  wake_drained();
  if (writing_paused_ && out_.size() <= limits_.low) push(resuming_);
  if (!out_.empty() || lost_) return;
  if (eof_wanted_ && !std::exchange(eof_sent_, true)) driver_->shut_down_writing();
  if (closing_) finish();
}

void TransportCore::resume_step() noexcept {
  if (lost_ && !driver_) return;
  if (!writing_paused_ || out_.size() > limits_.low) return;
  writing_paused_ = false;
  try {
    const ContextEntry entry(context_);
    protocol_.owner->resume_writing();
  } catch (...) {
    fail("protocol.resume_writing() failed", std::current_exception());
  }
}

void TransportCore::maybe_pause() noexcept {
  if (writing_paused_ || lost_ || out_.size() <= limits_.high) return;
  writing_paused_ = true;
  try {
    const ContextEntry entry(context_);
    protocol_.owner->pause_writing();
  } catch (...) {
    fail("protocol.pause_writing() failed", std::current_exception());
  }
}

void TransportCore::set_limits(WriteLimits limits) {
  if (limits.high < limits.low) {
    throw ValueError(fmt::format("write limits: high is {} and low is {}: high must not be below low", limits.high, limits.low));
  }
  limits_ = limits;
  maybe_pause();
}

void TransportCore::write_eof() {
  if (kind_ == TransportKind::write_pipe) return close();
  if (kind_ == TransportKind::read_pipe) check_writable();
  if (closing_ || std::exchange(eof_wanted_, true)) return;
  if (out_.empty()) {
    eof_sent_ = true;
    driver_->shut_down_writing();
  }
}

void TransportCore::write_failed(int error_number) noexcept { abort(reason(error_number, "write to ")); }

void TransportCore::hung_up() noexcept {
  // Only the reader of a pipe cannot be heard of by reading.
  if (kind_ != TransportKind::write_pipe) return;
  abort(out_.empty() ? nullptr : make_os_error(EPIPE, "write to " + describe()));
}

// --- the end ------------------------------------------------------------------------------------------

void TransportCore::close() noexcept {
  if (std::exchange(closing_, true)) return;
  stop_reading();
  pending_size_ = 0;
  driver_->closing();
  if (out_.empty()) finish();
}

// The driver may have an end of its own to send.
void TransportCore::finish() noexcept {
  if (!std::exchange(finishing_, true) && driver_->finish()) lose(nullptr);
}
void TransportCore::finished() noexcept { lose(nullptr); }

void TransportCore::abort(std::exception_ptr error) noexcept {
  if (lost_) return;
  if (!std::exchange(closing_, true)) stop_reading();
  pending_size_ = 0;
  out_.clear();
  lose(std::move(error));
}

void TransportCore::lose(std::exception_ptr error) noexcept {
  if (std::exchange(lost_, true)) return;
  error_ = std::move(error);
  wake_drained();
  push(life_);
}

namespace {

void describe_drain(const TaskCore& task, Text& text) {
  text.add("{} to take what was written", static_cast<const TransportCore::Drained*>(task.object)->core().describe());
}
constexpr WaitOps kDrainOps{&cancel_at_once, &detach_listed, &describe_drain, nullptr, nullptr, "transport drain"};

}  // namespace

// Each only when enough has gone: sendfile() and start_tls() go on as if nothing were queued.
void TransportCore::wake_drained() noexcept {
  for (ListNode* node = drainers_.front(); node != drainers_.end(); node = node->next) {
    TaskCore& task = task_of(*node);
    if (static_cast<const Drained*>(task.object)->await_ready()) task.wake();
  }
}

void TransportCore::Drained::await_suspend(std::coroutine_handle<> where) {
  TaskCore& task = current_task_core();
  task.wait(where, kDrainOps, this);
  core_->drainers_.push_back(static_cast<WaitNode&>(task));
  waited_ = true;
}

void TransportCore::Drained::await_resume() {
  if (!waited_) return;
  TaskCore& task = current_task_core();
  detach_listed(task);
  task.throw_if_cancelled();
}

}  // namespace eddy::detail
