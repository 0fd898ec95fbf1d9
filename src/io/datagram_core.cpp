// SPDX-License-Identifier: MIT
#include "io/datagram_core.hpp"

#include <eddy/exceptions.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/text.hpp"
#include "task/plain_wait.hpp"

namespace eddy::detail {

void retain(DatagramCore& core) noexcept { core.retain(); }
void release(DatagramCore& core) noexcept { core.release(); }

const WaitOps DatagramCore::kReceiveOps{&cancel_at_once, &detach, &describe_wait, nullptr, nullptr, "datagram receive"};
const WaitOps DatagramCore::kSendOps{&cancel_at_once, &detach, &describe_wait, nullptr, nullptr, "datagram send"};

char* datagram_scratch(std::size_t size) {
  thread_local std::vector<char> scratch;
  if (scratch.size() < size) scratch.resize(size);
  return scratch.data();
}

void DatagramCore::attach(std::unique_ptr<DatagramDriver> driver) {
  driver_ = std::move(driver);
  loop_.own_descriptor(driver_->fd(), true);
  loop_.resources.push_back(static_cast<LoopResource&>(*this));
  has_peer_ = driver_->fd() >= 0;
  if (has_peer_) loop_.io_opened();
}

void DatagramCore::release() noexcept {
  if (--references_ > 0) return;
  close();
  delete this;
}

void DatagramCore::close() noexcept {
  if (is_closed()) return;
  static_cast<LoopResource&>(*this).unlink();
  if (has_peer_) loop_.io_closed();
  loop_.own_descriptor(driver_->fd(), false);
  driver_.reset();
  wake_all(receivers_);
  wake_all(senders_);
}

void DatagramCore::loop_closed() noexcept {
  if (has_peer_) loop_.io_closed();
  driver_.reset();
}

void DatagramCore::check_open(const char* operation) const {
  if (is_closed()) throw RuntimeError(fmt::format("{} a datagram socket after close()", operation));
}

void DatagramCore::check_not_joined(const char* operation) const {
  if (gro_) throw RuntimeError(fmt::format("{} a datagram socket with .gro: only receive_batch() takes joined datagrams apart", operation));
}

std::string DatagramCore::describe() const {
  if (is_closed()) return "a closed datagram socket";
  if (const auto remote = driver_->remote_address(); remote && !remote.str().empty()) return remote.str();
  const auto local = driver_->local_address();
  return local && !local.str().empty() ? local.str() : fmt::format("datagram descriptor {}", driver_->fd());
}

char* DatagramCore::own_space() {
  if (!own_space_) own_space_ = std::make_unique_for_overwrite<char[]>(max_size_);
  return own_space_.get();
}

// --- waiting ------------------------------------------------------------------------------------------

// True: it is done, or can never be. After many calls that found the socket ready, others get a turn.
bool DatagramCore::begin(DatagramWait& wait) {
  constexpr unsigned kInlineCalls = 64;
  check_open(wait.sends ? "send on" : "receive on");
  if (++inline_calls_ >= kInlineCalls) return false;
  if (!wait.sends && !may_read_) return false;
  wait.done = wait.attempt(wait);
  return wait.done;
}

void DatagramCore::suspend(DatagramWait& wait, std::coroutine_handle<> where) {
  TaskCore& task = current_task_core();
  task.wait(where, wait.sends ? kSendOps : kReceiveOps, &wait);
  (wait.sends ? senders_ : receivers_).push_back(static_cast<WaitNode&>(task));
  retain();
  wait.waited = true;
  const bool may_be_ready = std::exchange(inline_calls_, 0) >= 64;
  want();
  if (may_be_ready) wake(static_cast<WaitNode&>(task));
}

void DatagramCore::want() noexcept {
  if (driver_) driver_->want((receivers_.empty() ? 0u : kReadable) | (senders_.empty() ? 0u : kWritable));
}

// The task's step begins with another try. If that does not work either, it waits on, and its coroutine has not
// noticed.
void DatagramCore::attempt_first(ReadyNode& node, Dispatch how) noexcept {
  auto& task = static_cast<TaskCore&>(node);
  task.run = &TaskCore::step;
  if (how == Dispatch::discard) return;
  auto& wait = *static_cast<DatagramWait*>(task.object);
  if (!task.must_throw() && !wait.core->is_closed()) {
    wait.done = wait.attempt(wait);
    if (!wait.done) {
      task.flags |= kWaiting;
      return wait.core->want();
    }
  }
  TaskCore::step(task, how);
}

void DatagramCore::wake(ListNode& node) noexcept {
  TaskCore& task = task_of(node);
  if (!task.waiting()) return;
  task.run = &attempt_first;
  task.wake();
}

void DatagramCore::wake_all(List& waiters) noexcept {
  for (ListNode* node = waiters.front(); node != waiters.end(); node = node->next) wake(*node);
}

void DatagramCore::ready(unsigned events) noexcept {
  if (events & (kReadable | kHangup)) {
    may_read_ = told_ = true;
    pass_on(false);
  }
  if (events & (kWritable | kHangup)) wake_all(senders_);
}

// The first that waits gets the chance.
void DatagramCore::pass_on(bool sends) noexcept {
  auto& waiters = sends ? senders_ : receivers_;
  if (!waiters.empty()) wake(*waiters.front());
}

void DatagramCore::finish(DatagramWait& wait) {
  struct Release {
    DatagramCore* core;
    ~Release() {
      if (core) core->release();
    }
  } release{std::exchange(wait.waited, false) ? this : nullptr};
  if (release.core) {
    TaskCore& task = current_task_core();
    detach_listed(task);
    want();
    if (wait.sends || may_read_ || task.must_throw()) pass_on(wait.sends);
    task.throw_if_cancelled();
  }
  const char* what = wait.sends ? "send to" : "receive on";
  if (!wait.done) throw ConnectionAbortedError(ECONNABORTED, fmt::format("{} a datagram socket: it was closed", what));
  if (wait.error) throw_os_error(wait.error, fmt::format("{} {}", what, describe()));
}

void DatagramCore::detach(TaskCore& task) noexcept {
  detach_listed(task);
  auto& wait = *static_cast<DatagramWait*>(task.object);
  if (std::exchange(wait.waited, false)) wait.core->release();
}

void DatagramCore::describe_wait(const TaskCore& task, Text& text) {
  const auto& wait = *static_cast<const DatagramWait*>(task.object);
  text.add("{} {}", wait.sends ? "room to send to" : "a datagram at", wait.core->describe());
}

// --- receiving ----------------------------------------------------------------------------------------

// Receiving until EAGAIN would cost a call a datagram where each is answered before the next one comes. So one that
// was told of is received, and another is tried for only if that has paid lately, and now and then to find out.
bool DatagramCore::note_receive(bool received) noexcept {
  const bool told = std::exchange(told_, false);
  if (!told) speculate_ = received;
  may_read_ = received && (speculate_ || ++received_ % 16 == 0);
  return received;
}

bool DatagramCore::receive(ReceiveWait& wait) noexcept {
  char* const data = wait.data ? wait.data : datagram_scratch(wait.room);
  const auto size = driver_->receive({data, wait.room}, wait.from);
  if (size == -EAGAIN) return note_receive(false);
  if (size < 0) {
    wait.error = static_cast<int>(-size);
    return true;
  }
  wait.data = data;
  wait.full_size = static_cast<std::size_t>(size);
  return note_receive(true);
}

// --- sending ------------------------------------------------------------------------------------------

namespace {

void set_address(msghdr& message, const Address* to) noexcept {
  if (!to) return;
  message.msg_name = const_cast<void*>(to->data());
  message.msg_namelen = to->size();
}

}  // namespace

bool DatagramCore::send(DatagramWait& wait, std::string_view data, const Address* to) noexcept {
  const auto sent = driver_->send(data, to);
  if (sent == -EAGAIN) return false;
  if (sent < 0) wait.error = static_cast<int>(-sent);
  return true;
}

// What one sendmmsg() takes: messages, the pieces they consist of, and what tells the kernel to cut one into several.
struct OutgoingMessages {
  static constexpr unsigned kMost = 64;

