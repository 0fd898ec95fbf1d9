// SPDX-License-Identifier: MIT
// A child that shares our memory until it executes its program: clone() with CLONE_VM and CLONE_VFORK, which is what
// posix_spawn() does, too, but leaves out what we need: the pidfd, the directory, users, limits, sessions.
//
// Nothing is copied, however large the process is, and no other thread can hold a lock the child needs, because the
// child takes none: it makes system calls and nothing else. It runs on a stack of its own while the calling thread
// stands still. So it writes what went wrong straight into our memory, and no pipe is needed to tell of it.
//
// Rules for the code in the child: no libc call that allocates, locks or keeps state; no setuid() of glibc, which
// would tell *our* other threads to change as well; no sanitizer, which would count the child's calls as ours.
#include "base/spawn.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#define EDDY_IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

// clone() under the name that sanitizers leave alone: ThreadSanitizer takes a clone() for a fork of this process.
extern "C" int __clone(int (*function)(void*), void* stack, int flags, void* argument, ...);

namespace eddy::detail {
namespace {

constexpr std::size_t kStack = 64 * 1024;
constexpr std::size_t kSignalBytes = 8;  // the kernel's sigset_t
constexpr unsigned kLastDescriptor = ~0u;
#ifndef CLOSE_RANGE_CLOEXEC
constexpr unsigned CLOSE_RANGE_CLOEXEC = 4;
#endif

// The plan as the child reads it: plain pointers, no container whose code a sanitizer has seen.
struct ChildPlan {
  const char* const* files;
  char* const* arguments;
  char* const* environment;
  const char* directory;
  SpawnDescriptor* descriptors;
  std::size_t descriptor_count;
  const SpawnLimit* limits;
  std::size_t limit_count;
  const gid_t* groups;
  std::size_t group_count;
  const SpawnPlan* plain;  // only its numbers
  pid_t parent;
  SpawnStage failed;
  int error;
};

EDDY_IN_CHILD void reset_signals() noexcept {
  // The kernel's struct sigaction, zeroed: the default action, no flags. Larger than any architecture's.
  alignas(8) const char default_action[64] = {};
  for (int number = 1; number <= 64; ++number) {
    ::syscall(SYS_rt_sigaction, number, default_action, nullptr, kSignalBytes);
  }
}

EDDY_IN_CHILD bool close_on_exec(int fd, bool on) noexcept {
  return ::syscall(SYS_fcntl, fd, F_SETFD, on ? FD_CLOEXEC : 0) == 0;
}

// For kernels before 5.11: what /proc lists.
EDDY_IN_CHILD void mark_listed_descriptors() noexcept {
  const long folder = ::syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (folder < 0) return;
  alignas(8) char entries[2048];
  for (;;) {
    const long bytes = ::syscall(SYS_getdents64, folder, entries, sizeof entries);
    if (bytes <= 0) return;
    for (long at = 0; at < bytes;) {
      // struct linux_dirent64: inode, offset, length of the entry, type, name.
      unsigned short length;
      __builtin_memcpy(&length, entries + at + 16, sizeof length);
      int fd = 0;
      const char* name = entries + at + 19;
      for (; *name >= '0' && *name <= '9'; ++name) fd = fd * 10 + (*name - '0');
      if (fd > 2) close_on_exec(fd, true);
      at += length;
    }
  }
}

EDDY_IN_CHILD bool place_descriptors(ChildPlan& plan) noexcept {
  if (plan.plain->close_others &&
      ::syscall(SYS_close_range, 3u, kLastDescriptor, CLOSE_RANGE_CLOEXEC) != 0) {
    mark_listed_descriptors();
  }
  int highest = 2;
  for (std::size_t i = 0; i < plan.descriptor_count; ++i) {
    if (plan.descriptors[i].to > highest) highest = plan.descriptors[i].to;
  }
  // Out of the way first: no source may lie where another one's place is.
  for (std::size_t i = 0; i < plan.descriptor_count; ++i) {
    auto& [from, to] = plan.descriptors[i];
    if (from == to || from > highest) continue;
    const long moved = ::syscall(SYS_fcntl, from, F_DUPFD_CLOEXEC, highest + 1);
    if (moved < 0) return false;
    from = static_cast<int>(moved);
  }
  for (std::size_t i = 0; i < plan.descriptor_count; ++i) {
    const auto& [from, to] = plan.descriptors[i];
    const bool placed = from == to ? close_on_exec(to, false) : ::syscall(SYS_dup3, from, to, 0) == to;
    if (!placed) return false;
  }
  return true;
}

EDDY_IN_CHILD bool set_limits(const ChildPlan& plan) noexcept {
  for (std::size_t i = 0; i < plan.limit_count; ++i) {
    const std::uint64_t values[2] = {plan.limits[i].soft, plan.limits[i].hard};
    if (::syscall(SYS_prlimit64, 0, plan.limits[i].resource, values, nullptr) != 0) return false;
  }
  return true;
}

EDDY_IN_CHILD bool die_with_parent(const ChildPlan& plan) noexcept {
  if (::syscall(SYS_prctl, PR_SET_PDEATHSIG, plan.plain->death_signal, 0, 0, 0) != 0) return false;
  if (::syscall(SYS_getppid) != plan.parent) ::syscall(SYS_exit_group, 127);  // it has died already
  return true;
}

EDDY_IN_CHILD void execute(ChildPlan& plan) noexcept {
  // As execvp() does it: a file that may not be executed is told of only if there is no other.
  int refused = 0;
  int error = ENOENT;
  for (const char* const* file = plan.files; *file; ++file) {
    ::syscall(SYS_execve, *file, plan.arguments, plan.environment);
    error = errno;
    if (error == EACCES) refused = EACCES;
    else if (error != ENOENT && error != ENOTDIR) break;
  }
  plan.error = (error == ENOENT || error == ENOTDIR) && refused ? refused : error;
}

EDDY_IN_CHILD SpawnStage prepare(ChildPlan& plan) noexcept {
  const SpawnPlan& plain = *plan.plain;
  reset_signals();
  if (plain.session && ::syscall(SYS_setsid) < 0) return SpawnStage::session;
  if (plain.process_group >= 0 && ::syscall(SYS_setpgid, 0, plain.process_group) != 0) return SpawnStage::process_group;
  if (!place_descriptors(plan)) return SpawnStage::descriptors;
  if (plain.terminal && ::syscall(SYS_ioctl, 0, TIOCSCTTY, 0) != 0) return SpawnStage::terminal;
  if (plan.directory && ::syscall(SYS_chdir, plan.directory) != 0) return SpawnStage::directory;
  if (plain.umask >= 0) ::syscall(SYS_umask, plain.umask);
  if (!set_limits(plan)) return SpawnStage::limits;
  if (plain.set_groups && ::syscall(SYS_setgroups, plan.group_count, plan.groups) != 0) return SpawnStage::groups;
  if (plain.group >= 0 && ::syscall(SYS_setresgid, plain.group, plain.group, plain.group) != 0) return SpawnStage::group;
  if (plain.user >= 0 && ::syscall(SYS_setresuid, plain.user, plain.user, plain.user) != 0) return SpawnStage::user;
  if (plain.death_signal != 0 && !die_with_parent(plan)) return SpawnStage::death_signal;
  return SpawnStage::none;
}

EDDY_IN_CHILD int run_child(void* argument) noexcept {
  auto& plan = *static_cast<ChildPlan*>(argument);
  plan.failed = prepare(plan);
  if (plan.failed == SpawnStage::none) {
    const std::uint64_t none = 0;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kSignalBytes);
    execute(plan);
    plan.failed = SpawnStage::execute;
  } else {
    plan.error = errno;
  }
  ::syscall(SYS_exit_group, 127);
  __builtin_unreachable();
}

// No handler of ours may run in the child, on our memory. glibc's own signals are meant as well, so no pthread_sigmask().
class AllSignalsHeldBack {
 public:
  AllSignalsHeldBack() noexcept {
    const std::uint64_t all = ~std::uint64_t{0};
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before_, kSignalBytes);
  }
  AllSignalsHeldBack(const AllSignalsHeldBack&) = delete;
  ~AllSignalsHeldBack() { ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, kSignalBytes); }

 private:
  std::uint64_t before_ = 0;
};

