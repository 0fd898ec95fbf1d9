// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/clock.hpp>
#include <eddy/detail/callback.hpp>
#include <eddy/detail/descriptor_wait.hpp>
#include <eddy/futures.hpp>
#include <eddy/metrics.hpp>
#include <eddy/tasks.hpp>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy {

class Address;
class Instrument;
class Runner;
class Server;
class Transport;
struct ConnectionOptions;
struct LookupOptions;
struct NameInfo;
struct DatagramOptions;
struct SubprocessOptions;
struct SendfileOptions;
struct ServerOptions;
class Socket;
struct Accepted;
struct Datagram;
struct DatagramSize;
struct ReceivedDescriptors;
namespace detail {
class Loop;
}
namespace testing {
struct Faults;
}

/// What a loop waits for the kernel with.
enum class Backend {
  automatic,  // the environment variable EDDY_BACKEND if it is set, else the best here: see eddy/backends.hpp
  epoll,
  poll,
  select,
  io_uring,  // Linux 6.0 and newer, where it is allowed
  simulated,  // a virtual clock and no descriptors, for tests: see eddy/testing.hpp
};

/// "epoll", "poll", "select", "io_uring", "simulated".
std::string_view to_string(Backend backend) noexcept;

/// Those that work on this machine, the preferred one first; without `simulated`.
std::vector<Backend> available_backends();

struct LoopOptions {
  Backend backend = Backend::automatic;
  int io_poll_interval = 64;  // callbacks and steps between two polls while there is work; 1: as asyncio does
  bool virtual_time = false;  // the clock jumps to the next timer when no descriptor is ready: for tests
  const testing::Faults* faults = nullptr;  // what goes wrong below the sockets, for tests: see eddy/faults.hpp. Copied
};

/// What an exception handler is told: something went wrong and no code is there to catch it.
struct ExceptionContext {
  std::string message;           // what happened, on what, where it was made
  std::exception_ptr exception;  // may be null
  AnyTask task;                  // may be empty
  std::string traceback = {};    // the coroutines the exception came through, a line each; may be empty
};

/// An event loop: runs callbacks and tasks on one thread and waits for timers, descriptors and other
/// threads. Most programs never make one: `eddy::run()` does.
///
/// It belongs to the thread that runs it. Only `call_soon_threadsafe()` may be called from others.
class EventLoop {
 public:
  explicit EventLoop(LoopOptions options = {});
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  /// Runs until `stop()`. Throws RuntimeError if a loop runs on this thread already.
  void run_forever();

  /// Runs until the awaitable is done; gives its value or throws its exception.
  template <detail::Awaitable A>
  auto run_until_complete(A&& awaitable, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    check_can_run();
    auto coroutine = detail::as_coroutine(std::forward<A>(awaitable));
    using T = typename decltype(coroutine)::value_type;
    auto task = Task<T>::start(core(), std::move(coroutine), {}, {file, line});
    run_until_done(task);
    if constexpr (std::is_void_v<T>) task.result();
    else return T(detail::take_value(task));
  }

  /// Ends run_forever() when the callbacks that are ready have run.
  void stop() noexcept;
  bool is_running() const noexcept;

  /// Destroys what is pending. Closing twice does nothing; closing a running loop throws RuntimeError.
  void close();
  bool is_closed() const noexcept;

  /// Calls `callback()` at the next turn, in order.
  template <class F>
  Handle call_soon(F callback) {
    auto* node = detail::new_callback(core(), std::move(callback));
    return schedule_soon(*node);
  }
  /// The same from any thread; wakes the loop. Throws RuntimeError if the loop is closed.
  template <class F>
  Handle call_soon_threadsafe(F callback) {
    auto* node = detail::new_callback(core_for_any_thread(), std::move(callback));
    return schedule_threadsafe(*node);
  }
  /// Calls `callback()` once after `delay`; with 0 or less, at the next turn. Never early; callbacks of the
  /// same time in order of arrival.
  template <class F>
  TimerHandle call_later(Duration delay, F callback) {
    auto* node = detail::new_callback(core(), std::move(callback));
    return schedule_later(*node, delay);
  }
  template <detail::Number N, class F>
  TimerHandle call_later(N, F) {
    static_assert(detail::kNever<N>, "eddy: a time needs its unit: call_later(5s, f), with using namespace std::chrono_literals");
    return {};
  }
  /// The same at a time of the loop's clock: `loop.time() + 60ms`.
  template <class Length, class F>
  TimerHandle call_at(std::chrono::time_point<LoopClock, Length> when, F callback) {
    auto* node = detail::new_callback(core(), std::move(callback));
    return schedule_at(*node, Duration(when.time_since_epoch()).count());
  }

