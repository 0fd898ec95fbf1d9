// SPDX-License-Identifier: MIT
// TLS between a stream and the driver of its descriptor: a driver for the one, a sink for the other.
//
//     StreamCore  --read(), flush()-->   TlsDriver  --read(), flush()-->   a back end's driver, or memory
//       plain     <--received(), …---    a session  <--received(), …---    encrypted
//
// Everything is pulled: the driver below asks for output when it has room, and only then the stream's queue is
// encrypted, at most a block of it. It is asked for input when the stream wants bytes and the session has none.
//
//     handshaking --> open --finish()--> sending the rest --> lingering --> done
//          '-----------'--------> failed
//
// Lingering: a TCP socket that is closed with unread input is reset, and what the kernel had not sent yet is lost. A
// TLS 1.3 client always has unread input: tickets that nobody asked for. So before the end we read on, and drop it,
// until the peer's kernel has everything or the peer has closed.
#pragma once

#include <eddy/events.hpp>

#include <memory>
#include <string>

#include "io/tls_session.hpp"
#include "loop/backend.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {

class TlsDriver final : public StreamDriver, private StreamSink {
 public:
  /// Takes `below` over. If it throws, `below` is as it was.
  TlsDriver(Loop& loop, std::unique_ptr<StreamDriver>& below, StreamSink& sink, std::shared_ptr<TlsContext> context,
            std::string host, Duration shutdown_timeout);
  ~TlsDriver() override;

  /// Begins the handshake. Call once, when it stands.
  void start();

  int fd() const noexcept override { return below_->fd(); }
  void read() override;
  void stop_reading() noexcept override;
  void flush() noexcept override;
  void shut_down_writing() noexcept override;
  void redirect(StreamSink& sink) noexcept override { sink_ = &sink; }
  bool is_open() const noexcept override { return state_ == State::open; }
  void closing() noexcept override;
  bool finish() noexcept override;
  std::exception_ptr failure() const noexcept override { return failure_; }
  bool is_quiet() const noexcept override { return !session_.has_input(); }
  const TlsSession* tls() const noexcept override { return &session_; }

 private:
  enum class State : unsigned char { handshaking, open, failed };

  // StreamSink
  std::span<char> read_space() override { return session_.input_space(); }
  void readable() noexcept override;
  void received(std::size_t count) noexcept override;
  void ended() noexcept override;
  void read_failed(int error_number) noexcept override;
  std::string_view unsent() noexcept override;
  std::string_view sent(std::size_t count) noexcept override;
  void write_failed(int error_number) noexcept override;
  void hung_up() noexcept override { sink_->hung_up(); }

  // What goes on without the sink's reader, handshake and lingering, is done from the ready queue, not while events are
  // told: they would wait for its arithmetic, and a virtual clock would take it for nothing.
  struct Turn;

  bool ask_below();
  void schedule() noexcept;
  void go_on() noexcept;
  void proceed() noexcept;
  void shake_hands();
  void open();
  void deliver();
  void encrypt_queue();
  void flush_below() noexcept;
  void fail(std::exception_ptr error) noexcept;
  void fail_handshake(std::exception_ptr error) noexcept;
  std::exception_ptr session_error(const char* operation) const;

  void watch_progress();
  bool settled() noexcept;
  bool linger_on() noexcept;
  void end() noexcept;

  Loop& loop_;
  std::unique_ptr<StreamDriver> below_;
  StreamSink* sink_;
  TlsSession session_;
  std::string peer_;  // for messages: the kernel forgets it with the connection
  std::exception_ptr failure_;
  TimerHandle timer_;
  Turn* turn_ = nullptr;  // in the ready queue
  Duration shutdown_timeout_;
  std::int64_t linger_wait_ = 1'000'000;  // ns until the next look
  std::int64_t lingered_ = 0;
  int below_error_ = 0;    // that reading ended with
  State state_ = State::handshaking;
  bool reading_ = false;   // the sink wants bytes
  bool asked_ = false;     // the driver below owes us bytes
  bool asking_ = false;    // on the stack: what comes now is looked at afterwards
  bool clogged_ = false;   // not asked before what we answered is gone
  bool encrypting_ = false;
  bool flushing_ = false;
  bool eof_wanted_ = false;
  bool finishing_ = false, in_finish_ = false, lingering_ = false, done_ = false;
  bool goodbye_only_ = false;  // finish() found everything sent: only close_notify can fail
  bool below_ended_ = false;
  bool progress_ = false;  // something was sent since the last look
};

/// "localhost (127.0.0.1:443)", "127.0.0.1:443": whom TLS is spoken with, for messages.
std::string tls_peer(const std::string& host, int fd);

}  // namespace eddy::detail
