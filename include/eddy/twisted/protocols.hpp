// SPDX-License-Identifier: MIT
// Twisted's protocols (twisted.internet.protocol, twisted.protocols.basic, twisted.protocols.policies).
#pragma once

#include <cstddef>
#include <cstdint>
#include <eddy/addresses.hpp>
#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/events.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/transports.hpp>
#include <eddy/twisted/deferred.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace eddy::twisted {

class Factory;

/// Why a connection has ended, as connection_lost() is told: by a close() of either side.
class ConnectionDone : public RuntimeError {
 public:
  ConnectionDone() : RuntimeError("the connection was closed cleanly") {}
};

/// A connection: `twisted.internet.protocol.Protocol`, IProtocol. Made by a factory, owned by its transport.
///
///     make_connection → connection_made   data_received*   connection_lost
class Protocol {
 public:
  Protocol() = default;
  Protocol(const Protocol&) = delete;
  Protocol& operator=(const Protocol&) = delete;
  virtual ~Protocol() = default;

  /// makeConnection: sets the transport, then calls connection_made().
  virtual void make_connection(Transport& transport);
  virtual void connection_made() {}
  virtual void data_received(std::string_view data) = 0;
  /// Once. Holds ConnectionDone, or the OSError that broke the connection. The transport is still there.
  virtual void connection_lost(const Failure& reason) { static_cast<void>(reason); }

  /// Null before make_connection(): in tests.
  Transport* transport() const noexcept { return transport_; }
  Factory* factory() const noexcept { return factory_; }
  void set_factory(Factory* factory) noexcept { factory_ = factory; }
  /// transport.loseConnection(): sends what was written, then closes.
  void lose_connection();
  bool is_disconnecting() const noexcept { return disconnecting_; }

 private:
  Transport* transport_ = nullptr;
  Factory* factory_ = nullptr;
  bool disconnecting_ = false;
};

/// Makes a protocol for each connection, and keeps what they share. It must outlive them: hand it over by shared_ptr.
class Factory {
 public:
  Factory() = default;
  Factory(const Factory&) = delete;
  Factory& operator=(const Factory&) = delete;
  virtual ~Factory() = default;

  /// Null: the connection is closed at once.
  virtual std::unique_ptr<Protocol> build_protocol(const Address& peer) = 0;
  /// Before the first connection or port, after the last.
  virtual void start_factory() {}
  virtual void stop_factory() {}

  /// doStart, doStop: count the ports and connectors that use it.
  void do_start() {
    if (uses_++ == 0) start_factory();
  }
  void do_stop() {
    if (--uses_ == 0) stop_factory();
  }

  /// Factory.forProtocol: makes a P of the arguments, which are kept.
  template <class P, class... Arguments>
  static std::shared_ptr<Factory> for_protocol(Arguments... arguments);

 private:
  int uses_ = 0;
};

class ClientFactory : public Factory {
 public:
  virtual void started_connecting() {}
  virtual void client_connection_failed(const Failure& reason) { static_cast<void>(reason); }
  virtual void client_connection_lost(const Failure& reason) { static_cast<void>(reason); }
};

/// Listens with a factory: endpoint.listen.
Coro<Server> listen_tcp(std::shared_ptr<Factory> factory, std::string interface, int port);
/// Connects a protocol of the factory and gives it; valid until its connection_lost() has returned. Tells a
/// ClientFactory of what happens, and throws what prevented the connection.
Coro<Protocol*> connect_tcp(std::shared_ptr<Factory> factory, std::string host, int port);
/// A protocol of this kind as one of eddy's, for any transport: memory, pipes, TLS.
std::unique_ptr<eddy::Protocol> adapt(std::shared_ptr<Factory> factory);

// --- twisted.protocols.basic --------------------------------------------------------------------------

/// Lines ended by a delimiter, and raw bytes in between: LineReceiver.
class LineReceiver : public Protocol {
 public:
  explicit LineReceiver(std::string delimiter = "\r\n", std::size_t max_length = 16384);

  /// Without its delimiter; valid during the call.
  virtual void line_received(std::string_view line) = 0;
  virtual void raw_data_received(std::string_view data) { static_cast<void>(data); }
  /// A line beyond max_length; `line`: all that came. The buffer is empty then. Closes unless overridden.
  virtual void line_length_exceeded(std::string_view line);

