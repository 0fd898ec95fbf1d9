// SPDX-License-Identifier: MIT
#include "io/write_queue.hpp"

#include <utility>

#include "io/spares.hpp"

namespace eddy::detail {

struct WriteQueue::Cache {
  static void free(Backlog* backlog) noexcept { delete backlog; }
  using Backlogs = Spares<Backlog, &free>;
};

WriteQueue::Backlog& WriteQueue::backlog() {
  if (!backlog_) backlog_ = Cache::Backlogs::take();
  if (!backlog_) backlog_ = new Backlog;
  return *backlog_;
}

void WriteQueue::drop() noexcept {
  Backlog* const backlog = std::exchange(backlog_, nullptr);
  if (!backlog) return;
  backlog->bytes.clear();
  backlog->begin = 0;
  if (backlog->bytes.capacity() > kKept || !Cache::Backlogs::keep(backlog)) Cache::free(backlog);
}

}  // namespace eddy::detail
