// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/detail/list.hpp>

namespace eddy::detail {

/// Told of each ready node, when somebody wants to know: the sweeps of eddy/testing.hpp.
struct LoopInstruments {
  virtual void before(ReadyNode& node) noexcept = 0;
  virtual void after(ReadyNode& node) noexcept = 0;  // the node may be gone: compare the address alone

 protected:
  ~LoopInstruments() = default;
};

}  // namespace eddy::detail