  /// From here on bytes go to raw_data_received(): also those of the same packet.
  void set_raw_mode() noexcept { line_mode_ = false; }
  /// Lines again; `extra` is parsed first.
  void set_line_mode(std::string_view extra = {});
  void send_line(std::string_view line);
  /// Gives what is buffered and forgets it.
  std::string clear_line_buffer();
  /// Holds lines back, and the peer.
  void pause_producing();
  void resume_producing();

  void data_received(std::string_view data) override;

  const std::string& delimiter() const noexcept { return delimiter_; }
  std::size_t max_length() const noexcept { return max_length_; }

 private:
  bool next_line();
  std::string delimiter_;
  std::size_t max_length_;
  std::string buffer_;       // from begin_ on
  std::size_t begin_ = 0;
  std::size_t scanned_ = 0;  // before it no delimiter begins
  std::string piece_;        // what is being told
  bool line_mode_ = true;
  bool busy_ = false;
  bool paused_ = false;
};

/// Strings behind their length as four bytes, the highest first: Int32StringReceiver.
class Int32StringReceiver : public Protocol {
 public:
  explicit Int32StringReceiver(std::size_t max_length = 99999) noexcept : max_length_(max_length) {}
  virtual void string_received(std::string_view text) = 0;
  /// A length beyond max_length. Closes unless overridden; nothing after it is parsed.
  virtual void length_limit_exceeded(std::size_t length);
  /// Throws ValueError beyond 2^32 - 1 bytes.
  void send_string(std::string_view text);
  void data_received(std::string_view data) override;

 private:
  std::size_t max_length_;
  std::string buffer_;
  std::string text_;  // what is being told
  bool busy_ = false;
  bool broken_ = false;
};

/// A netstring that is none: "12:hello world!," without leading zeros.
class NetstringParseError : public ValueError { using ValueError::ValueError; };

/// Strings as `length ":" bytes ","`: NetstringReceiver. Grammar: https://cr.yp.to/proto/netstrings.txt
class NetstringReceiver : public Protocol {
 public:
  explicit NetstringReceiver(std::size_t max_length = 99999) noexcept : max_length_(max_length) {}
  virtual void string_received(std::string_view text) = 0;
  /// What came is no netstring, or too long. Closes unless overridden; nothing after it is parsed.
  virtual void parse_error(const NetstringParseError& error);
  void send_string(std::string_view text);
  void data_received(std::string_view data) override;

 private:
  bool next_string();
  std::size_t parse_length(std::size_t colon) const;
  std::size_t max_length_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::string text_;  // what is being told
  bool busy_ = false;
  bool broken_ = false;
};

// --- twisted.protocols.policies -----------------------------------------------------------------------

/// Closes connections on which nothing was received for a while: TimeoutFactory.
std::shared_ptr<Factory> timeout_factory(std::shared_ptr<Factory> wrapped, Duration limit);
/// At most `most` connections at a time; what comes beyond is closed at once: LimitTotalConnectionsFactory.
std::shared_ptr<Factory> limit_connections(std::shared_ptr<Factory> wrapped, std::size_t most);

/// A time limit for a protocol's own use: TimeoutMixin.
class TimeoutMixin {
 public:
  virtual ~TimeoutMixin() { timer_.cancel(); }
  /// From now on timeout_connection() is called when reset_timeout() was not for that long; 0: never.
  void set_timeout(Duration limit);
  void reset_timeout();
  virtual void timeout_connection() = 0;

 private:
  void arm(Duration length);
  Duration limit_;
  TimePoint due_;
  TimerHandle timer_;
};

// Implementation

template <class P, class... Arguments>
std::shared_ptr<Factory> Factory::for_protocol(Arguments... arguments) {
  class Made final : public Factory {
   public:
    explicit Made(Arguments... kept) : arguments_(std::move(kept)...) {}
    std::unique_ptr<Protocol> build_protocol(const Address&) override {
      auto protocol = std::apply([](const auto&... each) { return std::make_unique<P>(each...); }, arguments_);
      protocol->set_factory(this);
      return protocol;
    }

   private:
    std::tuple<Arguments...> arguments_;
  };
  return std::make_shared<Made>(std::move(arguments)...);
}

}  // namespace eddy::twisted
