// SPDX-License-Identifier: MIT
#include "exec/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace eddy::detail {
namespace {

constexpr int kFirstFd = 10;  // above what the worker finds its own at: nothing is overwritten on the way

UniqueFd above_the_workers(UniqueFd fd) {
  UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirstFd));
  if (!moved) throw_os_error(errno, "cannot start a process");
  return moved;
}

struct Ends {
  UniqueFd ours, theirs;
};

Ends make_channel() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
    throw_os_error(errno, "cannot start a process: socketpair");
  Ends ends{UniqueFd(fds[0]), UniqueFd(fds[1])};
  ends.theirs = above_the_workers(std::move(ends.theirs));
  return ends;
}

Ends make_lifeline() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) throw_os_error(errno, "cannot start a process: pipe");
  Ends ends{UniqueFd(fds[1]), UniqueFd(fds[0])};
  ends.theirs = above_the_workers(std::move(ends.theirs));
  return ends;
}

// What posix_spawn does in the child, in order: nothing of ours runs there before the new image does.
class Actions {
 public:
  Actions(int channel, int lifeline) {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_addopen(&files_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files_, channel, 3);
    posix_spawn_file_actions_adddup2(&files_, lifeline, 4);
#if __GLIBC_PREREQ(2, 34)
    posix_spawn_file_actions_addclosefrom_np(&files_, 5);  // those that somebody opened without close-on-exec
#endif
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  Actions(const Actions&) = delete;
  ~Actions() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&files_);
  }
  const posix_spawn_file_actions_t* files() const noexcept { return &files_; }
  const posix_spawnattr_t* attributes() const noexcept { return &attributes_; }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

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
  const Actions actions(channel.theirs.get(), lifeline.theirs.get());
  std::vector<char*> environment;
  for (char** entry = environ; entry && *entry; ++entry) environment.push_back(*entry);
  char mark[] = "EDDY_WORKER=1";
  environment.push_back(mark);
  environment.push_back(nullptr);
  char* arguments[] = {program_invocation_name, nullptr};
  ChildProcess child;
  const int error = ::posix_spawn(&child.pid, "/proc/self/exe", actions.files(), actions.attributes(),
                                  arguments, environment.data());
  if (error != 0) throw_os_error(error, "cannot start a process");
  child.channel = std::move(channel.ours);
  child.lifeline = std::move(lifeline.ours);
  child.process = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
  if (!child.process) {
    const int number = errno;
    ::kill(child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    throw_os_error(number, "cannot start a process: pidfd_open");
  }
  return child;
}

bool ChildProcess::send_signal(int number) const noexcept {
  return process && ::syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0) == 0;
}

std::optional<int> ChildProcess::reap() noexcept {
  siginfo_t info{};
  int result = 0;
  do result = ::waitid(P_PIDFD, static_cast<id_t>(process.get()), &info, WEXITED | WNOHANG);
  while (result != 0 && errno == EINTR);
  if (result != 0) return kExitCodeLost;
  if (info.si_pid == 0) return std::nullopt;
  return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

std::string describe_exit(int exit_code) {
  if (exit_code >= 0) return fmt::format("ended with exit code {}", exit_code);
  const char* name = ::sigdescr_np(-exit_code);
  return fmt::format("died by signal {} ({})", -exit_code, name ? name : "of no name");
}

}  // namespace eddy::detail
