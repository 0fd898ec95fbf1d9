// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/pack.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy {

namespace detail {

/// One end of a SOCK_SEQPACKET socket: whole messages or none, so a cancelled or failed call loses nothing
/// and takes nothing. Owns the descriptor.
class MessageSocket {
 public:
  explicit MessageSocket(int fd = -1) noexcept : fd_(fd) {}
  MessageSocket(MessageSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  MessageSocket& operator=(MessageSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~MessageSocket() { close(); }
  static std::pair<MessageSocket, MessageSocket> make_pair();

  void close() noexcept;
  int fd() const noexcept { return fd_; }
  /// fd(), or ValueError: it is closed.
  int open_fd() const;

  bool has_message(Duration timeout) const;
  /// Blocking. They throw BrokenPipeError and EOFError if the other end is gone, TimeoutError.
  void send(Parcel parcel, Duration timeout) const;
  Parcel receive(Duration timeout) const;
  /// False: nothing is there now.
  bool receive_now(Parcel& parcel) const;
  /// The same inside of a task.
  Coro<> send_soon(Parcel parcel) const;
  Coro<Parcel> receive_soon() const;

 private:
  int fd_;
};

template <class T>
Parcel pack_message(const T& value) {
  Packer packer;
  packer.add(value);
  return std::move(packer).take();
}
template <class T>
T unpack_message(Parcel parcel) {
  Unpacker unpacker(parcel);
  T value = unpacker.get<T>();
  unpacker.finish();
  return value;
}

/// Suspends until the descriptor can be read or written without waiting. Any number of tasks may wait for
/// one.
Coro<> wait_for_descriptor(int fd, bool writes);

MessageSocket listen_at(std::string_view path);
MessageSocket connect_to_path(std::string_view path);
void remove_path(const std::string& path) noexcept;
MessageSocket accept_blocking(const MessageSocket& listener, Duration timeout);
Coro<MessageSocket> accept_soon(const MessageSocket& listener);

}  // namespace detail

namespace mp {

/// One end of a pipe between processes: messages of type Out go, of type In come, each whole.
/// `multiprocessing.connection.Connection`.
///
///     auto [here, there] = mp::pipe<Question, Answer>();
///     mp::Process child(answer_questions, there);
///     child.start();
///     there.close();  // else the end of the child is not seen here
///     co_await here.send(question);
///     auto answer = co_await here.recv();
///
/// It may travel itself: as an argument of a pool's or a process's function, and in a message, also as a
/// field. A copy of the descriptor travels; the end that stays is to be closed. A message may have any size.
/// Moved, not copied; to be used by one task or thread for each direction at a time.
template <class Out, class In = Out>
class Connection {
 public:
  explicit Connection(detail::MessageSocket socket) noexcept : socket_(std::move(socket)) {}

  /// Inside of a task: suspends while the other end's buffer is full; while nothing has come. Throw
  /// BrokenPipeError, EOFError when the other end is closed. A cancelled one has sent, or taken, nothing.
  Coro<> send(const Out& message) { return socket_.send_soon(detail::pack_message(message)); }
  Coro<In> recv() {
    auto parcel = co_await socket_.receive_soon();
    co_return detail::unpack_message<In>(std::move(parcel));
  }

  /// The same by blocking the thread. Throw TimeoutError too.
  void blocking_send(const Out& message, Duration timeout = Duration::max()) {
    socket_.send(detail::pack_message(message), timeout);
  }
  In blocking_recv(Duration timeout = Duration::max()) {
    return detail::unpack_message<In>(socket_.receive(timeout));
  }

  /// Whether blocking_recv() would return, or throw, at once; waits so long for it.
  bool poll(Duration timeout = Duration()) const { return socket_.has_message(timeout); }

  /// The other end sees the end of the messages, if this is the last copy.
  void close() noexcept { socket_.close(); }
  bool closed() const noexcept { return socket_.fd() < 0; }
  int fileno() const noexcept { return socket_.fd(); }

 private:
  friend PackAs<Connection>;
  detail::MessageSocket socket_;
};

/// A pipe: what one end sends, the other receives. `multiprocessing.Pipe`.
template <class Out, class In = Out>
std::pair<Connection<Out, In>, Connection<In, Out>> pipe() {
  auto [first, second] = detail::MessageSocket::make_pair();
  return {Connection<Out, In>(std::move(first)), Connection<In, Out>(std::move(second))};
}

/// The places in `descriptors` (of `fileno()` and `sentinel()`) of those that are ready; none after
/// `timeout`. `multiprocessing.connection.wait`.
std::vector<std::size_t> wait(const std::vector<int>& descriptors, Duration timeout = Duration::max());

/// Takes connections of other processes of this program at a path: `multiprocessing.connection.Listener`.
/// Only the user that made it can connect. The path is removed with it.
template <class Out, class In = Out>
class Listener {
 public:
  /// Throws OSError, as of a path that is there.
  explicit Listener(std::string_view path) : socket_(detail::listen_at(path)), path_(path) {}
  Listener(Listener&&) = delete;
  ~Listener() { detail::remove_path(path_); }

  Coro<Connection<Out, In>> accept() {
    auto socket = co_await detail::accept_soon(socket_);
    co_return Connection<Out, In>(std::move(socket));
  }
  Connection<Out, In> blocking_accept(Duration timeout = Duration::max()) {
    return Connection<Out, In>(detail::accept_blocking(socket_, timeout));
  }
  int fileno() const noexcept { return socket_.fd(); }

 private:
  detail::MessageSocket socket_;
  std::string path_;
};

/// Connects to a Listener<In, Out>. Throws ConnectionRefusedError, FileNotFoundError.
template <class Out, class In = Out>
Connection<Out, In> connect(std::string_view path) {
  return Connection<Out, In>(detail::connect_to_path(path));
}

}  // namespace mp

template <class Out, class In>
struct PackAs<mp::Connection<Out, In>> {
  static void pack(const mp::Connection<Out, In>& connection, Packer& packer) {
    packer.add_descriptor(connection.socket_.open_fd());
  }
  static mp::Connection<Out, In> unpack(Unpacker& unpacker) {
    return mp::Connection<Out, In>(detail::MessageSocket(unpacker.take_descriptor()));
  }
};

}  // namespace eddy
