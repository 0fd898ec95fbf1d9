// SPDX-License-Identifier: MIT
// What a transport calls: asyncio's protocols. See eddy/transports.hpp.
#pragma once

#include <eddy/detail/smart_pointers.hpp>
#include <concepts>
#include <cstddef>
#include <exception>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace eddy {

class Address;
class DatagramTransport;
class Transport;

/// What all protocols are told. Every call comes from the loop, never from inside another one, but for
/// pause_writing(), which the write() that fills the queue calls.
///
/// A factory makes one protocol a connection; the transport owns it and destroys it after connection_lost().
/// What a protocol throws goes to the loop's exception handler and ends the connection.
class BaseProtocol {
 public:
  BaseProtocol() = default;
  BaseProtocol(const BaseProtocol&) = delete;
  BaseProtocol& operator=(const BaseProtocol&) = delete;
  virtual ~BaseProtocol() = default;

  /// The connection has ended: the last call, once. Null: by our close() or the peer's end of stream.
  virtual void connection_lost(std::exception_ptr) {}
  /// More than the high mark of bytes is unsent: stop writing.
  virtual void pause_writing() {}
  /// At most the low mark is: go on.
  virtual void resume_writing() {}
};

/// A protocol of a byte stream: `asyncio.Protocol`.
///
///     connection_made  data_received*  eof_received?  connection_lost
class Protocol : public BaseProtocol {
 public:
  /// The first call. `transport` is valid until connection_lost() has returned.
  virtual void connection_made(Transport&) {}
  /// The next bytes of the stream, cut anywhere; the view is valid during the call.
  virtual void data_received(std::string_view) {}
  /// The peer will send nothing more. False: the transport closes itself; true: it stays open for writing.
  virtual bool eof_received() { return false; }
};

/// The same with memory of its own: what is received is written where the protocol says, and not copied.
class BufferedProtocol : public BaseProtocol {
 public:
  virtual void connection_made(Transport&) {}
  /// Where the next bytes go. `size_hint`: how many to expect, 0: unknown. An empty span is an error. The memory must
  /// stay until the next get_buffer() or connection_lost().
  virtual std::span<char> get_buffer(std::size_t size_hint) = 0;
  /// The first `count` bytes of it were filled.
  virtual void buffer_updated(std::size_t count) = 0;
  virtual bool eof_received() { return false; }
};

/// A protocol of datagrams: `asyncio.DatagramProtocol`.
class DatagramProtocol : public BaseProtocol {
 public:
  /// `transport` is valid until connection_lost() has returned.
  virtual void connection_made(DatagramTransport&) {}
  /// One datagram, whole; the view is valid during the call.
  virtual void datagram_received(std::string_view, const Address&) {}
  /// A send or a receive failed, and the transport goes on: an ICMP error on a connected socket.
  virtual void error_received(std::exception_ptr) {}
};

namespace detail {

/// A protocol and which kind it is.
struct AnyProtocol {
  std::unique_ptr<BaseProtocol> owner;
  Protocol* stream = nullptr;           // one of the three
  BufferedProtocol* buffered = nullptr;
  DatagramProtocol* datagrams = nullptr;

  template <class P>
  explicit AnyProtocol(std::unique_ptr<P> protocol) {
    if constexpr (std::derived_from<P, Protocol>) stream = protocol.get();
    else if constexpr (std::derived_from<P, BufferedProtocol>) buffered = protocol.get();
    else if constexpr (std::derived_from<P, DatagramProtocol>) datagrams = protocol.get();
    owner = std::move(protocol);
  }
};

/// A user's protocol factory, type-erased.
class ProtocolFactory {
 public:
  virtual ~ProtocolFactory() = default;
  virtual AnyProtocol make() = 0;
};

template <class F>
class FactoryOf final : public ProtocolFactory {
 public:
  using Made = std::invoke_result_t<F&>;
  using Product = typename Made::element_type;
  static_assert(std::same_as<Made, std::unique_ptr<Product>> && std::derived_from<Product, BaseProtocol>,
                "eddy: a protocol factory returns a std::unique_ptr to a Protocol, BufferedProtocol or DatagramProtocol");

  explicit FactoryOf(F f) : factory_(std::move(f)) {}
  AnyProtocol make() override {
    auto protocol = factory_();
    last_ = protocol.get();
    return AnyProtocol(std::move(protocol));
  }
  /// What make() made last.
  Product* last() const noexcept { return last_; }

 private:
  F factory_;
  Product* last_ = nullptr;
};

}  // namespace detail
}  // namespace eddy
