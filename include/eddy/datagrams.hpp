// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstddef>
#include <eddy/addresses.hpp>
#include <eddy/coro.hpp>
#include <eddy/detail/owned.hpp>
#include <eddy/detail/task_core.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy {

struct DatagramOptions {
  // At least one of the two; they are of one family: IPv4, IPv6 or Unix.
  Address local = {};   // where to listen; port 0: the system chooses
  Address remote = {};  // the only peer: send() goes there, and nothing from elsewhere is received
  // Behaviour.
  bool reuse_port = false;       // several sockets share the port, and the system spreads the peers over them
  bool allow_broadcast = false;  // send_to() a broadcast address
  bool gro = false;  // the system may join datagrams of one sender: fewer calls. Then only receive_batch() receives
  // Limits.
  std::size_t max_size = 64 * 1024;  // bytes of a datagram; receive() throws OSError(EMSGSIZE) for a longer one
  int send_buffer = 0;               // bytes in the system's buffers; 0: the system's default
  int receive_buffer = 0;
};

struct Datagram {
  std::string data;
  Address from;  // empty: a Unix socket without a name
};
struct DatagramView {
  std::string_view data;
  Address from;
};
/// What receive_into() found: `size` bytes are there, of `full_size` that were sent. (A plain Socket does not tell how
/// many that were.)
struct DatagramSize {
  std::size_t size;
  Address from;
  std::size_t full_size;
  bool truncated() const noexcept { return full_size > size; }
};
struct OutgoingDatagram {
  std::string_view data;
  const Address* to = nullptr;  // null: the peer
};

class DatagramBatch;

namespace detail {

class DatagramCore;
void retain(DatagramCore& core) noexcept;
void release(DatagramCore& core) noexcept;

/// A wait for a socket, in the awaiting frame. It tries again whenever the socket may have become ready, and its
/// coroutine goes on when that has worked.
struct DatagramWait {
  DatagramCore* core;
  bool (*attempt)(DatagramWait&) noexcept;  // false: the socket is not ready
  bool sends;
  bool waited = false;
  bool done = false;
  int error = 0;

  bool begin();
  void suspend(std::coroutine_handle<> where);
  /// Throws what ended it: CancelledError, an OSError.
  void finish();
};

struct ReceiveWait : DatagramWait {
  char* data = nullptr;  // null: to a buffer of the thread's, valid until the next step
  std::size_t room = 0;
  std::size_t full_size = 0;
  Address from = {};

  ReceiveWait(DatagramCore& socket, char* where, std::size_t size);
  std::size_t size() const noexcept { return full_size < room ? full_size : room; }
  /// Throws OSError(EMSGSIZE) for one that was cut.
  void check_whole() const;
};

class [[nodiscard("co_await it")]] ReceiveString : ReceiveWait {
 public:
  explicit ReceiveString(DatagramCore& socket) : ReceiveWait(socket, nullptr, 0) {}
  bool await_ready() { return begin(); }
  void await_suspend(std::coroutine_handle<> where) { suspend(where); }
  Datagram await_resume();
};
class [[nodiscard("co_await it")]] ReceiveView : ReceiveWait {
 public:
  explicit ReceiveView(DatagramCore& socket);
  bool await_ready() { return begin(); }
  void await_suspend(std::coroutine_handle<> where) { suspend(where); }
  DatagramView await_resume();
};
class [[nodiscard("co_await it")]] ReceiveInto : ReceiveWait {
 public:
  ReceiveInto(DatagramCore& socket, std::span<char> space) : ReceiveWait(socket, space.data(), space.size()) {}
  bool await_ready() { return begin(); }
  void await_suspend(std::coroutine_handle<> where) { suspend(where); }
  DatagramSize await_resume() {
    finish();
    return {size(), from, full_size};
  }
};

class [[nodiscard("co_await it")]] ReceiveBatch : DatagramWait {
 public:
  ReceiveBatch(DatagramCore& socket, DatagramBatch& batch);
  bool await_ready() { return begin(); }
  void await_suspend(std::coroutine_handle<> where) { suspend(where); }
  std::size_t await_resume();

 private:
  static bool receive_some(DatagramWait& wait) noexcept;
  DatagramBatch* batch_;
};

class [[nodiscard("co_await it")]] SendOne : DatagramWait {
 public:
  SendOne(DatagramCore& socket, std::string_view data, const Address* to);
  bool await_ready() { return begin(); }
  void await_suspend(std::coroutine_handle<> where) { suspend(where); }
  void await_resume() { finish(); }

 private:
  static bool send_it(DatagramWait& wait) noexcept;
  std::string_view data_;
  const Address* to_;
};

class [[nodiscard("co_await it")]] SendBatch : DatagramWait {
 public:
  SendBatch(DatagramCore& socket, std::span<const OutgoingDatagram> datagrams);
  bool await_ready() { return begin(); }
  void await_suspend(std::coroutine_handle<> where) { suspend(where); }
  void await_resume() { finish(); }

