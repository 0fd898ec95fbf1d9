// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace eddy::testing {

/// What goes wrong below the streams and servers of a loop, on purpose: `LoopOptions::faults`, `RunOptions::faults`.
///
///     const eddy::testing::Faults faults{.seed = 7, .short_reads = 0.3, .resets = 0.001};
///     eddy::run(serve(8080), {.faults = &faults});
///
/// Each is the share of operations that it befalls, from 0 (none) to 1 (every one). Two runs with the same seed have the
/// same faults where they do the same operations in the same order. Datagrams, the `sock_` calls and streams in memory
/// are left alone.
struct Faults {
  std::uint64_t seed = 1;
  // What any network does: a program may not behave differently.
  double short_reads = 0;   // 1 to 16 bytes come, where there may be more. Of files, on io_uring, too
  double short_writes = 0;  // the kernel takes 1 to 16 bytes
  double not_ready = 0;     // EAGAIN although the kernel said it was ready: goes on with the loop's next turn
  // What a program has to live with.
  double resets = 0;          // of reads and writes: the connection breaks, ECONNRESET for both of its ends
  double failed_accepts = 0;  // EMFILE: the connection waits to be accepted later
};

}  // namespace eddy::testing
