// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <eddy/addresses.hpp>
#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/detail/task_core.hpp>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy {

class Socket;
namespace tls {
class Context;
}

namespace detail {

class StreamCore;
void retain(StreamCore& core) noexcept;
void release(StreamCore& core) noexcept;

/// A counted handle of a stream; the last one closes it.
class StreamHandle {
 public:
  StreamHandle() noexcept = default;
  explicit StreamHandle(StreamCore& core) noexcept : core_(&core) { retain(core); }
  StreamHandle(const StreamHandle& other) noexcept : core_(other.core_) {
    if (core_) retain(*core_);
  }
  StreamHandle(StreamHandle&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  StreamHandle& operator=(StreamHandle other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~StreamHandle() {
    if (core_) release(*core_);
  }

  explicit operator bool() const noexcept { return core_ != nullptr; }
  StreamCore& core() const noexcept { return *core_; }

 protected:
  StreamCore* core_ = nullptr;
};

/// What a read waits for: so many bytes, to take them or those and more; or something else.
enum class ReadGoal : unsigned char { any, exactly, until, everything, quiet };

/// True: the goal is met, or can never be. Starts reading otherwise.
bool begin_read(StreamCore& core, ReadGoal goal, std::size_t count, std::string_view separator);
void wait_read(StreamCore& core, std::coroutine_handle<> where);
enum class ReadEnd : unsigned char { fine, cancelled, failed };
ReadEnd finish_read(StreamCore& core, bool waited) noexcept;
/// Why it failed: an OSError.
std::exception_ptr read_failure(const StreamCore& core);
/// Throws what ended the read early: CancelledError, an OSError. In place: each function between is a frame more to unwind.
[[gnu::always_inline]] inline void end_read(StreamCore& core, bool waited) {
  const auto end = finish_read(core, waited);
  if (end == ReadEnd::fine) [[likely]] return;
  if (end == ReadEnd::cancelled) current_task_core().throw_cancelled();
  std::rethrow_exception(read_failure(core));
}

std::string_view take_any(StreamCore& core, std::size_t most) noexcept;
std::string_view take_exactly(StreamCore& core, std::size_t count);
std::string_view take_until(StreamCore& core, std::string_view separator, bool partial_at_end);

class ReadBase {
 public:
  void await_suspend(std::coroutine_handle<> where) {
    wait_read(*core_, where);
    waited_ = true;
  }

 protected:
  explicit ReadBase(StreamCore& core) noexcept : core_(&core) {}
  StreamCore* core_;
  bool waited_ = false;
};

/// `Text` is std::string, a copy, or std::string_view, valid until the next read.
template <class Text>
class [[nodiscard("co_await it")]] ReadAny : public ReadBase {
 public:
  ReadAny(StreamCore& core, std::size_t most) noexcept : ReadBase(core), most_(most) {}
  bool await_ready() { return most_ == 0 || begin_read(*core_, ReadGoal::any, 1, {}); }
  Text await_resume() {
    if (most_ == 0) return Text();
    end_read(*core_, waited_);
    return Text(take_any(*core_, most_));
  }

 private:
  std::size_t most_;
};

template <class Text>
class [[nodiscard("co_await it")]] ReadExactly : public ReadBase {
 public:
  ReadExactly(StreamCore& core, std::size_t count) noexcept : ReadBase(core), count_(count) {}
  bool await_ready() { return begin_read(*core_, ReadGoal::exactly, count_, {}); }
  Text await_resume() {
    end_read(*core_, waited_);
    return Text(take_exactly(*core_, count_));
  }

 private:
  std::size_t count_;
};

template <class Text, bool kPartialAtEnd>
class [[nodiscard("co_await it")]] ReadUntil : public ReadBase {
 public:
  ReadUntil(StreamCore& core, std::string_view separator) : ReadBase(core), separator_(separator) {}
  bool await_ready() { return begin_read(*core_, ReadGoal::until, 0, separator_); }
  auto await_resume() {
    end_read(*core_, waited_);
    return Text(take_until(*core_, separator_, kPartialAtEnd));
  }

 private:
  std::string separator_;
};

class [[nodiscard("co_await it")]] ReadLine : public ReadUntil<std::string, true> {
 public:
  explicit ReadLine(StreamCore& core) : ReadUntil(core, "\n") {}
  std::optional<std::string> await_resume() {
    auto line = ReadUntil::await_resume();
    if (line.empty()) return std::nullopt;
    return line;
  }
};

class [[nodiscard("co_await it")]] ReadAll : public ReadBase {
 public:
  explicit ReadAll(StreamCore& core) noexcept : ReadBase(core) {}
  bool await_ready() { return begin_read(*core_, ReadGoal::everything, 0, {}); }
  std::string await_resume() {
    end_read(*core_, waited_);
    return std::string(take_any(*core_, static_cast<std::size_t>(-1)));
  }
};

}  // namespace detail

/// The reading side of a connection: `asyncio.StreamReader`.
///
/// One task reads at a time; a second concurrent read throws RuntimeError. Memory is bounded: nothing is
/// read from the kernel beyond what a read asks for, so a slow reader holds its peer back. A cancelled
/// read loses no byte. Errors of the connection are thrown by the read that finds them and by every later
/// one.
class StreamReader : public detail::StreamHandle {
 public:
  using StreamHandle::StreamHandle;

