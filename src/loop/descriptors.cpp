// SPDX-License-Identifier: MIT
#include "loop/descriptors.hpp"

#include <eddy/detail/descriptor_wait.hpp>
#include <eddy/exceptions.hpp>
#include <fmt/format.h>

#include "base/text.hpp"

namespace eddy::detail {

DescriptorWatch::DescriptorWatch(Loop& owner, int descriptor) : loop_(owner) {
  fd = descriptor;
  on_events = [](IoWatch& watch, unsigned events) noexcept {
    static_cast<DescriptorWatch&>(watch).dispatch(events);
  };
}

DescriptorWatch::~DescriptorWatch() {
  for (auto& side : sides_) drop_callback(side);
  if (watched_) loop_.backend->unwatch(*this);
}

DescriptorWatch& DescriptorWatch::of(Loop& loop, int fd) {
  if (fd < 0) throw ValueError(fmt::format("descriptor {}: it must be open", fd));
  if (loop.owns_descriptor(fd)) throw RuntimeError(fmt::format("File descriptor {} is used by transport", fd));
  auto& watch = loop.descriptors[fd];
  if (!watch) watch = std::make_unique<DescriptorWatch>(loop, fd);
  return *watch;
}

void DescriptorWatch::drop_callback(Side& side) noexcept {
  if (auto* old = std::exchange(side.callback, nullptr)) {
    old->cancel();
    old->release();
  }
}

void DescriptorWatch::set(bool writes, CallbackCore* callback) {
  auto& side = sides_[writes];
  if (callback && side.wanted) {
    callback->release();
    check_free(writes);
  }
  drop_callback(side);
  side.callback = callback;
  try {
    apply();
  } catch (...) {
    drop_callback(side);
    apply_quietly();
    throw;
  }
}

void DescriptorWatch::check_free(bool writes) const {
  const auto& side = sides_[writes];
  if (side.wanted || side.used) {
    throw BusyResourceError(fmt::format("descriptor {}: another task already {} it; one task at a time", fd,
                                        writes ? "writes to" : "reads from"));
  }
}

unsigned DescriptorWatch::begin_use(bool writes) {
  check_free(writes);
  sides_[writes].used = true;
  return number_;
}

void DescriptorWatch::end_use(bool writes, unsigned number) noexcept {
  if (number == number_) sides_[writes].used = false;
}

void DescriptorWatch::begin_wait(bool writes) {
  auto& side = sides_[writes];
  if (side.callback) {
    throw BusyResourceError(
        fmt::format("descriptor {}: {} watches it already", fd, writes ? "add_writer()" : "add_reader()"));
  }
  side.wanted = true;
  try {
    apply();
  } catch (...) {
    side.wanted = false;
    throw;
  }
}

void DescriptorWatch::end_wait(bool writes, const TaskCore& task) noexcept {
  auto& side = sides_[writes];
  if (side.waiter != &task) return;
  side.waiter = nullptr;
  side.wanted = false;
  apply_quietly();
}

void DescriptorWatch::apply() {
  auto wanted = [](const Side& side) { return side.callback || side.wanted; };
  const unsigned asked = (wanted(sides_[0]) ? kReadable : 0u) | (wanted(sides_[1]) ? kWritable : 0u);
  if (asked == 0) {
    if (!std::exchange(watched_, false)) return;
    loop_.backend->unwatch(*this);
    --loop_.watched_descriptors;
  } else if (watched_) {
    if (std::exchange(interest, asked) != asked) loop_.backend->update(*this);
  } else {
    interest = asked;
    loop_.backend->watch(*this);
    watched_ = true;
    ++loop_.watched_descriptors;
  }
}

// Watching less can fail only where the descriptor was closed behind our back: then nothing is told of it anyway.
void DescriptorWatch::apply_quietly() noexcept {
  try {
    apply();
  } catch (const OSError&) {
  }
}

void DescriptorWatch::closing() noexcept {
  ++number_;
  for (auto& side : sides_) {
    drop_callback(side);
    side.wanted = side.used = false;
    if (auto* task = std::exchange(side.waiter, nullptr)) {
      task->object = nullptr;
      task->wake();
    }
  }
  apply_quietly();
}

void DescriptorWatch::dispatch(unsigned events) noexcept {
  // A hang-up or an error wakes both sides: either may be the one that finds out.
  const bool due[] = {(events & (kReadable | kHangup)) != 0, (events & (kWritable | kHangup)) != 0};
  bool waits_ended = false;
  for (int i : {0, 1}) {
    if (!due[i]) continue;
    auto& side = sides_[i];
    if (auto* callback = side.callback; callback && !std::exchange(callback->queued, true)) {
      callback->retain();
      loop_.ready.push(*callback);
    }
    if (auto* task = std::exchange(side.waiter, nullptr)) {
      side.wanted = false;
      waits_ended = true;
      task->wake();
    }
  }
  if (waits_ended) apply_quietly();
}

void DescriptorUse::check() const {
  if (!watch_.in_use(writes_, number_)) {
    throw ClosedResourceError(fmt::format("descriptor {} was closed while a task used it", watch_.fd));
  }
}

// --- the await ----------------------------------------------------------------------------------------

namespace {

// The wait ends with the cancellation, not with the task's step: who cancels may close the descriptor next.
template <bool writes>
CancelResult cancel_wait(TaskCore& task) noexcept {
  static_cast<DescriptorWatch*>(task.object)->end_wait(writes, task);
  task.wake_cancelled();
  return CancelResult::accepted;
}
template <bool writes>
void detach_wait(TaskCore& task) noexcept {
  if (task.object) static_cast<DescriptorWatch*>(task.object)->end_wait(writes, task);
}
template <bool writes>
void describe_wait(const TaskCore& task, Text& text) {
  if (const auto* watch = static_cast<const DescriptorWatch*>(task.object)) {
    text.add("descriptor {} to be {}", watch->fd, writes ? "writable" : "readable");
  } else {
    text.add("a descriptor that was closed");
  }
}
constexpr WaitOps kReadableOps{&cancel_wait<false>, &detach_wait<false>, &describe_wait<false>, nullptr, nullptr,
                               "wait_readable"};
constexpr WaitOps kWritableOps{&cancel_wait<true>, &detach_wait<true>, &describe_wait<true>, nullptr, nullptr,
                               "wait_writable"};

}  // namespace

bool DescriptorWait::await_ready() {
  watch_ = &DescriptorWatch::of(Loop::running(), fd_);
  // Beside others: only for one that is not in use. Within a use, it is ours.
  if (!in_use_) watch_->end_use(writes_, watch_->begin_use(writes_));
  watch_->begin_wait(writes_);
  return false;
}

void DescriptorWait::await_suspend(std::coroutine_handle<> where) noexcept {
  TaskCore& task = *this_thread.task;
  task.wait(where, writes_ ? kWritableOps : kReadableOps, watch_);
  watch_->wait(writes_, task);
}

void DescriptorWait::await_resume() const {
  TaskCore& task = current_task_core();
  task.throw_if_cancelled();
  if (!task.object) throw ClosedResourceError(fmt::format("descriptor {} was closed while a task waited for it", fd_));
}

}  // namespace eddy::detail
