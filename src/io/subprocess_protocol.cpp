// SPDX-License-Identifier: MIT
// A Process, a transport for each of its pipes, and a task that waits for all their ends and keeps them until then.
#include <eddy/exceptions.hpp>
#include <eddy/locks.hpp>
#include <eddy/subprocess_protocol.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>

#include "base/unique_fd.hpp"
#include "loop/loop.hpp"

namespace eddy {

struct SubprocessTransport::State {
  State(Process child, std::unique_ptr<SubprocessProtocol> told)
      : process(std::move(child)), protocol(std::move(told)), loop(get_running_loop()) {}

  Process process;
  std::unique_ptr<SubprocessProtocol> protocol;
  EventLoop& loop;
  SubprocessTransport* transport = nullptr;
  std::array<TransportPtr, 3> pipes;
  int open_pipes = 0;
  Event pipes_are_lost;
  std::vector<std::function<void()>> early;  // before connection_made()
  bool connected = false;
  bool closing = false;

  template <class F>
  void call(F function) {
    try {
      function();
    } catch (...) {
      loop.call_exception_handler({"a subprocess's protocol threw", std::current_exception(), {}});
      transport->close();
    }
  }
  template <class F>
  void call_when_connected(F function) {
    if (connected) call(std::move(function));
    else early.emplace_back(std::move(function));
  }

  void data_received(int fd, std::string_view data) {
    if (connected) return call([&] { protocol->pipe_data_received(fd, data); });
    early.emplace_back([this, fd, copy = std::string(data)] { protocol->pipe_data_received(fd, copy); });
  }
  void pipe_lost(int fd, std::exception_ptr error) {
    call_when_connected([this, fd, error] { protocol->pipe_connection_lost(fd, error); });
    if (--open_pipes == 0) pipes_are_lost.set();
  }
  void connect() {
    connected = true;
    call([this] { protocol->connection_made(*transport); });
    for (auto& function : std::exchange(early, {})) call(std::move(function));
  }
};

namespace {

using TransportHandle = std::shared_ptr<SubprocessTransport>;

// Between a pipe and the protocol of its process, which may be gone when the loop is.
class PipeProtocol final : public Protocol {
 public:
  PipeProtocol(std::weak_ptr<SubprocessTransport> process, int fd) : process_(std::move(process)), fd_(fd) {}

  void data_received(std::string_view data) override {
    if (const auto process = process_.lock()) process->state().data_received(fd_, data);
  }
  void connection_lost(std::exception_ptr error) override {
    if (const auto process = process_.lock()) process->state().pipe_lost(fd_, error);
  }
  void pause_writing() override {
    if (const auto process = process_.lock()) process->state().protocol->pause_writing();
  }
  void resume_writing() override {
    if (const auto process = process_.lock()) process->state().protocol->resume_writing();
  }

 private:
  std::weak_ptr<SubprocessTransport> process_;
  int fd_;
};

struct Pipes {
  std::array<detail::UniqueFd, 3> ours, theirs;
};

Redirect open_pipe(Pipes& pipes, int place, const std::string& program) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_os_error(errno, fmt::format("cannot start '{}': pipe", program));
  const auto at = static_cast<std::size_t>(place);
  const bool child_reads = place == 0;
  pipes.ours[at] = detail::UniqueFd(ends[child_reads ? 1 : 0]);
  pipes.theirs[at] = detail::UniqueFd(ends[child_reads ? 0 : 1]);
  return Redirect(pipes.theirs[at].get());
}

Coro<> wait_for_the_end(TransportHandle transport) {
  auto& state = transport->state();
  co_await state.process.wait();
  state.call([&state] { state.protocol->process_exited(); });
  if (state.open_pipes > 0) co_await state.pipes_are_lost.wait();
  state.closing = true;
  state.call([&state] { state.protocol->connection_lost(nullptr); });
}

Coro<TransportHandle> connect(std::unique_ptr<SubprocessProtocol> protocol, Pipes pipes, Coro<Process> starting) {
  auto process = co_await std::move(starting);
  for (auto& fd : pipes.theirs) fd.reset();
  auto transport = std::make_shared<SubprocessTransport>(
      detail::Owned(new SubprocessTransport::State(std::move(process), std::move(protocol))));
  auto& state = transport->state();
  state.transport = transport.get();
  // If a pipe cannot be connected, the child is not left to itself.
  struct Undo {
    SubprocessTransport* transport;
    ~Undo() {
      if (transport) transport->close();
    }
  } undo{transport.get()};
  for (int fd = 0; fd < 3; ++fd) {
    const auto at = static_cast<std::size_t>(fd);
    if (!pipes.ours[at]) continue;
    ++state.open_pipes;
    auto make = [weak = std::weak_ptr(transport), fd] { return std::make_unique<PipeProtocol>(weak, fd); };
    auto factory = std::make_shared<detail::FactoryOf<decltype(make)>>(std::move(make));
    const auto end = fd == 0 ? detail::PipeEnd::writes : detail::PipeEnd::reads;
    auto connecting = detail::connect_pipe(std::move(factory), pipes.ours[at].release(), end);
    state.pipes[at] = co_await std::move(connecting);
  }
  undo.transport = nullptr;
  state.connect();
  state.loop.create_task(wait_for_the_end(transport), {.name = "subprocess transport"});
  co_return transport;
}

}  // namespace

Coro<TransportHandle> detail::start_subprocess(std::unique_ptr<SubprocessProtocol> protocol, SubprocessOptions options,
                                               std::vector<std::string> arguments) {
  Pipes pipes;
  Redirect* const redirects[] = {&options.in, &options.out, &options.err};
  for (int place = 0; place < 3; ++place) {
    auto& redirect = *redirects[place];
    if (redirect.kind() == Redirect::Kind::pipe) redirect = open_pipe(pipes, place, arguments.front());
  }
  return connect(std::move(protocol), std::move(pipes), create_subprocess(options, std::move(arguments)));
}

SubprocessTransport::SubprocessTransport(detail::Owned<State> state) noexcept : state_(std::move(state)) {}
SubprocessTransport::~SubprocessTransport() = default;

int SubprocessTransport::get_pid() const noexcept { return state_->process.pid(); }
std::optional<int> SubprocessTransport::get_returncode() const noexcept { return state_->process.returncode(); }
TransportPtr SubprocessTransport::get_pipe_transport(int fd) const {
  return fd >= 0 && fd < 3 ? state_->pipes[static_cast<std::size_t>(fd)] : TransportPtr();
}
bool SubprocessTransport::send_signal(int number) { return state_->process.send_signal(number); }
bool SubprocessTransport::terminate() { return state_->process.terminate(); }
bool SubprocessTransport::kill() { return state_->process.kill(); }
void SubprocessTransport::close() {
  if (std::exchange(state_->closing, true)) return;
  for (auto& pipe : state_->pipes) {
    if (pipe) pipe->close();
  }
  state_->process.kill();
}
bool SubprocessTransport::is_closing() const noexcept { return state_->closing; }
SubprocessProtocol& SubprocessTransport::get_protocol() const noexcept { return *state_->protocol; }

}  // namespace eddy