  /// Up to `n` bytes, as soon as there are any; empty at the end of the stream.
  auto read(std::size_t n) { return detail::ReadAny<std::string>(*core_, n); }
  /// Everything up to the end of the stream.
  auto read() { return detail::ReadAll(*core_); }
  /// Exactly `n` bytes. Throws IncompleteReadError if the stream ends before.
  auto readexactly(std::size_t n) { return detail::ReadExactly<std::string>(*core_, n); }
  /// Through the first `separator`. Throws LimitOverrunError when there is none within the limit (the bytes
  /// stay), IncompleteReadError when the stream ends before it.
  auto readuntil(std::string_view separator = "\n") {
    return detail::ReadUntil<std::string, false>(*core_, separator);
  }
  /// Through the next '\n', or what is left before the end of the stream; empty at the end.
  auto readline() { return detail::ReadUntil<std::string, true>(*core_, "\n"); }
  /// The next line, or nothing at the end: `while (auto line = co_await reader.next())`.
  auto next() { return detail::ReadLine(*core_); }

  // Without a copy: the bytes stay in the reader's buffer, valid until its next read.

  /// What has come, up to `n` bytes, consumed; empty at the end.
  auto read_view(std::size_t n = static_cast<std::size_t>(-1)) { return detail::ReadAny<std::string_view>(*core_, n); }
  auto readexactly_view(std::size_t n) { return detail::ReadExactly<std::string_view>(*core_, n); }
  auto readuntil_view(std::string_view separator = "\n") {
    return detail::ReadUntil<std::string_view, false>(*core_, separator);
  }

  /// For parsers: what is buffered, nothing consumed. Never waits.
  std::string_view buffered() const noexcept;
  /// Drops the first `n` bytes of buffered().
  void consume(std::size_t n) noexcept;
  /// Waits until more bytes are buffered than now, or the stream has ended: false.
  [[nodiscard("co_await it")]] auto more() { return More(*core_); }

  /// The stream has ended and everything was read.
  bool at_eof() const noexcept;
  /// The largest line or delimited piece, bytes.
  std::size_t limit() const noexcept;

 private:
  class More : public detail::ReadBase {
   public:
    explicit More(detail::StreamCore& core) noexcept : ReadBase(core) {}
    bool await_ready();
    bool await_resume() {
      detail::end_read(*core_, waited_);
      return has_more();
    }

   private:
    bool has_more() const noexcept;
    std::size_t before_ = 0;
  };
};

/// How a stream that is open becomes one over TLS.
struct StartTlsOptions {
  std::string_view server_hostname = {};  // of clients: whose certificate it has to be; also sent (SNI)
  // Limits.
  Duration handshake_timeout = std::chrono::seconds(60);
  Duration shutdown_timeout = std::chrono::seconds(30);  // for a peer that takes no byte while we close
};

struct SendfileOptions {
  std::uint64_t offset = 0;
  std::uint64_t count = static_cast<std::uint64_t>(-1);  // bytes at most; the end of the file ends it, too
  bool fallback = true;  // read and write where sendfile(2) does not work: TLS, pipes, special files
};

/// The writing side of a connection: `asyncio.StreamWriter`.
class StreamWriter : public detail::StreamHandle {
 public:
  using StreamHandle::StreamHandle;

  /// Sends at once what the kernel takes and keeps a copy of the rest. Never waits: `co_await drain()` after
  /// it keeps memory bounded. Throws RuntimeError after close() or write_eof(); on a broken connection it
  /// does nothing, and drain() throws.
  void write(std::string_view data);
  /// The same for many pieces, in one system call where possible.
  void writelines(const std::vector<std::string_view>& pieces);