class ChildStack {
 public:
  ChildStack() noexcept
      : bottom_(::mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {}
  ChildStack(const ChildStack&) = delete;
  ~ChildStack() {
    if (*this) ::munmap(bottom_, kStack);
  }
  explicit operator bool() const noexcept { return bottom_ != MAP_FAILED; }
  void* top() const noexcept { return static_cast<char*>(bottom_) + kStack; }

 private:
  void* bottom_;
};

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

Spawned failed_to_clone(int error) {
  Spawned spawned;
  spawned.failed = SpawnStage::clone;
  spawned.error = error;
  return spawned;
}

}  // namespace

Spawned spawn(const SpawnPlan& plan) {
  const auto files = pointers_to(plan.files);
  const auto arguments = pointers_to(plan.arguments);
  const auto environment = pointers_to(plan.environment);
  auto descriptors = plan.descriptors;
  ChildPlan child{files.data(), arguments.data(), environment.data(), plan.directory.empty() ? nullptr : plan.directory.c_str(),
                  descriptors.data(), descriptors.size(), plan.limits.data(), plan.limits.size(), plan.groups.data(),
                  plan.groups.size(), &plan, ::getpid(), SpawnStage::none, 0};
  const ChildStack stack;
  if (!stack) return failed_to_clone(errno);
  Spawned spawned;
  int pidfd = -1;
  {
    const AllSignalsHeldBack quiet;
    spawned.pid = ::__clone(&run_child, stack.top(), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &child, &pidfd);
    if (spawned.pid < 0) return failed_to_clone(errno);
  }
  spawned.process = UniqueFd(pidfd);
  if (pidfd < 0) {  // a kernel that does not know CLONE_PIDFD
    ::kill(spawned.pid, SIGKILL);
    ::waitpid(spawned.pid, nullptr, 0);
    return failed_to_clone(ENOSYS);
  }
  if (child.failed == SpawnStage::none) return spawned;
  ::waitpid(spawned.pid, nullptr, 0);  // it is about to exit
  spawned.failed = child.failed;
  spawned.error = child.error;
  return spawned;
}

