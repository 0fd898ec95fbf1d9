// SPDX-License-Identifier: MIT
// One connection in the callback style. Stands where StreamCore stands: over a StreamDriver, told through
// StreamSink; what tasks wait for there, a protocol is called with here.
//
//     made --connection_made()--> open --close()--> closing (sends what is queued) --connection_lost()--> gone
//                                   |                                                  ^
//                                   '--abort(), a failure: what is queued is dropped --'
//
// Three nodes in the ready queue call the protocol: one for its life, one for reading, one for resume_writing().
// A driver's calls only note what came and push a node, so no protocol runs inside a poll or another protocol.
#pragma once

#include <eddy/detail/context.hpp>
#include <eddy/events.hpp>
#include <eddy/futures.hpp>
#include <eddy/transports.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/protocol_calls.hpp"
#include "io/read_buffer.hpp"
#include "io/server_core.hpp"
#include "io/write_queue.hpp"
#include "loop/backend.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {

class TlsContext;

enum class TransportKind : unsigned char { socket, read_pipe, write_pipe };

/// How a transport speaks TLS.
struct TlsStart {
  std::shared_ptr<TlsContext> context;
  std::string host;  // see TlsSession
  Duration handshake_timeout, shutdown_timeout;
};

/// Told when a transport has ended: the server that accepted it.
class TransportOwner {
 public:
  virtual void transport_gone(TransportCore& transport) noexcept = 0;

 protected:
  ~TransportOwner() = default;
};

/// "protocol.data_received()", thrown by EchoServer: to the exception handler.
void report_protocol_error(Loop& loop, const std::string& message, const BaseProtocol& protocol,
                           const std::string& transport, const std::exception_ptr& error) noexcept;

class TlsDriver;

