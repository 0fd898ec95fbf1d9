// SPDX-License-Identifier: MIT
// asyncio's callback style: a transport moves bytes and tells a protocol. Coroutines use eddy/streams.hpp instead,
// which stands beside this over the same drivers.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <eddy/addresses.hpp>
#include <eddy/coro.hpp>
#include <eddy/datagrams.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/events.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/protocols.hpp>
#include <eddy/streams.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy {

namespace detail {
class TransportCore;
class DatagramTransportCore;
void retain(TransportCore& core) noexcept;
void release(TransportCore& core) noexcept;
void retain(DatagramTransportCore& core) noexcept;
void release(DatagramTransportCore& core) noexcept;
}  // namespace detail

/// When a protocol is told to pause and to go on: bytes that were written and not sent.
struct WriteLimits {
  std::size_t low = 16 * 1024;
  std::size_t high = 64 * 1024;
};

/// One connection as its protocol sees it: `asyncio.Transport`. Made by the loop; it belongs to the loop's thread.
///
/// A transport lives until its protocol's connection_lost() has returned, whoever refers to it; a TransportPtr keeps
/// the object, closed, beyond that. Nothing waits and nothing but the protocol's own pause_writing() is called from
/// inside: what follows from a call comes from the loop, later.
class Transport {
 public:
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// Sends at once what the kernel takes and keeps a copy of the rest. Throws RuntimeError after write_eof(); on a
  /// connection that is lost it does nothing, and connection_lost() says why.
  void write(std::string_view data);
  /// The same for many pieces, in one system call where possible.
  void writelines(const std::vector<std::string_view>& pieces);
  /// No more writes: the peer sees the end of the stream after what was written. A pipe is closed for it.
  void write_eof();
  bool can_write_eof() const noexcept;

  /// No more reads; what was written is sent, then connection_lost(null).
  void close();
  /// The same at once; what was not sent is lost.
  void abort();
  bool is_closing() const noexcept;

  /// No more data_received() until resume_reading(): the peer is held back. Twice is as good as once.
  void pause_reading();
  void resume_reading();
  bool is_reading() const noexcept;

  /// Throws ValueError if `low` is above `high`. At once pauses a protocol that is above the new mark.
  void set_write_buffer_limits(WriteLimits limits = {});
  WriteLimits get_write_buffer_limits() const noexcept;
  std::size_t get_write_buffer_size() const noexcept;

  /// Speaks TLS from here on; waits until what was written is sent, then for the handshake. A context of a client checks
  /// the peer's certificate for `.server_hostname`. If it fails or is cancelled, the transport is aborted. Throws
  /// tls::Error, tls::CertificateError, TimeoutError, and RuntimeError on a transport that has TLS already.
  Coro<> start_tls(const tls::Context& context, StartTlsOptions options = {});

  /// Another protocol from here on; its connection_made() is not called. The one before is destroyed with the
  /// transport, so it may do this from one of its own methods.
  template <class P>
  void set_protocol(std::unique_ptr<P> protocol) {
    static_assert(std::derived_from<P, Protocol> || std::derived_from<P, BufferedProtocol>,
                  "eddy: a transport's protocol is a Protocol or a BufferedProtocol");
    exchange_protocol(detail::AnyProtocol(std::move(protocol)));
  }
  BaseProtocol& get_protocol() const noexcept;

  // asyncio's get_extra_info().
  Address local_address() const;
  /// Also after the connection broke. Empty for a pipe.
  Address peer_address() const;
  /// -1 once it is closed.
  int fileno() const noexcept;

 protected:
  Transport() = default;
  ~Transport() = default;

 private:
  void exchange_protocol(detail::AnyProtocol protocol);
};

/// Datagrams as their protocol sees them: `asyncio.DatagramTransport`.
class DatagramTransport {
 public:
  DatagramTransport(const DatagramTransport&) = delete;
  DatagramTransport& operator=(const DatagramTransport&) = delete;

  /// Sends one datagram, or keeps a copy while the socket is full. Without an address: to the peer it is connected
  /// to. Throws ValueError for an address that is not the peer's; what the system refuses goes to error_received().
  void sendto(std::string_view data);
  void sendto(std::string_view data, const Address& to);

