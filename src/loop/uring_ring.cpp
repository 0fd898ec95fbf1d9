// SPDX-License-Identifier: MIT
#include "loop/uring_ring.hpp"

#include <eddy/exceptions.hpp>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <new>
#include <utility>

namespace eddy::detail {
namespace {

constexpr unsigned kEntries = 256;

// How many forks lie between the first process and this one.
std::atomic<int> forks{0};

void count_forks() {
  static const int registered = ::pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(registered);
}

// User data of an entry: its operation, or 0: nobody hears of it.
std::uint64_t data_of(const UringOperation& operation) noexcept { return reinterpret_cast<std::uintptr_t>(&operation); }
// Unlike the thread's id, never used again.
std::uint64_t thread_number() noexcept {
  static std::atomic<std::uint64_t> last{0};
  thread_local const std::uint64_t number = ++last;
  return number;
}

UringOperation& operation_in(ListNode& node) noexcept { return static_cast<UringOperation&>(node); }

void clear_entry(io_uring_sqe& entry) noexcept {
  ::io_uring_prep_nop(&entry);
  entry.flags = IOSQE_CQE_SKIP_SUCCESS;
  entry.user_data = 0;
}

void prepare_cancel(io_uring_sqe& entry, std::uint64_t data) noexcept {
  ::io_uring_prep_cancel64(&entry, data, 0);
  entry.flags = IOSQE_CQE_SKIP_SUCCESS;
  entry.user_data = 0;
}

void prepare_file(FileRequest& request, io_uring_sqe& entry) noexcept {
  constexpr std::size_t kMost = 0x7ffff000;  // what one read() or write() transfers
  const auto size = static_cast<unsigned>(request.size < kMost ? request.size : kMost);
  const auto offset = static_cast<std::uint64_t>(request.offset);
  switch (request.kind) {
    case FileRequest::Kind::read: return ::io_uring_prep_read(&entry, request.fd, request.data, size, offset);
    case FileRequest::Kind::write: return ::io_uring_prep_write(&entry, request.fd, request.data, size, offset);
    case FileRequest::Kind::sync: return ::io_uring_prep_fsync(&entry, request.fd, 0);
  }
}

}  // namespace

// --- operations -----------------------------------------------------------------------------------------

io_uring_sqe* UringRing::next_entry() noexcept {
  auto* entry = is_up() && !is_inherited() ? ::io_uring_get_sqe(&ring_) : nullptr;
  if (entry) ++requests_;
  return entry;
}

io_uring_sqe* UringRing::entry_for_sure() {
  for (;;) {
    if (auto* entry = next_entry()) return entry;
    submit();
  }
}

void UringRing::start(UringOperation& operation) noexcept {
  if (operation.kind == UringOperation::Kind::file) ++files_;
  auto* entry = backlog_.empty() ? next_entry() : nullptr;
  if (entry) prepare(operation, *entry);
  else backlog_.push_back(operation);
}

void UringRing::prepare(UringOperation& operation, io_uring_sqe& entry) noexcept {
  switch (operation.kind) {
    case UringOperation::Kind::poll: ::io_uring_prep_poll_add(&entry, operation.fd, operation.events); break;
    case UringOperation::Kind::poll_always: ::io_uring_prep_poll_multishot(&entry, operation.fd, operation.events); break;
    case UringOperation::Kind::accept:
      ::io_uring_prep_multishot_accept(&entry, operation.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      break;
    case UringOperation::Kind::receive:
      ::io_uring_prep_recv_multishot(&entry, operation.fd, nullptr, 0, 0);
      entry.flags |= IOSQE_BUFFER_SELECT;
      entry.buf_group = BufferRing::kGroup;
      // Not IORING_RECVSEND_POLL_FIRST: of bytes and a reset that are there already, it tells the bytes and never the reset
      // (Linux 6.18), since the one wake-up has been.
      break;
    case UringOperation::Kind::file: prepare_file(*static_cast<FileRequest*>(operation.owner), entry); break;
  }
  entry.user_data = data_of(operation);
  operation.number = requests_;
  operation.in_flight = true;
  in_flight_.push_back(operation);
}

bool UringRing::is_unsubmitted(const UringOperation& operation) const noexcept {
  return operation.number > requests_ - ::io_uring_sq_ready(&ring_);
}

// Order matters: its descriptor may be closed and its number taken by another before the entry is submitted. So
// an entry that the kernel has not seen is made empty; it must not be cancelled later.
void UringRing::withdraw(UringOperation& operation) noexcept {
  const auto behind = static_cast<unsigned>(requests_ - operation.number);  // entries that were filled after it
  clear_entry(ring_.sq.sqes[(ring_.sq.sqe_tail - 1 - behind) & ring_.sq.ring_mask]);
  operation.unlink();
  operation.in_flight = false;
}

bool UringRing::cancel(UringOperation& operation) noexcept {
  if (!operation.in_flight) {
    if (operation.is_linked()) operation.unlink();
    return false;
  }
  if (is_inherited()) {  // the parent's ring is not touched
    operation.unlink();
    operation.in_flight = false;
    return false;
  }
  if (is_unsubmitted(operation)) {
    withdraw(operation);
    return false;
  }
  if (auto* entry = cancels_.empty() ? next_entry() : nullptr) prepare_cancel(*entry, data_of(operation));
  else cancels_.push_back(data_of(operation));
  cancelling_ = true;
  return true;
}

bool UringRing::is_ours() const noexcept { return thread_ == thread_number() && !is_inherited(); }

// After a fork, parent and child share the ring; it stays the parent's.
bool UringRing::is_inherited() const noexcept { return forks_ != forks.load(std::memory_order_relaxed); }

void UringRing::let_go() noexcept {
  if (!cancelling_ || !is_ours()) return;
  try {
    submit_backlog();
    submit();
  } catch (...) {
    // The next poll meets the same error, and tells it.
  }
}

void UringRing::abandon(UringOperation* operation) noexcept {
  if (!operation) return;
  operation->owner = nullptr;
  if (!cancel(*operation) && operation != dispatched_) delete operation;
}

// --- one poll -------------------------------------------------------------------------------------------

void UringRing::poll(std::int64_t timeout) {
  submit_backlog();
  enter(to_call_.empty() ? timeout : 0);
  reap();
  if (!to_call_.empty()) {
    List now;
    now.splice_back(to_call_);
    while (!now.empty()) {
      auto& caller = static_cast<UringCaller&>(*now.front());
      caller.unlink();
      caller.call();
    }
  }
  if (buffers_.is_scarce()) free_buffers();
}

void UringRing::submit_backlog() {
  cancelling_ = false;
  for (auto data : std::exchange(cancels_, {})) prepare_cancel(*entry_for_sure(), data);
  while (!backlog_.empty()) {
    auto* entry = entry_for_sure();
    auto& operation = operation_in(*backlog_.front());
    operation.unlink();
    prepare(operation, *entry);
  }
}

// One system call: submits, lets what the kernel has for us come in, waits.
void UringRing::enter(std::int64_t timeout) {
  int result = 0;
  if (timeout == 0) {
    constexpr unsigned kHasWork = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;
    if (::io_uring_sq_ready(&ring_) == 0 && !(__atomic_load_n(ring_.sq.kflags, __ATOMIC_ACQUIRE) & kHasWork)) return;
    result = ::io_uring_submit_and_get_events(&ring_);
  } else {
    __kernel_timespec limit{.tv_sec = timeout / 1'000'000'000, .tv_nsec = timeout % 1'000'000'000};
    io_uring_cqe* first = nullptr;
    result = ::io_uring_submit_and_wait_timeout(&ring_, &first, 1, timeout < 0 ? nullptr : &limit, nullptr);
  }
  if (result < 0 && result != -ETIME && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
    throw_os_error(-result, "io_uring_enter");
  }
}

void UringRing::submit() {
  while (::io_uring_sq_ready(&ring_) != 0) {
    const int result = ::io_uring_submit_and_get_events(&ring_);
    if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) throw_os_error(-result, "io_uring_enter");
    if (result == -EBUSY || result == -EAGAIN) reap();  // completions have to go first
  }
}

void UringRing::reap() noexcept {
  for (;;) {
    const unsigned head = *ring_.cq.khead;
    if (head == __atomic_load_n(ring_.cq.ktail, __ATOMIC_ACQUIRE)) {
      if (!(__atomic_load_n(ring_.sq.kflags, __ATOMIC_ACQUIRE) & IORING_SQ_CQ_OVERFLOW)) return;
      if (::io_uring_get_events(&ring_) < 0 || head == __atomic_load_n(ring_.cq.ktail, __ATOMIC_ACQUIRE)) return;
    }
    const io_uring_cqe completion = ring_.cq.cqes[head & ring_.cq.ring_mask];
    ::io_uring_cq_advance(&ring_, 1);
    dispatch(completion.user_data, completion.res, completion.flags);
  }
}

void UringRing::dispatch(std::uint64_t data, int result, std::uint32_t flags) noexcept {
  if (data == 0) return;  // a cancellation that came too late
  auto& operation = *reinterpret_cast<UringOperation*>(data);
  if (!(flags & IORING_CQE_F_MORE)) {
    operation.unlink();
    operation.in_flight = false;
    if (operation.kind == UringOperation::Kind::file) --files_;
  }
  if (!operation.owner) return discard(operation, result, flags);
  auto* outer = std::exchange(dispatched_, &operation);
  operation.completed(operation, result, flags);
  dispatched_ = outer;
  if (!operation.owner && operation.is_idle()) delete &operation;
}

// Nobody wants what came.
void UringRing::discard(UringOperation& operation, int result, std::uint32_t flags) noexcept {
  if (operation.kind == UringOperation::Kind::accept && result >= 0) ::close(result);
  if (flags & IORING_CQE_F_BUFFER) {
    buffers_.give_back(buffers_.take(flags, static_cast<std::uint32_t>(result > 0 ? result : 0)));
  }
  if (!operation.in_flight) delete &operation;
}

void UringRing::holds_buffers(BufferHolder& holder, bool holds) noexcept {
  if (holds == holder.is_linked()) return;
  if (holds) holders_.push_back(holder);
  else holder.unlink();
}

void UringRing::free_buffers() noexcept {
  while (!holders_.empty()) {
    auto& holder = static_cast<BufferHolder&>(*holders_.front());
    holder.unlink();
    holder.spill();
  }
}

// --- threads, beginning and end -------------------------------------------------------------------------

void UringRing::enter_thread() {
  if (is_up() && !is_ours()) tear_down();
  if (!is_up()) {
    count_forks();
    if (const int error = set_up_ring(ring_, kEntries, features_)) throw_os_error(error, "io_uring_setup");
    if (const int error = buffers_.attach(ring_, features_.incremental_buffers)) {
      ::io_uring_queue_exit(&ring_);
      buffers_.detach();
      throw_os_error(error, "io_uring_register");
    }
    thread_ = thread_number();
    forks_ = forks.load(std::memory_order_relaxed);
  }
  // Spares a look-up with each enter. It belongs to the thread, so it is given back when the run ends.
  ::io_uring_register_ring_fd(&ring_);
}

void UringRing::settle() noexcept {
  if (!is_up()) return;
  if (!is_ours()) return tear_down();
  try {
    submit_backlog();
    submit();
    for (auto* node = in_flight_.front(); files_ > 0 && node != in_flight_.end(); node = node->next) {
      if (operation_in(*node).kind == UringOperation::Kind::file) cancels_.push_back(data_of(operation_in(*node)));
    }
    submit_backlog();
    while (files_ > 0) {
      enter(-1);
      reap();
    }
  } catch (...) {
    // The next poll meets the same error, and tells it.
  }
  if (ring_.enter_ring_fd != ring_.ring_fd) ::io_uring_unregister_ring_fd(&ring_);
}

// The ring goes; what was asked for and has an owner waits for the next ring.
void UringRing::tear_down() noexcept {
  if (!is_inherited()) reap();
  free_buffers();
  while (!in_flight_.empty()) {
    auto& operation = operation_in(*in_flight_.front());
    operation.unlink();
    operation.in_flight = false;
    if (operation.owner) backlog_.push_back(operation);
    else delete &operation;
  }
  cancels_.clear();
  ::io_uring_queue_exit(&ring_);
  buffers_.detach();
  thread_ = 0;
}

UringRing::~UringRing() {
  if (!is_up()) return;
  settle();
  // What was closed is closed for the peer once its last operation has ended.
  if (is_up()) {
    try {
      for (int turns = 0; !in_flight_.empty() && turns < 1000; ++turns) {
        enter(1'000'000);
        reap();
      }
    } catch (...) {
    }
    tear_down();
  }
}

}  // namespace eddy::detail