  /// Waits while more than 64 KiB are unsent, until at most 16 KiB are. Throws the connection's error.
  [[nodiscard("co_await it")]] auto drain() { return Drain(*core_); }

  /// Holds writes back until it goes out of scope; then they leave together.
  class [[nodiscard("it flushes at the end of its scope: give it a name")]] Cork;
  Cork cork();

  /// Sends a file behind what was written, by sendfile(2) where that works; gives how many bytes, fewer than `.count` if
  /// the file ends before. Returns when the kernel has them all. What a cork held is sent first, and the cork is over.
  ///
  /// Meanwhile write() and write_eof() throw RuntimeError. `file` stays the caller's, and has to stay open; its position
  /// is not used. If it is cancelled, a part has gone, nobody knows how much, and the stream goes on.
  ///
  /// What the page cache has not is read by the back end or on a thread, and copied. Filesystems that cannot tell (they
  /// refuse RWF_NOWAIT) are read by sendfile(2) itself, which may block the loop.
  ///
  /// Throws the connection's error, SendfileNotAvailableError without `.fallback`, RuntimeError after close() or write_eof(),
  /// BusyResourceError while another task sends a file or starts TLS.
  Coro<std::uint64_t> sendfile(int file, SendfileOptions options = {});

  /// Goes over to TLS (STARTTLS): sends what was written before, then shakes hands, as the client or the server that
  /// `context` is for. The reader of this stream goes on with what comes decrypted.
  ///
  /// Bytes that were read and not consumed came unencrypted, from whomever: they are refused. If it fails or is
  /// cancelled, the stream is aborted. Throws tls::Error, tls::CertificateError, TimeoutError, and RuntimeError on a
  /// stream that is closing, has TLS already, is being read by another task or is sending a file.
  Coro<> start_tls(const tls::Context& context, StartTlsOptions options = {});

  /// No more writes: the peer sees the end of the stream after what was written before. Over TLS it is told by a
  /// close_notify, and reading goes on.
  void write_eof();
  /// Sends what was written before, then closes. Reads end.
  void close();
  /// Closes at once; what was not sent is lost.
  void abort();
  /// Waits until it is closed. Throws what broke the connection.
  [[nodiscard("co_await it")]] auto wait_closed() { return WaitClosed(*core_); }
  bool is_closing() const noexcept;
  /// Bytes that were written and not yet taken by the kernel.
  std::size_t write_buffer_size() const noexcept;

  Address local_address() const;
  Address peer_address() const;
  /// Who made the other end of a Unix socket. Throws OSError for others.
  PeerCredentials peer_credentials() const;
  /// -1 once it is closed.
  int fileno() const noexcept;

 private:
  class Drain {
   public:
    explicit Drain(detail::StreamCore& core) noexcept : core_(&core) {}
    bool await_ready() const;
    void await_suspend(std::coroutine_handle<> where);
    void await_resume();

   private:
    detail::StreamCore* core_;
    bool waited_ = false;
  };
  class WaitClosed {
   public:
    explicit WaitClosed(detail::StreamCore& core) noexcept : core_(&core) {}
    bool await_ready() const noexcept;
    void await_suspend(std::coroutine_handle<> where);
    void await_resume();

   private:
    detail::StreamCore* core_;
    bool waited_ = false;
  };
};

class StreamWriter::Cork {
 public:
  explicit Cork(StreamWriter writer);
  Cork(Cork&&) noexcept = default;
  Cork& operator=(Cork&&) = delete;
  ~Cork();

