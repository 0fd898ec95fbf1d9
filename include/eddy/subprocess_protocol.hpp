// SPDX-License-Identifier: MIT
// Subprocesses in asyncio's callback style. Coroutines use eddy/subprocess.hpp instead.
#pragma once

#include <concepts>
#include <eddy/coro.hpp>
#include <eddy/detail/owned.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/events.hpp>
#include <eddy/protocols.hpp>
#include <eddy/subprocess.hpp>
#include <eddy/transports.hpp>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy {

class SubprocessTransport;

/// What a child does, call by call: `asyncio.SubprocessProtocol`. pause_writing() and resume_writing() are of pipe 0.
///
///     connection_made  (pipe_data_received  pipe_connection_lost  process_exited)*  connection_lost
///
/// process_exited() and the ends of the pipes come in any order; connection_lost(null) follows when all have come.
class SubprocessProtocol : public BaseProtocol {
 public:
  /// `transport` is valid until connection_lost() has returned.
  virtual void connection_made(SubprocessTransport&) {}
  /// Bytes that the child has written to 1 or 2; the view is valid during the call.
  virtual void pipe_data_received(int, std::string_view) {}
  /// Of pipe 0, 1 or 2; null: closed by either side in order.
  virtual void pipe_connection_lost(int, std::exception_ptr) {}
  virtual void process_exited() {}
};

/// A child as its protocol sees it: `asyncio.SubprocessTransport`.
class SubprocessTransport {
 public:
  struct State;
  explicit SubprocessTransport(detail::Owned<State> state) noexcept;
  SubprocessTransport(const SubprocessTransport&) = delete;
  SubprocessTransport& operator=(const SubprocessTransport&) = delete;
  ~SubprocessTransport();

  int get_pid() const noexcept;
  std::optional<int> get_returncode() const noexcept;
  /// To write to, for 0; to pause, for 1 and 2. Empty if it is no PIPE.
  TransportPtr get_pipe_transport(int fd) const;

  /// False if it has ended.
  bool send_signal(int number);
  bool terminate();
  bool kill();

  /// Closes the pipes, and kills the child if it still runs.
  void close();
  bool is_closing() const noexcept;
  SubprocessProtocol& get_protocol() const noexcept;

  /// For eddy's own layers.
  State& state() noexcept { return *state_; }

 private:
  detail::Owned<State> state_;
};

/// What loop.subprocess_exec() gives. The protocol is valid as long as the handle of its transport.
template <class P>
struct SubprocessConnection {
  std::shared_ptr<SubprocessTransport> transport;
  P* protocol;
};

namespace detail {

Coro<std::shared_ptr<SubprocessTransport>> start_subprocess(std::unique_ptr<SubprocessProtocol> protocol,
                                                            SubprocessOptions options, std::vector<std::string> arguments);

template <class P>
Coro<SubprocessConnection<P>> with_subprocess_protocol(Coro<std::shared_ptr<SubprocessTransport>> starting, P* protocol) {
  auto transport = co_await std::move(starting);
  co_return SubprocessConnection<P>{std::move(transport), protocol};
}

template <class F>
auto start_with_protocol(F factory, const SubprocessOptions& options, std::vector<std::string> arguments) {
  using P = typename FactoryOf<F>::Product;
  static_assert(std::derived_from<P, SubprocessProtocol>, "eddy: a subprocess's factory makes a SubprocessProtocol");
  auto protocol = factory();
  P* const kept = protocol.get();
  return with_subprocess_protocol<P>(start_subprocess(std::move(protocol), options, std::move(arguments)), kept);
}

}  // namespace detail

template <class F, class... Args>
auto EventLoop::subprocess_exec(F factory, const SubprocessOptions& options, const Args&... program_and_arguments) {
  static_assert(sizeof...(Args) > 0, "eddy: subprocess_exec() needs a program");
  return detail::start_with_protocol(std::move(factory), options, detail::arguments_of(program_and_arguments...));
}
template <class F>
auto EventLoop::subprocess_shell(F factory, const SubprocessOptions& options, std::string_view command) {
  return detail::start_with_protocol(std::move(factory), options, detail::shell_arguments(command));
}

}  // namespace eddy