  struct Control {
    alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(std::uint16_t))];
  };
  mmsghdr messages[kMost];
  iovec pieces[kMost];
  Control controls[kMost];
  unsigned datagrams[kMost];  // in each message

  void set_segment_size(unsigned index, std::size_t size) noexcept {
    auto& header = messages[index].msg_hdr;
    header.msg_control = controls[index].bytes;
    header.msg_controllen = sizeof controls[index].bytes;
    cmsghdr* control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = IPPROTO_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    const auto value = static_cast<std::uint16_t>(size);
    std::memcpy(CMSG_DATA(control), &value, sizeof value);
  }
};

namespace {

constexpr std::size_t kMostJoined = 65000;  // bytes of one packet that is cut

bool same_target(const OutgoingDatagram& a, const OutgoingDatagram& b) noexcept {
  return a.to == b.to || (a.to && b.to && *a.to == *b.to);
}

// How many of the first datagrams can leave as one packet: all of one size, but that the last may be shorter.
std::size_t run_length(std::span<const OutgoingDatagram> rest, std::size_t most) noexcept {
  const auto size = rest.front().data.size();
  if (size == 0) return 1;
  std::size_t count = 1, bytes = size;
  while (count < rest.size() && count < most && rest[count - 1].data.size() == size) {
    const auto next = rest[count].data.size();
    if (next == 0 || next > size || bytes + next > kMostJoined || !same_target(rest[count], rest.front())) break;
    bytes += next;
    ++count;
  }
  return count;
}

}  // namespace

unsigned DatagramCore::fill(std::span<const OutgoingDatagram> rest, OutgoingMessages& out) const noexcept {
  unsigned messages = 0, pieces = 0;
  while (!rest.empty() && pieces < OutgoingMessages::kMost) {
    const auto count = segments_ ? run_length(rest, OutgoingMessages::kMost - pieces) : 1;
    auto& header = (out.messages[messages] = {}).msg_hdr;
    set_address(header, rest.front().to);
    header.msg_iov = out.pieces + pieces;
    header.msg_iovlen = count;
    for (const auto& datagram : rest.first(count)) {
      out.pieces[pieces++] = {const_cast<char*>(datagram.data.data()), datagram.data.size()};
    }
    if (count > 1) out.set_segment_size(messages, rest.front().data.size());
    out.datagrams[messages++] = static_cast<unsigned>(count);
    rest = rest.subspan(count);
  }
  return messages;
}

bool DatagramCore::send_batch(DatagramWait& wait, std::span<const OutgoingDatagram>& rest) noexcept {
  OutgoingMessages out;
  while (!rest.empty()) {
    const auto count = fill(rest, out);
    const int sent = driver_->send_many(out.messages, count);
    if (sent == -EAGAIN) return false;
    if (sent < 0 && out.datagrams[0] > 1 && sent != -ECONNREFUSED) {
      segments_ = false;  // an old kernel, a device that cannot, a datagram beyond the path's limit: one by one
      continue;
    }
    if (sent < 0) {
      wait.error = -sent;
      return true;
    }
    for (int i = 0; i < sent; ++i) rest = rest.subspan(out.datagrams[i]);
  }
  return true;
}

}  // namespace eddy::detail
