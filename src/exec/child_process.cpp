// SPDX-License-Identifier: MIT
#include "exec/child_process.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

namespace eddy::detail {
namespace {

struct Ends {
  UniqueFd ours, theirs;
};

Ends make_channel() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
    throw_os_error(errno, "cannot start a process: socketpair");
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Ends make_lifeline() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) throw_os_error(errno, "cannot start a process: pipe");
  return {UniqueFd(fds[1]), UniqueFd(fds[0])};
}

}  // namespace

ChildProcess start_worker() {
  if (!worker_entry_is_in_place() || std::getenv("EDDY_WORKER")) {
    throw RuntimeError(
        "cannot start a process: this program's own start does not pass through eddy, as in a plug-in that "
        "was "
        "loaded with dlopen; link eddy into the program itself");
  }
  auto channel = make_channel();
  auto lifeline = make_lifeline();
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing) throw_os_error(errno, "cannot start a process: /dev/null");
  SpawnPlan plan;
  plan.files = {"/proc/self/exe"};
  plan.arguments = {program_invocation_name};
  for (char** entry = environ; entry && *entry; ++entry) plan.environment.emplace_back(*entry);
  plan.environment.emplace_back("EDDY_WORKER=1");
  plan.descriptors = {{nothing.get(), 0}, {channel.theirs.get(), 3}, {lifeline.theirs.get(), 4}};
  auto spawned = spawn(plan);
  if (spawned.error != 0) throw_os_error(spawned.error, "cannot start a process");
  return {spawned.pid, std::move(spawned.process), std::move(channel.ours), std::move(lifeline.ours)};
}

bool ChildProcess::send_signal(int number) const noexcept {
  return process && detail::send_signal(process.get(), number) == 0;
}

std::optional<int> ChildProcess::reap() noexcept { return detail::reap(process.get()); }

}  // namespace eddy::detail