std::string_view to_string(SpawnStage stage) noexcept {
  switch (stage) {
    case SpawnStage::none: return "nothing";
    case SpawnStage::clone: return "clone";
    case SpawnStage::session: return "starting a session";
    case SpawnStage::process_group: return "setting the process group";
    case SpawnStage::terminal: return "taking the controlling terminal";
    case SpawnStage::descriptors: return "passing the descriptors";
    case SpawnStage::directory: return "the working directory";
    case SpawnStage::limits: return "setting the resource limits";
    case SpawnStage::groups: return "setting the supplementary groups";
    case SpawnStage::group: return "setting the group";
    case SpawnStage::user: return "setting the user";
    case SpawnStage::death_signal: return "setting the death signal";
    case SpawnStage::execute: return "executing it";
  }
  return "unknown";
}

std::optional<int> reap(int pidfd) noexcept {
  siginfo_t info{};
  int result = 0;
  do result = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG);
  while (result != 0 && errno == EINTR);
  if (result != 0) return kExitCodeLost;
  if (info.si_pid == 0) return std::nullopt;
  return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

int send_signal(int pidfd, int number) noexcept {
  return ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0) == 0 ? 0 : errno;
}

int send_group_signal(int pidfd, pid_t pid, int number) noexcept {
  constexpr unsigned kProcessGroup = 4;  // PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9
  if (::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, kProcessGroup) == 0) return 0;
  if (errno != EINVAL) return errno;
  // A number is not given to a new process while a group bears it. So if our process is gone and one of that number
  // exists all the same, the group is gone, too, and the number is somebody else's.
  const bool ours = ::syscall(SYS_pidfd_send_signal, pidfd, 0, nullptr, 0) == 0;
  if (!ours && (::kill(pid, 0) == 0 || errno == EPERM)) return ESRCH;
  return ::kill(-pid, number) == 0 ? 0 : errno;
}

std::string describe_exit(int exit_code) {
  if (exit_code >= 0) return fmt::format("ended with exit code {}", exit_code);
  const char* name = ::sigdescr_np(-exit_code);
  return fmt::format("died by signal {} ({})", -exit_code, name ? name : "of no name");
}

}  // namespace eddy::detail
