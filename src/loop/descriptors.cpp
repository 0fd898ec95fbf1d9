// SPDX-License-Identifier: MIT
#include "loop/descriptors.hpp"

namespace eddy::detail {

DescriptorWatch::DescriptorWatch(Loop& owner, int descriptor) : loop_(owner) {
  fd = descriptor;
  on_events = [](IoWatch& watch, unsigned events) noexcept {
    static_cast<DescriptorWatch&>(watch).dispatch(events);
  };
}

DescriptorWatch::~DescriptorWatch() {
  for (auto* callback : callbacks_) {
    if (!callback) continue;
    callback->cancel();
    callback->release();
  }
  if (watched_) loop_.backend->unwatch(*this);
}

void DescriptorWatch::set(bool writes, CallbackCore* callback) {
  if (auto* old = std::exchange(callbacks_[writes], callback)) {
    old->cancel();
    old->release();
  }
  interest = (callbacks_[0] ? kReadable : 0u) | (callbacks_[1] ? kWritable : 0u);
  if (interest == 0) {
    if (std::exchange(watched_, false)) loop_.backend->unwatch(*this);
  } else if (watched_) {
    loop_.backend->update(*this);
  } else {
    loop_.backend->watch(*this);
    watched_ = true;
  }
}

void DescriptorWatch::dispatch(unsigned events) noexcept {
  // A hang-up or an error wakes both sides: either may be the one that finds out.
  const bool due[] = {(events & (kReadable | kHangup)) != 0, (events & (kWritable | kHangup)) != 0};
  for (int side : {0, 1}) {
    auto* callback = callbacks_[side];
    if (!callback || !due[side] || std::exchange(callback->queued, true)) continue;
    callback->retain();
    loop_.ready.push(*callback);
  }
}

}  // namespace eddy::detail
