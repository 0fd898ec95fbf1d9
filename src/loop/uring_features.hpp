// SPDX-License-Identifier: MIT
// What this kernel's io_uring can do for us, and why it cannot if it cannot.
#pragma once

#include <string>

struct io_uring;

namespace eddy::detail {

struct UringFeatures {
  bool usable = false;
  std::string reason;                // why it is not usable: one clause; empty if it is
  std::string remedy;                // what would change that; may be empty
  bool deferred = false;             // SINGLE_ISSUER and DEFER_TASKRUN (6.1): completions wait for our enter
  bool incremental_buffers = false;  // IOU_PBUF_RING_INC (6.12): one buffer of the ring holds many messages
  bool zero_copy_send = false;       // IORING_OP_SEND_ZC (6.0); we do not use it
};

/// Tries it out, once a process: sets a small ring up and receives a byte through it. A failure that may pass
/// (no descriptor or memory left) is tried again the next time.
UringFeatures uring_features();

/// Sets a ring of `entries` up as `features` allow. 0, or the error number.
int set_up_ring(io_uring& ring, unsigned entries, const UringFeatures& features) noexcept;

}  // namespace eddy::detail
