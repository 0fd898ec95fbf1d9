// SPDX-License-Identifier: MIT
#include <eddy/mp/connection.hpp>
#include <eddy/mp/process.hpp>
#include <eddy/timeouts.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include <atomic>
#include <mutex>

#include "base/text.hpp"
#include "exec/child_process.hpp"
#include "exec/packet.hpp"

namespace eddy {

namespace mp {

struct Process::Impl {
  std::string name;
  bool daemon = false;
  Parcel call;
  mutable std::mutex mutex;  // of what follows
  detail::ChildProcess child;
  std::optional<int> exit_code;

  const detail::ChildProcess& started() const {
    if (child.pid < 0)
      throw RuntimeError(fmt::format("the process '{}' was not started: start() comes first", name));
    return child;
  }
  std::optional<int> poll() {
    const std::lock_guard lock(mutex);
    started();
    if (!exit_code) exit_code = child.reap();
    return exit_code;
  }
  void send_signal(int number) {
    if (!poll()) child.send_signal(number);
  }
};

Process::Process(ProcessOptions options, Parcel call) : impl_(new Impl) {
  static std::atomic<int> made{0};
  const int number = ++made;
  impl_->name = options.name.empty() ? fmt::format("Process-{}", number) : std::string(options.name);
  impl_->daemon = options.daemon;
  impl_->call = std::move(call);
}

Process::Process(Process&&) noexcept = default;
Process& Process::operator=(Process&& other) noexcept {
  Process old(std::move(*this));
  impl_ = std::move(other.impl_);
  return *this;
}
Process::~Process() {
  if (!impl_ || impl_->child.pid < 0) return;
  if (impl_->daemon) impl_->send_signal(SIGTERM);
  join();
}

void Process::start() {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->child.pid >= 0)
    throw RuntimeError(fmt::format("the process '{}' was started already", impl_->name));
  Parcel named;
  named.bytes = pack(impl_->name) + impl_->call.bytes;
  named.descriptors = std::move(impl_->call.descriptors);
  impl_->call.descriptors.clear();
  detail::spill(named);
  impl_->child = detail::start_worker();
  detail::pass(impl_->child.channel.get(), detail::kProcess, named);
  impl_->child.channel.reset();
}

bool Process::join(Duration timeout) const {
  const int fd = sentinel();
  if (impl_->poll()) return true;
  return detail::wait_for_events(fd, POLLIN, timeout) && impl_->poll();
}

Coro<int> Process::wait() const {
  for (;;) {
    const auto code = impl_->poll();
    if (code) co_return *code;
    co_await detail::wait_for_descriptor(sentinel(), false);
  }
}

bool Process::is_alive() const { return impl_->child.pid >= 0 && !impl_->poll(); }
std::optional<int> Process::exitcode() const { return impl_->child.pid < 0 ? std::nullopt : impl_->poll(); }
int Process::pid() const { return impl_->started().pid; }
const std::string& Process::name() const noexcept { return impl_->name; }
int Process::sentinel() const { return impl_->started().process.get(); }
void Process::terminate() const { impl_->send_signal(SIGTERM); }
void Process::kill() const { impl_->send_signal(SIGKILL); }
void Process::interrupt() const { impl_->send_signal(SIGINT); }

ProcessDied::ProcessDied(int exit_code)
    : RuntimeError(fmt::format("the process {} before it gave a result", detail::describe_exit(exit_code))),
      exit_code_(exit_code) {}

}  // namespace mp

namespace detail {
namespace {

// Kills the process at the latest when the scope ends, and waits for that: a moment.
class OwnedProcess {
 public:
  OwnedProcess() : child(start_worker()) {}
  OwnedProcess(const OwnedProcess&) = delete;
  ~OwnedProcess() {
    if (!exit_code) finish(SIGKILL);
  }
  int finish(int signal) {
    if (signal != 0) child.send_signal(signal);
    while (!(exit_code = child.reap())) wait_for_events(child.process.get(), POLLIN, Duration::max());
    return *exit_code;
  }

  ChildProcess child;
  std::optional<int> exit_code;
};

Coro<Parcel> exchange(OwnedProcess& process, Parcel call) {
  const int channel = process.child.channel.get();
  spill(call);
  static_cast<void>(pass(channel, kCall, call));  // the buffer is empty; if it is dead, the read tells
  call = Parcel();
  Parcel result;
  std::uint32_t tag = 0;
  for (;;) {
    const auto taken = take(channel, tag, result);
    if (taken == Passed::done) break;
    if (taken == Passed::closed) throw mp::ProcessDied(process.finish(0));
    co_await wait_for_descriptor(channel, false);
  }
  co_return std::move(result);
}

}  // namespace

Coro<Parcel> call_in_process(Parcel call, Duration timeout) {
  OwnedProcess process;
  if (timeout >= Duration::max()) {
    auto result = co_await exchange(process, std::move(call));
    co_return std::move(result);
  }
  try {
    auto result = co_await eddy::timeout(timeout, exchange(process, std::move(call)));
    co_return std::move(result);
  } catch (const TimeoutError&) {
  }
  process.finish(SIGKILL);
  throw TimeoutError(
      fmt::format("the process ran longer than {} and was killed", format_duration(timeout.count())));
}

}  // namespace detail
}  // namespace eddy
