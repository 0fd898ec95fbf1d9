// SPDX-License-Identifier: MIT
// How a transport calls its protocol: from the ready queue, in the transport's context, and never unguarded.
#pragma once

#include <eddy/detail/context.hpp>
#include <eddy/detail/list.hpp>
#include <fmt/format.h>

#include <exception>
#include <utility>

#include "loop/loop.hpp"

namespace eddy::detail {

/// What transports of every kind share. `Core` derives from it, makes it a friend, and has retain(), release(), loop_,
/// context_ and fail(message, error).
template <class Core>
class ProtocolCalls {
 protected:
  // A place in the ready queue. The transport is retained while it is in it.
  struct Node : ReadyNode {
    Core* core = nullptr;
    bool queued = false;
  };
  ~ProtocolCalls() = default;

  template <void (Core::*step)() noexcept>
  void prepare(Node& node) noexcept {
    node.core = &core();
    node.run = [](ReadyNode& ready, Dispatch how) noexcept {
      auto& self = static_cast<Node&>(ready);
      auto& owner = *self.core;
      self.queued = false;
      if (how == Dispatch::run) (owner.*step)();
      owner.release();
    };
  }

  void push(Node& node) noexcept {
    if (std::exchange(node.queued, true)) return;
    core().retain();
    core().loop_.ready.push(node);
  }

  // Calls the protocol. False: it threw, and the transport is being aborted for it.
  template <class F>
  bool call(const char* method, F function) noexcept {
    try {
      const ContextEntry entry(core().context_);
      function();
      return true;
    } catch (...) {
      core().fail(fmt::format("Fatal error: protocol.{}() call failed.", method), std::current_exception());
      return false;
    }
  }

 private:
  Core& core() noexcept { return static_cast<Core&>(*this); }
};

}  // namespace eddy::detail