 private:
  StreamWriter writer_;
};

/// The two sides of a connection: `auto [reader, writer] = co_await open_connection(…);`
struct Streams {
  StreamReader reader;
  StreamWriter writer;
};

struct ConnectionOptions {
  // Limits.
  std::size_t limit = 64 * 1024;  // the longest line of readline() and readuntil(), bytes
  // Behaviour.
  Address local = {};  // where to connect from; empty: the system's choice
  int family = 0;      // AF_INET or AF_INET6: addresses of this family only
  Duration happy_eyeballs_delay = std::chrono::milliseconds(250);  // a slow address, and the next is tried beside it;
                                                                   // Duration::max(): not before it has failed
  int interleave = 1;  // the families in turn, after so many addresses of the first; 0: in the resolver's order
  // TLS; see eddy/tls.hpp. Both are copied by the call.
  const tls::Context* tls = nullptr;      // null: plain
  std::string_view server_hostname = {};  // whose certificate it has to be; empty: `host`
  Duration tls_handshake_timeout = std::chrono::seconds(60);
  Duration tls_shutdown_timeout = std::chrono::seconds(30);  // for a peer that takes no byte while we close
};

/// Connects to a TCP server: tries the addresses of `host`, a slow one beside the next (RFC 8305).
///
/// Throws GaiError if the name cannot be resolved; ConnectionRefusedError and its family if no address can
/// be reached, with the outcome of each; ValueError for a port outside of 0 to 65535. There is no time
/// limit but the system's: wrap it in timeout(). With TLS also tls::CertificateError for a server that is not who it
/// should be, tls::Error, and TimeoutError for a handshake that takes too long.
Coro<Streams> open_connection(std::string host, int port, ConnectionOptions options = {});

/// The same to a Unix socket; `path` as of Address::from_path(). Throws FileNotFoundError, ConnectionRefusedError (nobody
/// listens any more), PermissionError. Waits where the server's backlog is full.
Coro<Streams> open_unix_connection(std::string path, ConnectionOptions options = {});

/// Streams over a socket that is connected, of whatever family, and is taken over, also when this throws: one that was
/// accepted or connected elsewhere, or came over a Unix socket. Include eddy/sockets.hpp.
///
/// Throws ValueError for a closed socket, one that is no stream socket, and for TLS without the `.server_hostname` that its
/// context has to check; OSError (ENOTCONN) for one that is not connected.
Coro<Streams> open_connection(Socket&& socket, ConnectionOptions options = {});

/// The two ends of a new pipe: what is written to one is read from the other.
Coro<Streams> open_pipe();

struct ServerOptions {
  // Limits.
  std::size_t limit = 64 * 1024;  // of each connection's reader
  int backlog = 1024;             // connections that wait to be accepted
  std::size_t max_connections = 0;  // beyond it, new ones wait in the backlog; 0: no limit
  // Of one peer; beyond it, new ones are reset at once. 0: no limit. A peer is an IPv4 address or the /64 of an IPv6 one,
  // since a host has all of its /64 at its command; of a Unix socket, a user.
  std::size_t max_connections_per_peer = 0;
  // A connection on which no byte has moved for so long, in either direction, is aborted: its reads and drain() throw
  // TimeoutError, which is no report if the handler lets it pass. At most a quarter late. 0: no limit.
  Duration idle_timeout = Duration();
  // Behaviour.
  bool reuse_address = true;
  bool reuse_port = false;  // several loops or processes share the port
  // TLS; see eddy/tls.hpp.
  const tls::Context* tls = nullptr;  // null: plain; copied by the call
  Duration tls_handshake_timeout = std::chrono::seconds(60);  // then a silent client is let go
  Duration tls_shutdown_timeout = std::chrono::seconds(30);   // for a peer that takes no byte while we close
};

namespace detail {

/// A server's callback, type-erased; it lives as long as a connection uses it.
struct ConnectionHandler {
  virtual ~ConnectionHandler() = default;
  virtual Coro<> handle(StreamReader reader, StreamWriter writer) = 0;
};
template <class F>
struct CallableHandler final : ConnectionHandler {
  explicit CallableHandler(F f) : function(std::move(f)) {}
  Coro<> handle(StreamReader reader, StreamWriter writer) override {
    return function(std::move(reader), std::move(writer));
  }
  F function;
};

class ServerCore;

}  // namespace detail

/// What a server has seen.
struct ServerStatistics {
  std::size_t connections = 0;   // now
  std::uint64_t accepted = 0;    // and served
  std::uint64_t refused = 0;     // reset, because their peer had max_connections_per_peer
  std::uint64_t failed = 0;      // accept failed, or there was no memory or descriptor to serve with
  std::uint64_t timed_out = 0;   // aborted by idle_timeout
};

/// A listening server: `asyncio.Server`. A handle: the server accepts until close() or the end of its loop,
/// whether or not somebody keeps the handle.
class Server {
 public:
  explicit Server(std::shared_ptr<detail::ServerCore> core) noexcept : core_(std::move(core)) {}

  /// Where it listens; port 0 was replaced by the system's choice.
  Address address() const;
  int port() const { return address().port(); }
  std::vector<Address> addresses() const;

  bool is_serving() const noexcept;
  /// Those whose handler runs or that are still sending what it wrote.
  std::size_t connections() const noexcept;
  ServerStatistics statistics() const noexcept;

