// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstddef>
#include <eddy/detail/ring_buffer.hpp>
#include <eddy/detail/list.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/detail/task_core.hpp>
#include <eddy/exceptions.hpp>
#include <optional>
#include <stdexcept>
#include <utility>

namespace eddy {

/// Every sender is gone and every item was taken.
class EndOfChannel : public std::runtime_error { public: EndOfChannel(); };
/// Every receiver is gone: nobody will ever take the item.
class BrokenResourceError : public std::runtime_error { public: BrokenResourceError(); };
/// A …_nowait() that would have to wait.
class WouldBlock : public std::runtime_error { public: WouldBlock(); };

struct ChannelStatistics {
  std::size_t buffered;
  std::size_t capacity;
  std::size_t open_senders;
  std::size_t open_receivers;
  std::size_t waiting_senders;
  std::size_t waiting_receivers;
};

namespace detail {

/// What channels of every type share: who waits, how many ends are open.
class ChannelBase {
 public:
  explicit ChannelBase(std::size_t capacity) noexcept : capacity_(capacity) {}

  /// Where a waiter keeps its item, in its awaiter.
  struct Slot {
    const ChannelBase* channel = nullptr;
    bool done = false;  // the item was handed over
  };
  enum class Side : bool { send, receive };

  void enqueue(Side side, Slot& slot, std::coroutine_handle<> where);
  /// After a wait: whether the item was handed over. Throws CancelledError; a cancellation that comes after
  /// the hand-over stays for the next wait, so that nothing is lost.
  bool finish_wait(const Slot& slot);
  /// The slot of the one who waits longest, or null; wakes it.
  Slot* hand_over(Side side) noexcept;

  void opened(Side side) noexcept { ++open(side); }
  void closed(Side side) noexcept;
  std::size_t open_count(Side side) const noexcept { return side == Side::send ? senders_ : receivers_; }
  ChannelStatistics statistics(std::size_t buffered) const noexcept;
  std::size_t capacity() const noexcept { return capacity_; }

 private:
  std::size_t& open(Side side) noexcept { return side == Side::send ? senders_ : receivers_; }
  List& waiting(Side side) noexcept { return side == Side::send ? waiting_senders_ : waiting_receivers_; }
  static CancelResult cancel_wait(TaskCore& task) noexcept;
  static void describe_wait(const TaskCore& task, Text& text);
  static const WaitOps kOps;

  std::size_t capacity_;
  std::size_t senders_ = 0, receivers_ = 0;
  List waiting_senders_, waiting_receivers_;
};

template <class T>
class ChannelCore : public ChannelBase {
 public:
  using ChannelBase::ChannelBase;
  struct ItemSlot : Slot {
    std::optional<T> item;
  };

  /// Hands the item over or keeps it. False: there is no room.
  bool try_send(T& item) {
    if (open_count(Side::receive) == 0) throw BrokenResourceError();
    if (auto* receiver = static_cast<ItemSlot*>(hand_over(Side::receive))) {
      receiver->item.emplace(std::move(item));
      return true;
    }
    if (items_.size() >= capacity()) return false;
    items_.push_back(std::move(item));
    return true;
  }
  /// None: nothing is there. Throws EndOfChannel if nothing will be.
  std::optional<T> try_receive() {
    std::optional<T> item;
    if (!items_.empty()) {
      item.emplace(items_.pop_front());
    }
    if (auto* sender = static_cast<ItemSlot*>(hand_over(Side::send))) {
      if (item) items_.push_back(std::move(*sender->item));
      else item.emplace(std::move(*sender->item));
    }
    return item;
  }
  bool at_end() const noexcept { return open_count(Side::send) == 0; }
  std::size_t buffered() const noexcept { return items_.size(); }
  void discard() noexcept { items_.clear(); }

 private:
  RingBuffer<T> items_;
};

/// One open end of a channel.
template <class T, ChannelBase::Side side>
class ChannelEnd {
 public:
  explicit ChannelEnd(std::shared_ptr<ChannelCore<T>> core) : core_(std::move(core)) { core_->opened(side); }
  ChannelEnd(ChannelEnd&& other) noexcept : core_(std::move(other.core_)) {}
  ChannelEnd& operator=(ChannelEnd&& other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~ChannelEnd() { close(); }

  /// Gives this end up; when the last of its side goes, the other side learns of it. Again: nothing.
  void close() noexcept {
    const auto core = std::exchange(core_, nullptr);
    if (!core) return;
    if (side == ChannelBase::Side::receive && core->open_count(side) == 1) core->discard();
    core->closed(side);
  }
  ChannelStatistics statistics() const { return open_core().statistics(open_core().buffered()); }

 protected:
  ChannelCore<T>& open_core() const {
    if (!core_) throw ClosedResourceError();
    return *core_;
  }
  std::shared_ptr<ChannelCore<T>> core_;
};

}  // namespace detail

template <class T>
class MemorySendChannel : public detail::ChannelEnd<T, detail::ChannelBase::Side::send> {
  using Core = detail::ChannelCore<T>;
  using Side = detail::ChannelBase::Side;

