// SPDX-License-Identifier: MIT
#include <eddy/channels.hpp>

#include "base/text.hpp"
#include "task/plain_wait.hpp"

namespace eddy {

EndOfChannel::EndOfChannel() : runtime_error("the channel has ended: every sender is closed and nothing is left") {}
BrokenResourceError::BrokenResourceError() : runtime_error("the channel is broken: every receiver is closed") {}
ClosedResourceError::ClosedResourceError() : logic_error("this end of the channel is closed") {}
WouldBlock::WouldBlock() : runtime_error("the channel would have to wait; await send() or receive() instead") {}

namespace detail {
namespace {

std::size_t length(List& waiting) noexcept {
  std::size_t count = 0;
  for (ListNode* n = waiting.front(); n != waiting.end(); n = n->next) ++count;
  return count;
}

}  // namespace

constinit const WaitOps ChannelBase::kOps{&cancel_wait, &detach_listed, &describe_wait, nullptr, nullptr, "channel"};

void ChannelBase::enqueue(Side side, Slot& slot, std::coroutine_handle<> where) {
  TaskCore& task = current_task_core();
  slot.channel = this;
  task.wait(where, kOps, &slot);
  waiting(side).push_back(static_cast<WaitNode&>(task));
}

bool ChannelBase::finish_wait(const Slot& slot) {
  if (!slot.done) current_task_core().throw_if_cancelled();
  return slot.done;
}

ChannelBase::Slot* ChannelBase::hand_over(Side side) noexcept {
  auto& all = waiting(side);
  if (all.empty()) return nullptr;
  TaskCore& task = task_of(*all.front());
  auto& slot = *static_cast<Slot*>(task.object);
  task.WaitNode::unlink();
  slot.done = true;
  task.wake();
  return &slot;
}

void ChannelBase::closed(Side side) noexcept {
  if (--open(side) > 0) return;
  auto& others = waiting(side == Side::send ? Side::receive : Side::send);
  while (!others.empty()) {
    TaskCore& task = task_of(*others.front());
    task.WaitNode::unlink();
    task.wake();
  }
}

ChannelStatistics ChannelBase::statistics(std::size_t buffered) const noexcept {
  auto& self = const_cast<ChannelBase&>(*this);
  return {buffered, capacity_, senders_, receivers_, length(self.waiting_senders_), length(self.waiting_receivers_)};
}

CancelResult ChannelBase::cancel_wait(TaskCore& task) noexcept {
  task.WaitNode::unlink();
  task.wake_cancelled();
  return CancelResult::accepted;
}

void ChannelBase::describe_wait(const TaskCore& task, Text& text) {
  const auto& channel = *static_cast<const Slot*>(task.object)->channel;
  text.add("channel {}, {} senders and {} receivers open", static_cast<const void*>(&channel), channel.senders_, channel.receivers_);
}

}  // namespace detail
}  // namespace eddy
