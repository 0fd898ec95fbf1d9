// SPDX-License-Identifier: MIT
// Starting another program, for whoever needs one: the process pool's workers, subprocesses.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"

namespace eddy::detail {

/// The child finds `from` of ours as its `to`, without close-on-exec. The two may be equal.
struct SpawnDescriptor {
  int from, to;
};
struct SpawnLimit {
  int resource;  // RLIMIT_…
  std::uint64_t soft, hard;
};

/// What to start, and what is done in the child before it.
struct SpawnPlan {
  std::vector<std::string> files;  // paths: the first that exists is executed
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // "NAME=value"
  std::string directory;                 // empty: ours
  std::vector<SpawnDescriptor> descriptors;
  bool close_others = true;  // of 3 and more, what `descriptors` does not name
  bool session = false;
  bool terminal = false;   // the child's 0 becomes its controlling terminal
  int process_group = -1;  // 0: its own; -1: ours
  int umask = -1;
  std::vector<SpawnLimit> limits;
  bool set_groups = false;
  std::vector<gid_t> groups;
  std::int64_t group = -1, user = -1;
  int death_signal = 0;  // when the thread that started it dies
};

/// What a child was doing when it could not go on.
enum class SpawnStage : unsigned char {
  none,
  clone,
  session,
  process_group,
  terminal,
  descriptors,
  directory,
  limits,
  groups,
  group,
  user,
  death_signal,
  execute,
};

struct Spawned {
  pid_t pid = -1;
  UniqueFd process;  // a pidfd: readable when the process has ended
  SpawnStage failed = SpawnStage::none;
  int error = 0;  // errno; then there is no child
};

/// Starts it. Signals have their default actions in the child, and none is blocked. The calling thread stands
/// still until the child's new program has been loaded, or the child has failed: about a millisecond.
Spawned spawn(const SpawnPlan& plan);

/// "the working directory", "setting the user": for messages.
std::string_view to_string(SpawnStage stage) noexcept;

/// The exit code when somebody else took it: SIGCHLD is ignored, or a wait() for any child.
inline constexpr int kExitCodeLost = 255;

/// The exit code of a pidfd's process, negative for a signal; nothing while it runs. To be called until it gives
/// one: no zombie is left.
std::optional<int> reap(int pidfd) noexcept;
/// 0, or errno: ESRCH if it has ended.
int send_signal(int pidfd, int number) noexcept;
/// To all of the group that process `pid` of `pidfd` leads or led. 0 or errno: ESRCH if nobody is left in it.
int send_group_signal(int pidfd, pid_t pid, int number) noexcept;

/// "died by signal 6 (Aborted)", "ended with exit code 3"
std::string describe_exit(int exit_code);

}  // namespace eddy::detail
