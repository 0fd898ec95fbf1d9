// SPDX-License-Identifier: MIT
#include "io/write_queue.hpp"

#include <utility>

#include "io/spares.hpp"

namespace eddy::detail {

struct WriteQueue::Cache {
  static void free(Backlog* backlog) noexcept { delete backlog; }
  static inline thread_local Spares<Backlog, &free> spares;
};

WriteQueue::Backlog& WriteQueue::backlog() {
  if (!backlog_) backlog_ = Cache::spares.take();
  if (!backlog_) backlog_ = new Backlog;
  return *backlog_;
}

void WriteQueue::drop() noexcept {
  Backlog* const backlog = std::exchange(backlog_, nullptr);
  if (!backlog) return;
  backlog->bytes.clear();
  backlog->begin = 0;
  if (backlog->bytes.capacity() > kKept || !Cache::spares.keep(backlog)) Cache::free(backlog);
}

}  // namespace eddy::detail
