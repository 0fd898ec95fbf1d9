// SPDX-License-Identifier: MIT
// How drivers in memory hand each other what was sent: through the ready queue, as a kernel's news would come from a poll.
#pragma once

#include <eddy/detail/frame_pool.hpp>
#include <eddy/detail/list.hpp>

namespace eddy::testing {

/// A delivery to its driver, once for however often it was scheduled; it outlives a driver that is closed meanwhile.
/// The driver makes it a friend and has `deliver()`.
template <class Driver>
class MemoryDelivery {
 public:
  explicit MemoryDelivery(Driver& driver) noexcept : driver_(driver) {}
  MemoryDelivery(const MemoryDelivery&) = delete;
  ~MemoryDelivery() {
    if (ticket_) ticket_->delivery = nullptr;
  }

  void schedule(detail::ReadyQueue& ready) noexcept {
    if (ticket_) return;
    ticket_ = new Ticket;
    ticket_->delivery = this;
    ticket_->run = &run;
    ready.push(*ticket_);
  }

 private:
  struct Ticket final : detail::ReadyNode, detail::Pooled {
    MemoryDelivery* delivery = nullptr;  // null: the driver is gone
  };

  static void run(detail::ReadyNode& node, detail::Dispatch how) noexcept {
    auto* ticket = static_cast<Ticket*>(&node);
    auto* self = ticket->delivery;
    delete ticket;
    if (!self) return;
    self->ticket_ = nullptr;
    if (how == detail::Dispatch::run) self->driver_.deliver();
  }

  Driver& driver_;
  Ticket* ticket_ = nullptr;
};

}  // namespace eddy::testing
