// SPDX-License-Identifier: MIT
#include "io/tls_driver.hpp"

#include <eddy/exceptions.hpp>
#include <fmt/format.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"
#include "io/sockets.hpp"
#include "io/tls_error.hpp"

namespace eddy::detail {

TlsDriver::TlsDriver(Loop& loop, std::unique_ptr<StreamDriver>& below, StreamSink& sink,
                     std::shared_ptr<TlsContext> context, std::string host, Duration shutdown_timeout)
    : loop_(loop), sink_(&sink), session_(std::move(context), std::move(host)), shutdown_timeout_(shutdown_timeout) {
  peer_ = tls_peer(session_.host(), below->fd());
  below_ = std::move(below);
  below_->redirect(*this);
}

// It may outlive the driver.
struct TlsDriver::Turn final : ReadyNode, Pooled {
  explicit Turn(TlsDriver& d) noexcept : driver(&d) { run = &take; }
  TlsDriver* driver;

  static void take(ReadyNode& node, Dispatch how) noexcept {
    auto* self = static_cast<Turn*>(&node);
    auto* driver = self->driver;
    delete self;
    if (!driver) return;
    driver->turn_ = nullptr;
    if (how == Dispatch::run) driver->proceed();
  }
};

TlsDriver::~TlsDriver() {
  timer_.cancel();
  if (turn_) turn_->driver = nullptr;
}

void TlsDriver::schedule() noexcept {
  if (turn_ || done_) return;
  turn_ = new Turn(*this);
  loop_.ready.push(*turn_);
}

// --- the handshake ------------------------------------------------------------------------------------

void TlsDriver::start() { shake_hands(); }

void TlsDriver::shake_hands() {
  while (state_ == State::handshaking) {
    const auto result = session_.handshake();
    if (result == TlsResult::done) return open();
    if (result == TlsResult::failed) {
      auto error = below_ended_ && session_.failure().kind == TlsFailure::truncated
                       ? std::make_exception_ptr(ConnectionResetError(
                             ECONNRESET, fmt::format("TLS handshake with {}: the peer closed the connection", peer_)))
                       : session_error("TLS handshake with ");
      return fail_handshake(std::move(error));
    }
    flush_below();
    session_.rest();
    if (state_ != State::handshaking) return;
    if (below_error_) return fail_handshake(make_os_error(below_error_, "TLS handshake with " + peer_));
    if (!ask_below()) return;
  }
}

void TlsDriver::open() {
  state_ = State::open;
  sink_->opened();
  if (eof_wanted_) session_.shut_down();
  flush_below();
  if (reading_ && state_ == State::open && !done_) deliver();
}

void TlsDriver::fail_handshake(std::exception_ptr error) noexcept {
  state_ = State::failed;
  failure_ = std::move(error);
  // Our alert says why, if it gets there: input that is not read would reset the connection.
  flush_below();
  below_->shut_down_writing();
  for (int i = 0; i < 4 && ask_below(); ++i) session_.drop_input();
  if (!std::exchange(done_, true)) sink_->write_failed(EPROTO);
}

std::string tls_peer(const std::string& host, int fd) {
  const auto peer = peer_of(fd);
  const auto address = peer ? peer.str() : fd < 0 ? std::string("a stream in memory") : fmt::format("descriptor {}", fd);
  return host.empty() || (peer && host == peer.host()) ? address : fmt::format("{} ({})", host, address);
}

std::exception_ptr TlsDriver::session_error(const char* operation) const {
  return make_tls_error(session_.failure(), operation + peer_, session_.host().empty() ? peer_ : session_.host());
}

// --- reading ------------------------------------------------------------------------------------------

void TlsDriver::read() {
  reading_ = true;
  if (state_ == State::open) deliver();
}

void TlsDriver::stop_reading() noexcept {
  reading_ = false;
  if (state_ == State::open && !lingering_ && std::exchange(asked_, false)) below_->stop_reading();
}

// True: something came at once.
bool TlsDriver::ask_below() {
  if (asked_ || below_ended_ || below_error_) return false;
  asked_ = asking_ = true;
  below_->read();
  asking_ = false;
  return !asked_;
}

void TlsDriver::deliver() {
  for (;;) {
    if ((clogged_ = session_.is_clogged())) return;
    if (session_.has_input()) {
      const auto [result, count] = session_.read(sink_->read_space());
      if (!session_.output().empty() && !encrypting_) flush_below();  // an answer to the peer's TLS, an alert
      if (done_ || !reading_) return;
      if (result != TlsResult::starved) reading_ = false;
      if (result == TlsResult::done) return sink_->received(count);
      if (result == TlsResult::closed) return sink_->ended();
      if (result == TlsResult::failed) {
        failure_ = session_error("read from ");
        return sink_->read_failed(EPROTO);
      }
    }
    if (below_error_) {
      reading_ = false;
      return sink_->read_failed(below_error_);
    }
    session_.rest();
    if (!ask_below()) {
      if (asked_) return;
    }
  }
}

// Below, it may go on: the sink's reader does, when its turn comes.
void TlsDriver::readable() noexcept {
  asked_ = false;
  if (state_ == State::open && !lingering_) {
    if (reading_) sink_->readable();
    return;
  }
  schedule();
}

void TlsDriver::received(std::size_t count) noexcept {
  asked_ = false;
  session_.input_added(count);
  if (!asking_) go_on();
}

void TlsDriver::ended() noexcept {
  asked_ = false;
  below_ended_ = true;
  session_.end_input();
  if (!asking_) go_on();
}

void TlsDriver::read_failed(int error_number) noexcept {
  asked_ = false;
  below_error_ = error_number;
  if (!asking_) go_on();
}

void TlsDriver::go_on() noexcept {
  if (state_ != State::open || lingering_) schedule();
  else if (reading_ && !done_) deliver();
}

void TlsDriver::proceed() noexcept {
  if (done_) return;
  if (state_ == State::handshaking) shake_hands();
  else if (lingering_ && linger_on()) end();
  else if (state_ == State::open && !lingering_ && reading_) deliver();
}

// --- writing ------------------------------------------------------------------------------------------

void TlsDriver::flush() noexcept {
  if (state_ == State::open) flush_below();
}

void TlsDriver::flush_below() noexcept {
  if (std::exchange(flushing_, true)) return;
  below_->flush();
  flushing_ = false;
}

std::string_view TlsDriver::unsent() noexcept {
  if (state_ == State::open && !finishing_) encrypt_queue();
  return session_.output();
}

void TlsDriver::encrypt_queue() {
  encrypting_ = true;
  while (state_ == State::open && !finishing_ && session_.has_room()) {
    const auto bytes = sink_->unsent();
    if (bytes.empty()) break;
    const auto [result, count] = session_.write(bytes);
    if (result == TlsResult::failed) {
      fail(session_error("write to "));
      break;
    }
    sink_->sent(count);
  }
  encrypting_ = false;
}

std::string_view TlsDriver::sent(std::size_t count) noexcept {
  session_.output_sent(count);
  progress_ = true;
  if (session_.output().empty()) {
    session_.rest();
    if (std::exchange(clogged_, false)) schedule();
    if (finishing_ && !in_finish_ && !done_ && settled()) end();
  }
  return unsent();
}

void TlsDriver::write_failed(int error_number) noexcept {
  if (done_ || state_ == State::failed) return;
  // A peer that does not wait for the goodbye has everything.
  if (lingering_ || goodbye_only_) return end();
  // The peer may have said why, in an alert that nobody has read yet.
  if (state_ == State::handshaking) {
    for (int i = 0; i < 4 && ask_below(); ++i) {
    }
    const bool told = session_.handshake() == TlsResult::failed && session_.failure().alert != 0;
    return fail_handshake(told ? session_error("TLS handshake with ")
                               : make_os_error(error_number, "TLS handshake with " + peer_));
  }
  char lost[256];
  for (int i = 0; i < 4 && !reading_ && (session_.has_input() || ask_below()); ++i) {
    if (session_.read(lost).result == TlsResult::failed) break;
  }
  if (session_.failure().alert != 0) failure_ = session_error("write to ");
  state_ = State::failed;
  done_ = true;
  sink_->write_failed(error_number);
}

void TlsDriver::fail(std::exception_ptr error) noexcept {
  if (std::exchange(done_, true)) return;
  failure_ = std::move(error);
  state_ = State::failed;
  sink_->write_failed(EPROTO);
}

void TlsDriver::shut_down_writing() noexcept {
  eof_wanted_ = true;
  if (state_ != State::open) return;
  session_.shut_down();
  if (!encrypting_) flush_below();
}

// --- the end ------------------------------------------------------------------------------------------

void TlsDriver::closing() noexcept { watch_progress(); }

// A peer that takes nothing for as long as this is given up. One that is slow is not.
void TlsDriver::watch_progress() {
  progress_ = false;
  timer_ = loop_.facade->call_later(shutdown_timeout_, [this] {
    if (done_) return;
    if (progress_ && !lingering_) return watch_progress();
    if (lingering_) return end();
    fail(std::make_exception_ptr(TimeoutError(fmt::format("close {}: the peer took nothing for {}", peer_,
                                                          format_duration(shutdown_timeout_.count())))));
  });
}

bool TlsDriver::finish() noexcept {
  if (state_ != State::open) return done_ = true;
  reading_ = false;
  goodbye_only_ = session_.output().empty();
  session_.shut_down();
  finishing_ = in_finish_ = true;
  if (!encrypting_) flush_below();
  in_finish_ = false;
  if (done_) return false;  // it failed, and said so
  if (!session_.output().empty() || !settled()) return false;
  return done_ = true;
}

// Everything is in the kernel. True: it may be closed now.
bool TlsDriver::settled() noexcept {
  int protocol = 0;
  socklen_t size = sizeof protocol;
  if (::getsockopt(fd(), SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0 || protocol != IPPROTO_TCP) return true;
  if (std::exchange(lingering_, true)) return false;
  below_->shut_down_writing();
  timer_.cancel();
  return linger_on();
}

bool TlsDriver::linger_on() noexcept {
  while (ask_below()) session_.drop_input();
  session_.drop_input();
  session_.rest();
  int unsent = 0;
  if (below_ended_ || below_error_ || ::ioctl(fd(), SIOCOUTQ, &unsent) != 0 || unsent == 0) return true;
  if (lingered_ >= shutdown_timeout_.count()) return true;
  timer_.cancel();
  timer_ = loop_.facade->call_later(Duration::nanoseconds(linger_wait_), [this] {
    if (!done_ && linger_on()) end();
  });
  lingered_ += linger_wait_;
  linger_wait_ = std::min<std::int64_t>(linger_wait_ * 2, 50'000'000);
  return false;
}

void TlsDriver::end() noexcept {
  if (std::exchange(done_, true)) return;
  timer_.cancel();
  sink_->finished();
}

}  // namespace eddy::detail
