// SPDX-License-Identifier: MIT
// add_reader and add_writer: one registration a descriptor, a callback a direction.
#pragma once

#include <eddy/detail/callback.hpp>

#include "loop/loop.hpp"

namespace eddy::detail {

struct DescriptorWatch final : IoWatch {
  DescriptorWatch(Loop& owner, int descriptor);
  ~DescriptorWatch();

  /// Takes the callback over; null removes. Throws OSError if the descriptor cannot be polled.
  void set(bool writes, CallbackCore* callback);
  bool has(bool writes) const noexcept { return callbacks_[writes] != nullptr; }

 private:
  void dispatch(unsigned events) noexcept;

  Loop& loop_;
  CallbackCore* callbacks_[2] = {};  // reader, writer
  bool watched_ = false;
};

}  // namespace eddy::detail