  /// Now, on the loop's monotonic clock.
  TimePoint time() const noexcept;

  template <class T = void>
  Future<T> create_future() {
    return Future<T>::make(core());
  }

  /// Schedules a coroutine on this loop, which need not be running yet.
  template <detail::Awaitable A>
  auto create_task(A&& awaitable, TaskOptions options = {}, const char* file = __builtin_FILE(),
                   int line = __builtin_LINE()) {
    auto coroutine = detail::as_coroutine(std::forward<A>(awaitable));
    using T = typename decltype(coroutine)::value_type;
    return Task<T>::start(core(), std::move(coroutine), options, {file, line});
  }

  /// Calls `callback()` whenever `fd` can be read (written) without waiting; replaces the one before.
  template <class F>
  void add_reader(int fd, F callback) {
    set_descriptor_callback(fd, false, detail::new_callback(core(), std::move(callback)));
  }
  template <class F>
  void add_writer(int fd, F callback) {
    set_descriptor_callback(fd, true, detail::new_callback(core(), std::move(callback)));
  }
  /// False if there was none.
  bool remove_reader(int fd) { return remove_descriptor_callback(fd, false); }
  bool remove_writer(int fd) { return remove_descriptor_callback(fd, true); }

  /// Suspends until `fd` can be read (written) without waiting, or has hung up. Registers it for the time of the wait
  /// only. Throws BusyResourceError if another task uses this direction of it, or add_reader() (add_writer()) watches it;
  /// OSError for what cannot be polled: a regular file.
  auto wait_readable(int fd) { return detail::DescriptorWait(fd, false); }
  auto wait_writable(int fd) { return detail::DescriptorWait(fd, true); }
  /// Call it before closing a descriptor that tasks may wait for: they get ClosedResourceError; callbacks are removed.
  /// `Socket::close()` does it.
  void notify_closing(int fd) noexcept;

  // The operations of a raw socket: include eddy/sockets.hpp. Each tries the system call at once and waits for readiness
  // only where it would block, so a cancelled one has taken nothing; the kernel never holds a buffer while the task
  // waits. Closing the socket ends them with ClosedResourceError. One task at a time receives, one sends: others get
  // BusyResourceError. In debug mode, a blocking socket throws ValueError. OSError of the call's family.

  /// Up to `n` bytes, as soon as there are any; empty at the end of the stream.
  Coro<std::string> sock_recv(const Socket& socket, std::size_t n);
  /// The same into memory that must stay until it is done; gives how many came.
  Coro<std::size_t> sock_recv_into(const Socket& socket, std::span<char> room);
  Coro<std::size_t> sock_recv_into(const Socket& socket, std::span<std::byte> room);
  Coro<Datagram> sock_recvfrom(const Socket& socket, std::size_t n);
  Coro<DatagramSize> sock_recvfrom_into(const Socket& socket, std::span<char> room);
  /// All of it. When it throws, some may have gone.
  Coro<> sock_sendall(const Socket& socket, std::string data);
  /// The same without a copy: the bytes must stay until it is done.
  Coro<> sock_sendall_view(const Socket& socket, std::string_view data);
  Coro<std::size_t> sock_sendto(const Socket& socket, std::string data, Address address);
  Coro<> sock_connect(const Socket& socket, Address address);
  /// The socket that it gives is non-blocking.
  Coro<Accepted> sock_accept(const Socket& socket);
  /// `count` bytes of a file from `offset` on, all that there are without it, by sendfile(2); gives how many went, and
  /// leaves the file's position behind them. A file that the kernel cannot send is read and written instead, or, without
  /// `fallback`, SendfileNotAvailableError is thrown. Reading from the disk blocks the loop.
  Coro<std::size_t> sock_sendfile(const Socket& socket, int file, std::size_t offset = 0,
                                  std::optional<std::size_t> count = std::nullopt, bool fallback = true);
  /// Descriptors over a Unix socket, with at least one byte. They must stay open until it is done.
  Coro<std::size_t> sock_send_fds(const Socket& socket, std::string data, std::vector<int> descriptors);
  template <std::convertible_to<int>... Descriptor>
  Coro<std::size_t> sock_send_fds(const Socket& socket, std::string data, Descriptor... descriptors) {
    return sock_send_fds(socket, std::move(data), std::vector<int>{static_cast<int>(descriptors)...});
  }
  Coro<ReceivedDescriptors> sock_recv_fds(const Socket& socket, std::size_t n, std::size_t most);