  /// Accepts until it is cancelled, then closes.
  Coro<> serve_forever();
  /// Accepts until it is cancelled, then does as shutdown(grace). A second cancellation ends the grace.
  Coro<> serve_forever(Duration grace);
  /// Stops accepting, lets handlers finish for up to `grace`, then cancels them and drops what is unsent. Returns when
  /// every connection is closed; a handler that goes on after its cancellation is waited for. If this is cancelled, the
  /// grace is over: it still waits for what it cancels, then throws CancelledError.
  ///
  /// Protocols are not told: connections of create_server() go on for `grace` unless they close themselves, then they are
  /// aborted.
  Coro<> shutdown(Duration grace = std::chrono::seconds(10));
  /// Stops accepting. Open connections go on.
  void close();
  /// Waits until it is closed and every connection has ended.
  Coro<> wait_closed();
  /// Cancels the handlers of open connections; closes transports. What was written is still sent.
  void close_clients();
  /// Closes open connections at once; what is unsent is lost. Handlers hear of it when they read or drain.
  void abort_clients();

 private:
  std::shared_ptr<detail::ServerCore> core_;
};

namespace detail {
Coro<Server> start_server(std::shared_ptr<ConnectionHandler> handler, std::string host, int port, ServerOptions options);
Coro<Server> start_server(std::shared_ptr<ConnectionHandler> handler, Socket&& socket, ServerOptions options);
}

/// Listens on a TCP port and calls `handler(StreamReader, StreamWriter)`, a coroutine, for each connection
/// in a task of its own. The connection is closed when the handler ends and drops its streams; what it
/// throws is reported to the loop's exception handler.
///
/// `host`: a name or an address; "" for every interface. `port` 0 lets the system choose. The handler is
/// kept as long as a connection uses it: a capturing lambda is fine. (g++ 12: give it a name first, docs/gcc12.md.)
///
/// With TLS, the handler is called when the handshake is done. One that fails ends its connection and nothing else; in
/// debug mode the loop's exception handler is told.
template <class F>
Coro<Server> start_server(F handler, std::string host, int port, ServerOptions options = {}) {
  return detail::start_server(std::make_shared<detail::CallableHandler<F>>(std::move(handler)), std::move(host), port,
                              options);
}

/// The same on a socket that is bound, of whatever family, and is taken over, also when this throws: one that systemd
/// passes (`Socket::from_fd(3)`), or with options of its own. It is told to listen unless it does. Include
/// eddy/sockets.hpp. `.backlog` is not for one that listens, `.reuse_…` are not looked at; the file of a Unix socket stays.
///
/// Throws ValueError for a closed socket and for one that is no stream socket, OSError if it cannot listen.
template <class F>
Coro<Server> start_server(F handler, Socket&& socket, ServerOptions options = {}) {
  return detail::start_server(std::make_shared<detail::CallableHandler<F>>(std::move(handler)), std::move(socket), options);
}

struct UnixServerOptions {
  // Limits; see ServerOptions.
  std::size_t limit = 64 * 1024;  // of each connection's reader
  int backlog = 1024;
  std::size_t max_connections = 0;
  std::size_t max_connections_per_peer = 0;  // of one user
  Duration idle_timeout = Duration();
  // Behaviour.
  int mode = -1;               // the file's permissions: 0600; -1: what the umask leaves of 0777
  bool cleanup_socket = true;  // close() removes the file, unless it has been replaced by another
  // TLS; see eddy/tls.hpp.
  const tls::Context* tls = nullptr;  // null: plain; copied by the call
  Duration tls_handshake_timeout = std::chrono::seconds(60);
  Duration tls_shutdown_timeout = std::chrono::seconds(30);
};

namespace detail {
Coro<Server> start_unix_server(std::shared_ptr<ConnectionHandler> handler, std::string path, UnixServerOptions options);
}

/// start_server() on a Unix socket; `path` as of Address::from_path(). The file of a server that is no more, nobody
/// listening on it, is replaced; a path in use, and any other kind of file, is refused: OSError (EADDRINUSE). Nobody can
/// connect before the permissions are set.
template <class F>
Coro<Server> start_unix_server(F handler, std::string path, UnixServerOptions options = {}) {
  return detail::start_unix_server(std::make_shared<detail::CallableHandler<F>>(std::move(handler)), std::move(path),
                                   options);
}

}  // namespace eddy