 private:
  static bool send_rest(DatagramWait& wait) noexcept;
  std::span<const OutgoingDatagram> rest_;
};

}  // namespace detail

/// A socket for datagrams: UDP or Unix. A handle: copies refer to the same socket; the last one closes it.
///
/// Any number of tasks may send and receive at once: each datagram goes to one of those that wait, in their order. A
/// cancelled receive() loses no datagram, a cancelled send() has sent nothing. Datagrams may be lost, doubled and
/// reordered by the network, and are dropped by the system while its receive buffer is full.
///
/// A connected socket hears that nobody listens at its peer: the next send or receive throws ConnectionRefusedError.
/// What waits while the socket is closed throws ConnectionAbortedError; later calls throw RuntimeError.
class DatagramSocket {
 public:
  DatagramSocket() noexcept = default;
  explicit DatagramSocket(detail::DatagramCore& core) noexcept : core_(&core) { detail::retain(core); }
  DatagramSocket(const DatagramSocket& other) noexcept : core_(other.core_) {
    if (core_) detail::retain(*core_);
  }
  DatagramSocket(DatagramSocket&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  DatagramSocket& operator=(DatagramSocket other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~DatagramSocket() {
    if (core_) detail::release(*core_);
  }

  /// Sends one datagram, of any size down to 0, to the peer; waits while the system has no room. Throws OSError:
  /// EMSGSIZE for one that is too long, ENOBUFS from a device that is full. The data must stay until it has returned.
  auto send(std::string_view data) { return detail::SendOne(*core_, data, nullptr); }
  auto send_to(std::string_view data, const Address& to) { return detail::SendOne(*core_, data, &to); }
  /// All of them in order, in few system calls: runs of one size to one address leave as one packet where the kernel
  /// can split it (UDP_SEGMENT). What was sent before an error is sent.
  auto send_batch(std::span<const OutgoingDatagram> datagrams) { return detail::SendBatch(*core_, datagrams); }

  /// The next datagram and its sender: `auto [data, from] = co_await socket.receive();`
  auto receive() { return detail::ReceiveString(*core_); }
  /// The same without a copy: valid until the next receive_view() of this socket.
  auto receive_view() { return detail::ReceiveView(*core_); }
  /// Into memory of the caller. A longer datagram is cut, and `truncated()` says so.
  auto receive_into(std::span<char> space) { return detail::ReceiveInto(*core_, space); }
  /// As many as there are, at least one; gives how many.
  auto receive_batch(DatagramBatch& batch) { return detail::ReceiveBatch(*core_, batch); }

  Address local_address() const;
  /// Empty if it is not connected.
  Address remote_address() const;
  /// -1 once it is closed.
  int fileno() const noexcept;

  void set_broadcast(bool on);
  /// Receives what is sent to a group as well. `interface`: a name such as "eth0"; "": the system's choice. Throws OSError.
  void join_multicast(const Address& group, std::string_view interface = {});
  void leave_multicast(const Address& group, std::string_view interface = {});
  /// How far what is sent to groups goes: 0 this machine, 1 this network, and so on.
  void set_multicast_ttl(int hops);
  /// Whether this machine hears what it sends to groups.
  void set_multicast_loop(bool on);
  /// Through which interface it is sent.
  void set_multicast_interface(std::string_view interface);

  void close();
  bool is_closed() const noexcept;
  explicit operator bool() const noexcept { return core_ != nullptr; }

 private:
  void check_open(const char* operation) const;
  void group(const char* operation, int option, const Address& group, std::string_view interface);
  void set_option(const char* operation, int v4, int v6, int value);
  detail::DatagramCore* core_ = nullptr;
};

/// Room for the datagrams of receive_batch(), to be used again and again.
class DatagramBatch {
 public:
  struct Item {
    std::string_view data;
    const Address& from;
    bool truncated;
  };

  /// Up to `count` at once of up to `size` bytes each. With `.gro`, 64 KiB each serve best.
  explicit DatagramBatch(std::size_t count = 64, std::size_t size = 2048);
  DatagramBatch(DatagramBatch&&) noexcept;
  DatagramBatch& operator=(DatagramBatch&&) noexcept;
  ~DatagramBatch();

  // What came last, valid until the next receive_batch() with it.
  std::size_t size() const noexcept { return items_.size(); }
  const Item& operator[](std::size_t i) const noexcept { return items_[i]; }
  auto begin() const noexcept { return items_.begin(); }
  auto end() const noexcept { return items_.end(); }

 private:
  friend class detail::DatagramCore;
  struct Room;
  detail::Owned<Room> room_;
  std::vector<Item> items_;
};

/// Opens a socket for datagrams.
///
///     auto socket = co_await eddy::open_datagram({.local = {"0.0.0.0", 5353}});
///
/// Throws OSError that names the address; ValueError without an address, or for two of different families.
Coro<DatagramSocket> open_datagram(DatagramOptions options);

}  // namespace eddy
