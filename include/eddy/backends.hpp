// SPDX-License-Identifier: MIT
// Which back end a loop gets on this machine, and why not another. `eddy doctor` prints it.
#pragma once

#include <eddy/events.hpp>

#include <string>
#include <vector>

namespace eddy {

/// Whether a back end can be used here.
struct BackendStatus {
  Backend backend = Backend::epoll;
  bool usable = true;
  std::string reason;  // why not: "kernel.io_uring_disabled is 2"; empty if it is usable
  std::string remedy;  // what would change that: "sysctl kernel.io_uring_disabled=0"; may be empty
};

/// All that wait for the kernel, also those that cannot be used. Looks once a process.
std::vector<BackendStatus> backend_statuses();

struct BackendChoice {
  Backend backend = Backend::epoll;
  std::string reason;  // "EDDY_BACKEND asks for it"
};

/// What `Backend::automatic` means here and now. Throws ValueError: EDDY_BACKEND names no back end.
BackendChoice choose_backend();

/// Something that the io_uring back end uses if the kernel has it.
struct BackendFeature {
  std::string name;
  bool available = false;
  std::string use;  // what for, or instead of what
};
/// Empty if io_uring is not usable.
std::vector<BackendFeature> io_uring_features();

}  // namespace eddy
