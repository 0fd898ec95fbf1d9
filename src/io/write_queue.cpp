// SPDX-License-Identifier: MIT
#include "io/write_queue.hpp"

#include <utility>

namespace eddy::detail {

struct BacklogCache {
  static constexpr int kSpares = 8;

  WriteQueue::Backlog* spares[kSpares];
  int count = 0;
  int room = kSpares;
  ~BacklogCache() {
    while (count > 0) delete spares[--count];
    room = 0;  // what comes later is freed at once
  }
};

namespace {
thread_local BacklogCache backlog_cache;
}  // namespace

WriteQueue::Backlog& WriteQueue::backlog() {
  auto& cache = backlog_cache;
  if (!backlog_) backlog_ = cache.count > 0 ? cache.spares[--cache.count] : new Backlog;
  return *backlog_;
}

void WriteQueue::drop() noexcept {
  Backlog* const backlog = std::exchange(backlog_, nullptr);
  if (!backlog) return;
  auto& cache = backlog_cache;
  if (cache.count == cache.room || backlog->bytes.capacity() > kKept) {
    delete backlog;
    return;
  }
  backlog->bytes.clear();
  backlog->begin = 0;
  cache.spares[cache.count++] = backlog;
}

}  // namespace eddy::detail