 public:
  using detail::ChannelEnd<T, Side::send>::ChannelEnd;

  class [[nodiscard("co_await it")]] Send {
   public:
    Send(std::shared_ptr<Core> core, T item) : core_(std::move(core)) { slot_.item.emplace(std::move(item)); }
    bool await_ready() { return core_->try_send(*slot_.item); }
    void await_suspend(std::coroutine_handle<> where) {
      core_->enqueue(Side::send, slot_, where);
      waited_ = true;
    }
    void await_resume() {
      if (waited_ && !core_->finish_wait(slot_)) throw BrokenResourceError();
    }

   private:
    std::shared_ptr<Core> core_;
    typename Core::ItemSlot slot_;
    bool waited_ = false;
  };

  /// Waits for room, or with capacity 0 for a receiver. A cancelled send() sends nothing. Throws
  /// BrokenResourceError when every receiver is closed, ClosedResourceError after close().
  Send send(T item) const {
    this->open_core();
    return Send(this->core_, std::move(item));
  }
  /// Throws WouldBlock if there is no room.
  void send_nowait(T item) const {
    if (!this->open_core().try_send(item)) throw WouldBlock();
  }
  /// Another sender: the channel ends when the last of them is closed.
  MemorySendChannel clone() const {
    this->open_core();
    return MemorySendChannel(this->core_);
  }
};

template <class T>
class MemoryReceiveChannel : public detail::ChannelEnd<T, detail::ChannelBase::Side::receive> {
  using Core = detail::ChannelCore<T>;
  using Side = detail::ChannelBase::Side;

 public:
  using detail::ChannelEnd<T, Side::receive>::ChannelEnd;

  template <bool kThrows>
  class [[nodiscard("co_await it")]] Receive {
   public:
    explicit Receive(std::shared_ptr<Core> core) : core_(std::move(core)) {}
    bool await_ready() {
      slot_.item = core_->try_receive();
      return slot_.item || core_->at_end();
    }
    void await_suspend(std::coroutine_handle<> where) {
      core_->enqueue(Side::receive, slot_, where);
      waited_ = true;
    }
    auto await_resume() {
      if (waited_) core_->finish_wait(slot_);
      if constexpr (!kThrows) {
        return std::move(slot_.item);
      } else {
        if (!slot_.item) throw EndOfChannel();
        return T(std::move(*slot_.item));
      }
    }

   private:
    std::shared_ptr<Core> core_;
    typename Core::ItemSlot slot_;
    bool waited_ = false;
  };

  /// Waits for an item. A cancelled receive() loses none. Throws EndOfChannel when every sender is closed and
  /// nothing is left, ClosedResourceError after close().
  Receive<true> receive() const {
    this->open_core();
    return Receive<true>(this->core_);
  }
  /// The same for loops: `while (auto item = co_await channel.next())`; none at the end.
  Receive<false> next() const {
    this->open_core();
    return Receive<false>(this->core_);
  }
  /// Throws WouldBlock if there is nothing, EndOfChannel if there will be nothing.
  T receive_nowait() const {
    auto item = this->open_core().try_receive();
    if (item) return T(std::move(*item));
    if (this->open_core().at_end()) throw EndOfChannel();
    throw WouldBlock();
  }
  /// Another receiver: each item goes to one of them, in turn.
  MemoryReceiveChannel clone() const {
    this->open_core();
    return MemoryReceiveChannel(this->core_);
  }
};

template <class T>
struct MemoryChannel {
  MemorySendChannel<T> send;
  MemoryReceiveChannel<T> receive;
};

/// A channel between tasks of one loop, whose ends are owned: closing the last sender ends the receivers'
/// loops, so no sentinel is needed. `trio.open_memory_channel`.
///
///     auto [sender, receiver] = open_memory_channel<int>(10);
///
/// Holds up to `capacity` items; 0: a sender waits until a receiver takes its item.
template <class T>
MemoryChannel<T> open_memory_channel(std::size_t capacity) {
  auto core = std::make_shared<detail::ChannelCore<T>>(capacity);
  return {MemorySendChannel<T>(core), MemoryReceiveChannel<T>(core)};
}

}  // namespace eddy
