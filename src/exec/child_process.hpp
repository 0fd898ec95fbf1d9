// SPDX-License-Identifier: MIT
// Another process of this program: how it is started, told to end, and laid to rest.
#pragma once

#include <eddy/pack.hpp>
#include <sys/types.h>

#include <optional>

#include "base/spawn.hpp"

namespace eddy::detail {

/// Tags of the packets between a process and the one that started it.
inline constexpr std::uint32_t kCall = 1;  // run it, answer with what it gave, wait for the next
inline constexpr std::uint32_t kResult = 2;
inline constexpr std::uint32_t kProcess = 3;  // run it, then end with its exit code

struct ChildProcess {
  pid_t pid = -1;
  UniqueFd process;   // a pidfd: readable when the process has ended
  UniqueFd channel;   // packets
  UniqueFd lifeline;  // the process is killed when this end closes, so also if we die

  /// False if it has ended.
  bool send_signal(int number) const noexcept;
  /// The exit code, negative for a signal; nothing while it runs. To be called until it gives one: no zombie
  /// is left.
  std::optional<int> reap() noexcept;
};

/// Starts this program's file once more, as a worker: see worker_entry.cpp. Throws OSError, RuntimeError in a
/// process that should be a worker itself.
ChildProcess start_worker();

/// Whether this program's start passed through worker_entry.cpp, as a worker's will.
bool worker_entry_is_in_place() noexcept;

}  // namespace eddy::detail