  /// Sends what is kept, then connection_lost(null).
  void close();
  void abort();
  bool is_closing() const noexcept;

  void set_write_buffer_limits(WriteLimits limits = {});
  WriteLimits get_write_buffer_limits() const noexcept;
  std::size_t get_write_buffer_size() const noexcept;

  Address local_address() const;
  Address peer_address() const;
  int fileno() const noexcept;

 protected:
  DatagramTransport() = default;
  ~DatagramTransport() = default;
};

/// A counted handle that keeps the transport object and its protocols: `transport->write("x")`. It keeps nothing open.
template <class T, class Core>
class CountedTransport {
 public:
  CountedTransport() noexcept = default;
  CountedTransport(T& transport, Core& core) noexcept : transport_(&transport), core_(&core) { detail::retain(core); }
  CountedTransport(const CountedTransport& other) noexcept : transport_(other.transport_), core_(other.core_) {
    if (core_) detail::retain(*core_);
  }
  CountedTransport(CountedTransport&& other) noexcept
      : transport_(other.transport_), core_(std::exchange(other.core_, nullptr)) {}
  CountedTransport& operator=(CountedTransport other) noexcept {
    std::swap(transport_, other.transport_);
    std::swap(core_, other.core_);
    return *this;
  }
  ~CountedTransport() {
    if (core_) detail::release(*core_);
  }

  explicit operator bool() const noexcept { return core_ != nullptr; }
  T* operator->() const noexcept { return transport_; }
  T& operator*() const noexcept { return *transport_; }
  Core& core() const noexcept { return *core_; }

 private:
  T* transport_ = nullptr;
  Core* core_ = nullptr;
};
using TransportPtr = CountedTransport<Transport, detail::TransportCore>;
using DatagramTransportPtr = CountedTransport<DatagramTransport, detail::DatagramTransportCore>;

/// What create_connection() gives. The protocol is valid as long as the handle of its transport.
template <class P>
struct Connection {
  TransportPtr transport;
  P* protocol;
};
template <class P>
struct DatagramEndpoint {
  DatagramTransportPtr transport;
  P* protocol;
};

namespace detail {

using FactoryPtr = std::shared_ptr<ProtocolFactory>;
enum class PipeEnd : bool { reads, writes };

Coro<TransportPtr> create_connection(FactoryPtr factory, std::string host, int port, ConnectionOptions options);
Coro<TransportPtr> create_connection(FactoryPtr factory, Socket&& socket, ConnectionOptions options);
Coro<TransportPtr> create_unix_connection(FactoryPtr factory, std::string path);
Coro<TransportPtr> connect_accepted_socket(FactoryPtr factory, int fd);
Coro<TransportPtr> connect_pipe(FactoryPtr factory, int fd, PipeEnd end);
Coro<Server> create_server(FactoryPtr factory, std::string host, int port, ServerOptions options);
Coro<Server> create_server(FactoryPtr factory, Socket&& socket, ServerOptions options);
Coro<Server> create_unix_server(FactoryPtr factory, std::string path, ServerOptions options);
Coro<DatagramTransportPtr> create_datagram_endpoint(FactoryPtr factory, DatagramOptions options);
Coro<std::uint64_t> sendfile(TransportPtr transport, int file, SendfileOptions options);

template <template <class> class Pair, class F, class Handle>
Coro<Pair<typename FactoryOf<F>::Product>> with_protocol(std::shared_ptr<FactoryOf<F>> factory, Coro<Handle> connecting) {
  auto transport = co_await std::move(connecting);
  co_return Pair<typename FactoryOf<F>::Product>{std::move(transport), factory->last()};
}

template <class F>
std::shared_ptr<FactoryOf<F>> stream_factory(F factory) {
  using P = typename FactoryOf<F>::Product;
  static_assert(std::derived_from<P, Protocol> || std::derived_from<P, BufferedProtocol>,
                "eddy: a connection's factory makes a Protocol or a BufferedProtocol");
  return std::make_shared<FactoryOf<F>>(std::move(factory));
}

TransportPtr pointer_to(Transport& transport) noexcept;

}  // namespace detail