  // Names: include eddy/dns.hpp. The loop's default resolver is asked.
  Coro<std::vector<Address>> getaddrinfo(std::string host, int port);
  Coro<std::vector<Address>> getaddrinfo(std::string host, int port, const LookupOptions& options);
  Coro<NameInfo> getnameinfo(Address address, int flags = 0);

  /// Calls `callback()` on the loop whenever the process gets `signal`. Throws ValueError for a signal that
  /// cannot be caught.
  template <class F>
  void add_signal_handler(int signal, F callback) {
    set_signal_callback(signal, detail::new_callback(core(), std::move(callback)));
  }
  /// Gives the signal its default action back. False if there was no handler.
  bool remove_signal_handler(int signal);

  // Transports and protocols: include eddy/transports.hpp. A factory is a function that makes a std::unique_ptr to a
  // protocol, one for each connection; it is kept as long as it may be called.

  /// Connects to a TCP server and gives `{transport, protocol}` when connection_made() has returned. Throws as
  /// open_connection() does, and what the factory throws.
  template <class F>
  auto create_connection(F factory, std::string host, int port, const ConnectionOptions& options);
  template <class F>
  auto create_connection(F factory, std::string host, int port);
  /// On a socket that is connected, and is taken over: as open_connection() on one.
  template <class F>
  auto create_connection(F factory, Socket&& socket, const ConnectionOptions& options);
  template <class F>
  auto create_connection(F factory, Socket&& socket);
  /// The same with a Unix socket: a path, or "@name" for a name in the abstract space.
  template <class F>
  auto create_unix_connection(F factory, std::string path);
  /// Listens as start_server() does, with a protocol for each connection. close_clients() closes their transports.
  template <class F>
  Coro<Server> create_server(F factory, std::string host, int port, const ServerOptions& options);
  template <class F>
  Coro<Server> create_server(F factory, std::string host, int port);
  /// On a socket that is bound, and is taken over: as start_server() on one.
  template <class F>
  Coro<Server> create_server(F factory, Socket&& socket, const ServerOptions& options);
  template <class F>
  Coro<Server> create_server(F factory, Socket&& socket);
  /// A socket that nobody listens on any more is replaced, and removed when the server closes.
  template <class F>
  Coro<Server> create_unix_server(F factory, std::string path);
  /// A protocol for a connection that was accepted elsewhere. Takes `fd` over. Throws ValueError for what is no
  /// stream socket.
  template <class F>
  auto connect_accepted_socket(F factory, int fd);
  /// A protocol for the end of a pipe, a socket or a terminal. Takes `fd` over. Throws ValueError for files.
  template <class F>
  auto connect_read_pipe(F factory, int fd);
  /// The same for writing. Its protocol is told by connection_lost(BrokenPipeError) that the reader has gone while
  /// something was unsent.
  template <class F>
  auto connect_write_pipe(F factory, int fd);
  /// Starts a program as create_subprocess_exec() does and gives `{transport, protocol}` when connection_made() has
  /// returned. Include eddy/subprocess_protocol.hpp.
  template <class F, class... Args>
  auto subprocess_exec(F factory, const SubprocessOptions& options, const Args&... program_and_arguments);
  template <class F>
  auto subprocess_shell(F factory, const SubprocessOptions& options, std::string_view command);
  /// Opens a socket as open_datagram() does and gives `{transport, protocol}`.
  template <class F>
  auto create_datagram_endpoint(F factory, const DatagramOptions& options);
  /// Sends a file behind what was written, as StreamWriter::sendfile() does; gives how many bytes. Meanwhile the
  /// protocol gets no data, and write() throws RuntimeError. Throws SendfileNotAvailableError without `.fallback`.
  Coro<std::uint64_t> sendfile(Transport& transport, int file, const SendfileOptions& options);