class TransportCore final : public Transport,
                            public StreamSink,
                            public LoopResource,
                            private ProtocolCalls<TransportCore> {
 public:
  TransportCore(Loop& loop, AnyProtocol protocol, TransportKind kind);
  TransportCore(const TransportCore&) = delete;
  TransportCore& operator=(const TransportCore&) = delete;

  /// Opens it and schedules connection_made(), with TLS when the handshake is done; then `made` is set. If it never is,
  /// `made` gets the reason, and the protocol hears of nothing. Call once.
  void attach(std::unique_ptr<StreamDriver> driver, TransportOwner* owner, Future<> made, const TlsStart* tls = nullptr);
  /// The same for one that is open, with an empty queue: the protocol hears of nothing unless it fails.
  void start_tls(const TlsStart& tls, Future<> made);
  bool has_unread() const noexcept { return pending_size_ > 0; }

  void write(std::string_view data);
  void writelines(const std::vector<std::string_view>& pieces);
  void write_eof();
  bool can_write_eof() const noexcept { return kind_ != TransportKind::read_pipe; }
  void close() noexcept;
  void abort(std::exception_ptr error) noexcept;
  bool is_closing() const noexcept { return closing_; }
  void pause_reading() noexcept;
  void resume_reading();
  bool is_reading() const noexcept { return !closing_ && !reading_paused_; }
  void set_limits(WriteLimits limits);
  WriteLimits limits() const noexcept { return limits_; }
  std::size_t queued() const noexcept { return out_.size(); }
  void exchange_protocol(AnyProtocol protocol);
  BaseProtocol& protocol() const noexcept { return *protocol_.owner; }
  Address local_address() const noexcept;
  Address peer_address() const noexcept { return peer_; }
  int fd() const noexcept { return driver_ ? driver_->fd() : -1; }
  const StreamDriver* driver() const noexcept { return driver_.get(); }

  // For sendfile().
  void hold_writes(bool on) noexcept { writes_held_ = on; }
  /// write(), for who holds the others back.
  void write_of_file(std::string_view data) { queue(data); }
  /// They went around the driver.
  void note_sent(std::size_t) noexcept { moved_ = true; }
  /// So did the end of the connection: the driver will hear of it itself.
  void sending_failed(int) noexcept {}
  class Drained;
  /// Waits until at most `most` bytes are queued or the connection has ended.
  Drained drained(std::size_t most) noexcept;

  /// Bytes came or went since the last time.
  bool take_moved() noexcept { return std::exchange(moved_, false); }

  void retain() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0) delete this;
  }
  std::string describe() const override;
  bool ends_with_loop() const noexcept override { return true; }

  struct OwnerEntry : Served {
    TransportCore* transport = nullptr;
  } owner_entry;  // among its server's transports

 private:
  friend ProtocolCalls<TransportCore>;
  ~TransportCore() = default;

  // StreamSink
  std::span<char> read_space() override;
  void readable() noexcept override;
  void received(std::size_t count) noexcept override;
  void ended() noexcept override;
  void read_failed(int error_number) noexcept override;
  std::string_view unsent() noexcept override;
  std::string_view sent(std::size_t count) noexcept override;
  void write_failed(int error_number) noexcept override;
  void hung_up() noexcept override;
  void opened() noexcept override;
  void finished() noexcept override;
  // LoopResource
  void loop_closed() noexcept override;

  void live() noexcept;
  void begin() noexcept;
  void end() noexcept;
  void tell_lost(std::exception_ptr error) noexcept;
  void read_step() noexcept;
  void resume_step() noexcept;

  void want_read();
  void note_read() noexcept;
  void deliver() noexcept;
  void deliver_end() noexcept;
  void feed(std::string_view bytes);
  std::span<char> user_space();
  void stop_reading() noexcept;

  void check_writable() const;
  void queue(std::string_view data);
  void flush() noexcept;
  void after_flush() noexcept;
  void wake_drained() noexcept;
  void maybe_pause() noexcept;
  void lose(std::exception_ptr error) noexcept;
  void finish() noexcept;
  TlsDriver& put_on(const TlsStart& tls);
  std::exception_ptr reason(int error_number, const char* operation) const;

  void fail(const std::string& message, std::exception_ptr error) noexcept;

  Loop& loop_;
  std::unique_ptr<StreamDriver> driver_;  // null once the connection is gone
  AnyProtocol protocol_;
  std::vector<std::unique_ptr<BaseProtocol>> retired_;  // those that set_protocol() replaced
  TransportOwner* owner_ = nullptr;
  ContextRef context_{captured_context()};
  Future<> made_future_;
  TimerHandle handshake_limit_;
  Address peer_;
  std::size_t references_ = 0;

  Node life_, reading_, resuming_;
  ReadBuffer buffer_;
  const char* pending_ = nullptr;  // what came and was not delivered
  std::size_t pending_size_ = 0;
  BufferedProtocol* pending_owner_ = nullptr;  // whose memory it is in; null: ours
  std::string misread_;                        // takes what comes for a get_buffer() that failed
  std::exception_ptr space_error_;
  int read_error_ = 0;

  WriteQueue out_;
  WriteLimits limits_;
  List drainers_;
  std::exception_ptr error_;  // for connection_lost()

  TransportKind kind_;
  bool opened_ = true;      // else a handshake is under way
  bool finishing_ = false;  // the queue is sent, the driver still has to end
  bool has_peer_ = false;  // outside of this process
  bool made_ = false;
  bool closing_ = false;
  bool lost_ = false;  // connection_lost() is due, or was
  bool asked_ = false;  // the driver owes us bytes
  bool moved_ = false;  // some bytes have, in either direction, since somebody looked
  bool in_read_step_ = false;
  bool ended_ = false, end_told_ = false;
  bool reading_paused_ = false;
  bool writing_paused_ = false;  // so the protocol was told
  bool writes_held_ = false;
  bool eof_wanted_ = false, eof_sent_ = false;
};

class TransportCore::Drained {
 public:
  Drained(TransportCore& core, std::size_t most) noexcept : core_(&core), most_(most) {}
  bool await_ready() const noexcept { return core_->lost_ || core_->queued() <= most_; }
  void await_suspend(std::coroutine_handle<> where);
  void await_resume();
  const TransportCore& core() const noexcept { return *core_; }

 private:
  TransportCore* core_;
  std::size_t most_;
  bool waited_ = false;
};

inline TransportCore::Drained TransportCore::drained(std::size_t most) noexcept { return {*this, most}; }

/// A transport over a descriptor, which it takes over, also when it throws.
TransportPtr open_transport(Loop& loop, AnyProtocol protocol, int fd, TransportKind kind, TransportOwner* owner,
                            Future<> made, const TlsStart* tls = nullptr);
/// A transport over whatever driver `make_driver` gives: memory.
using MakeDriver = std::function<std::unique_ptr<StreamDriver>(StreamSink&)>;
TransportPtr open_transport(Loop& loop, AnyProtocol protocol, const MakeDriver& make_driver, TransportKind kind,
                            TransportOwner* owner, Future<> made);
/// The same, and waits for connection_made().
Coro<TransportPtr> start_transport(FactoryPtr factory, MakeDriver make_driver, TransportKind kind);

}  // namespace eddy::detail