template <class F>
auto EventLoop::create_connection(F factory, std::string host, int port, const ConnectionOptions& options) {
  auto kept = detail::stream_factory(std::move(factory));
  auto connecting = detail::create_connection(kept, std::move(host), port, options);
  return detail::with_protocol<Connection>(std::move(kept), std::move(connecting));
}
template <class F>
auto EventLoop::create_connection(F factory, std::string host, int port) {
  return create_connection(std::move(factory), std::move(host), port, ConnectionOptions());
}
template <class F>
auto EventLoop::create_connection(F factory, Socket&& socket, const ConnectionOptions& options) {
  auto kept = detail::stream_factory(std::move(factory));
  auto connecting = detail::create_connection(kept, std::move(socket), options);
  return detail::with_protocol<Connection>(std::move(kept), std::move(connecting));
}
template <class F>
auto EventLoop::create_connection(F factory, Socket&& socket) {
  return create_connection(std::move(factory), std::move(socket), ConnectionOptions());
}
template <class F>
auto EventLoop::create_unix_connection(F factory, std::string path) {
  auto kept = detail::stream_factory(std::move(factory));
  auto connecting = detail::create_unix_connection(kept, std::move(path));
  return detail::with_protocol<Connection>(std::move(kept), std::move(connecting));
}
template <class F>
auto EventLoop::connect_accepted_socket(F factory, int fd) {
  auto kept = detail::stream_factory(std::move(factory));
  auto connecting = detail::connect_accepted_socket(kept, fd);
  return detail::with_protocol<Connection>(std::move(kept), std::move(connecting));
}
template <class F>
auto EventLoop::connect_read_pipe(F factory, int fd) {
  auto kept = detail::stream_factory(std::move(factory));
  auto connecting = detail::connect_pipe(kept, fd, detail::PipeEnd::reads);
  return detail::with_protocol<Connection>(std::move(kept), std::move(connecting));
}
template <class F>
auto EventLoop::connect_write_pipe(F factory, int fd) {
  auto kept = detail::stream_factory(std::move(factory));
  auto connecting = detail::connect_pipe(kept, fd, detail::PipeEnd::writes);
  return detail::with_protocol<Connection>(std::move(kept), std::move(connecting));
}
template <class F>
Coro<Server> EventLoop::create_server(F factory, std::string host, int port, const ServerOptions& options) {
  return detail::create_server(detail::stream_factory(std::move(factory)), std::move(host), port, options);
}
template <class F>
Coro<Server> EventLoop::create_server(F factory, std::string host, int port) {
  return create_server(std::move(factory), std::move(host), port, ServerOptions());
}
template <class F>
Coro<Server> EventLoop::create_server(F factory, Socket&& socket, const ServerOptions& options) {
  return detail::create_server(detail::stream_factory(std::move(factory)), std::move(socket), options);
}
template <class F>
Coro<Server> EventLoop::create_server(F factory, Socket&& socket) {
  return create_server(std::move(factory), std::move(socket), ServerOptions());
}
template <class F>
Coro<Server> EventLoop::create_unix_server(F factory, std::string path) {
  return detail::create_unix_server(detail::stream_factory(std::move(factory)), std::move(path), ServerOptions());
}
template <class F>
auto EventLoop::create_datagram_endpoint(F factory, const DatagramOptions& options) {
  static_assert(std::derived_from<typename detail::FactoryOf<F>::Product, DatagramProtocol>,
                "eddy: a datagram endpoint's factory makes a DatagramProtocol");
  auto kept = std::make_shared<detail::FactoryOf<F>>(std::move(factory));
  auto opening = detail::create_datagram_endpoint(kept, options);
  return detail::with_protocol<DatagramEndpoint>(std::move(kept), std::move(opening));
}
inline Coro<std::uint64_t> EventLoop::sendfile(Transport& transport, int file, const SendfileOptions& options) {
  return detail::sendfile(detail::pointer_to(transport), file, options);
}

}  // namespace eddy