  /// `function(args...)` on `pool`, or on the loop's default pool. Include eddy/threads.hpp.
  template <class Executor, class... Args>
  auto run_in_executor(Executor&& executor, Args&&... args);

  /// Whom to tell of errors that nobody can catch; an empty function restores the default, which prints.
  template <class F>
  void set_exception_handler(F handler) {
    set_handler(std::move(handler));
  }
  /// Tells `factory(const AnyTask& task, TaskOptions& options)` of each task before it is started; it may change
  /// the options. `eager_task_factory` starts all of them eagerly. An empty function: none.
  template <class F>
  void set_task_factory(F factory) {
    set_factory(std::move(factory));
  }

  void call_exception_handler(const ExceptionContext& context);
  void default_exception_handler(const ExceptionContext& context) const;

  /// Debug mode: on from the start with EDDY_DEBUG=1 or RunOptions::debug. Costs some 50 ns a step, and a
  /// stack walk a task. Then
  /// - calls on another thread than the loop's throw RuntimeError, call_soon_threadsafe() apart;
  /// - steps and callbacks that take slow_callback_duration() are reported to stderr: with their native stack
  ///   while they block, and with their length when they are over;
  /// - reports of lost exceptions, tasks and coroutines have the native stack of who made or dropped them.
  void set_debug(bool on);
  bool get_debug() const noexcept;
  /// 100 ms unless set; 0: nothing counts as slow.
  Duration slow_callback_duration() const noexcept;
  void set_slow_callback_duration(Duration limit);

  /// What the loop has done since it was made. On the loop's thread.
  LoopMetrics metrics() const noexcept;
  /// Tells `instrument`, of eddy/instrument.hpp, what the loop does, from the next step on, until it is removed.
  void add_instrument(Instrument& instrument);
  void remove_instrument(Instrument& instrument);

  /// Waits for the jobs of the default pool and ends its threads; run() does it. What asks for the pool later gets
  /// RuntimeError. False if threads were still busy after `timeout`: they are reported by name and left to themselves.
  bool shutdown_default_executor(Duration timeout = Duration::max());

  /// Closes the asynchronous generators that were started and have not ended, the newest first; what they throw
  /// goes to the exception handler. run() does it.
  Coro<> shutdown_asyncgens();

  std::string_view backend_name() const noexcept;

  /// For eddy's own layers.
  detail::LoopCore& core();
  detail::LoopCore& core_for_any_thread();
  detail::Loop& impl() const noexcept { return *loop_; }

 private:
  friend class Runner;
  Handle schedule_soon(detail::CallbackCore& node);
  Handle schedule_threadsafe(detail::CallbackCore& node);
  TimerHandle schedule_later(detail::CallbackCore& node, Duration delay);
  TimerHandle schedule_at(detail::CallbackCore& node, std::int64_t when);
  void set_descriptor_callback(int fd, bool writes, detail::CallbackCore* callback);
  bool remove_descriptor_callback(int fd, bool writes);
  void set_signal_callback(int signal, detail::CallbackCore* callback);
  void set_handler(detail::ExceptionHandler handler);
  void set_factory(detail::TaskFactory factory);
  void check_can_run();
  void run_until_done(const AnyTask& task);

  detail::Loop* loop_;
};

/// The loop that runs on this thread. Throws RuntimeError where none does.
EventLoop& get_running_loop();

/// For `loop.set_task_factory()`: every task runs at once up to its first wait, as with `.eager_start`.
inline void eager_task_factory(const AnyTask&, TaskOptions& options) noexcept { options.eager_start = true; }

/// Every task of the running loop that has not ended, in order of creation.
std::vector<AnyTask> all_tasks();
/// Of a loop of this thread, running or not. For the tasks of other threads: inspect::report().
std::vector<AnyTask> all_tasks(EventLoop& loop);

}  // namespace eddy
