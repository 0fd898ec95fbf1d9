// SPDX-License-Identifier: MIT
#include "loop/uring_features.hpp"

#include <fmt/format.h>
#include <liburing.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>

#include "base/unique_fd.hpp"
#include "loop/uring_buffers.hpp"

namespace eddy::detail {
namespace {

constexpr unsigned kCompletionsPerEntry = 16;  // a multishot operation ends when there is no room for its completion

struct Ring {
  io_uring ring{};
  bool is_up = false;
  Ring() noexcept = default;
  Ring(const Ring&) = delete;
  ~Ring() {
    if (is_up) ::io_uring_queue_exit(&ring);
  }
};

std::string kernel_release() {
  utsname names{};
  return ::uname(&names) == 0 ? names.release : "unknown";
}

// The value of kernel.io_uring_disabled; 0 also for kernels that do not know it.
int disabled_by_sysctl() noexcept {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/sys/kernel/io_uring_disabled", "re"),
                                                             &std::fclose);
  int value = 0;
  return file && std::fscanf(file.get(), "%d", &value) == 1 ? value : 0;
}

std::string locked_memory() {
  rlimit limit{};
  ::getrlimit(RLIMIT_MEMLOCK, &limit);
  return limit.rlim_cur == RLIM_INFINITY ? "unlimited" : fmt::format("{} KiB", limit.rlim_cur / 1024);
}

void explain_setup(int error_number, UringFeatures& features) {
  const int disabled = disabled_by_sysctl();
  switch (error_number) {
    case EPERM:
    case EACCES:
      if (disabled == 0) {
        features.reason = "io_uring_setup is not permitted here: a seccomp filter, as in most containers, or a security module";
        features.remedy = "allow io_uring_setup, io_uring_enter and io_uring_register in the filter";
      } else {
        features.reason = fmt::format("kernel.io_uring_disabled is {}", disabled);
        features.remedy = disabled == 1 ? "add the user's group to kernel.io_uring_group, or sysctl kernel.io_uring_disabled=0"
                                        : "sysctl kernel.io_uring_disabled=0";
      }
      return;
    case ENOSYS:
      features.reason = fmt::format("Linux {} has no io_uring, or a seccomp filter hides it", kernel_release());
      features.remedy = "run on Linux 6.0 or newer, and allow the io_uring calls in the filter";
      return;
    case ENOMEM:
      features.reason = fmt::format("io_uring_setup found no memory; RLIMIT_MEMLOCK is {}", locked_memory());
      features.remedy = "raise the limit with ulimit -l";
      return;
    default: features.reason = fmt::format("io_uring_setup failed: {}", std::strerror(error_number));
  }
}

bool is_passing(int error_number) noexcept {
  return error_number == EMFILE || error_number == ENFILE || error_number == ENOMEM || error_number == EAGAIN;
}

// Sends a byte through a socket pair and has a multishot receive put it into a buffer of the ring.
bool can_receive_multishot(io_uring& ring) noexcept {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
  const UniqueFd ours(ends[0]), theirs(ends[1]);
  auto* sqe = ::io_uring_get_sqe(&ring);
  ::io_uring_prep_recv_multishot(sqe, ours.get(), nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = BufferRing::kGroup;
  if (::send(theirs.get(), "x", 1, MSG_NOSIGNAL) != 1) return false;
  ::io_uring_submit(&ring);
  io_uring_cqe* cqe = nullptr;
  __kernel_timespec patience{.tv_sec = 1, .tv_nsec = 0};
  if (::io_uring_wait_cqe_timeout(&ring, &cqe, &patience) != 0) return false;
  return cqe->res == 1 && (cqe->flags & IORING_CQE_F_BUFFER) && (cqe->flags & IORING_CQE_F_MORE);
}

bool has_operation(io_uring& ring, int operation) noexcept {
  auto* probe = ::io_uring_get_probe_ring(&ring);
  if (!probe) return false;
  const bool has = ::io_uring_opcode_supported(probe, operation) != 0;
  ::io_uring_free_probe(probe);
  return has;
}

// The error number of a failure that may pass; else 0.
int look(UringFeatures& features) {
  Ring probe;
  features.deferred = true;
  int error = set_up_ring(probe.ring, 8, features);
  if (error == EINVAL) {
    features.deferred = false;
    error = set_up_ring(probe.ring, 8, features);
  }
  if (error == EINVAL) {
    features.reason = fmt::format("Linux {} is too old: eddy uses io_uring from 6.0 on", kernel_release());
    return 0;
  }
  if (error != 0) {
    explain_setup(error, features);
    return is_passing(error) ? error : 0;
  }
  probe.is_up = true;
  BufferRing buffers;
  for (bool incremental : {true, false}) {
    error = buffers.attach(probe.ring, incremental);
    features.incremental_buffers = incremental && error == 0;
    if (error != EINVAL) break;
  }
  if (error != 0 || !can_receive_multishot(probe.ring)) {
    features.reason = fmt::format("Linux {} lacks {}: eddy uses io_uring from 6.0 on", kernel_release(),
                                  error != 0 ? "rings of provided buffers" : "multishot receive");
    return is_passing(error) ? error : 0;
  }
  features.zero_copy_send = has_operation(probe.ring, IORING_OP_SEND_ZC);
  features.usable = true;
  return 0;
}

}  // namespace

int set_up_ring(io_uring& ring, unsigned entries, const UringFeatures& features) noexcept {
  io_uring_params params{};
  params.flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE | IORING_SETUP_TASKRUN_FLAG;
  params.flags |= features.deferred ? IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN : IORING_SETUP_COOP_TASKRUN;
  params.cq_entries = entries * kCompletionsPerEntry;
  return -::io_uring_queue_init_params(entries, &ring, &params);
}

UringFeatures uring_features() {
  static std::mutex mutex;
  static std::optional<UringFeatures> known;
  const std::lock_guard lock(mutex);
  if (known) return *known;
  UringFeatures features;
  if (look(features) == 0) known = features;
  return features;
}

}  // namespace eddy::detail
