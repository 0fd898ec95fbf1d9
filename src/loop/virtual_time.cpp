// SPDX-License-Identifier: MIT
#include "loop/backend.hpp"

#include <eddy/detail/list.hpp>

#include <algorithm>

#include "loop/timers.hpp"

namespace eddy::detail {
namespace {

// A back end that waits for the kernel, under a clock that jumps to the next timer whenever the kernel has
// nothing to tell.
class VirtualTimeBackend final : public Backend {
 public:
  VirtualTimeBackend(std::unique_ptr<Backend> kernel, const ReadyQueue& ready, const TimerQueue& timers) noexcept
      : kernel_(std::move(kernel)), ready_(ready), timers_(timers) {}

  std::string_view name() const noexcept override { return kernel_->name(); }
  bool is_simulated() const noexcept override { return true; }
  std::int64_t now() const noexcept override { return now_; }

  void poll(std::int64_t timeout) override {
    kernel_->poll(timeout < 0 ? timeout : 0);
    if (timeout <= 0 || !ready_.empty()) return;
    kernel_->poll(0);  // what the first one asked the kernel for may have had consequences
    if (!ready_.empty() || kernel_->has_delayed()) return;
    // An event may have armed a timer that comes earlier.
    now_ = std::max(now_, std::min(now_ + timeout, timers_.next_wakeup()));
  }
  void wake() noexcept override { kernel_->wake(); }
  void run_begins() override { kernel_->run_begins(); }
  void settle() noexcept override { kernel_->settle(); }
  std::size_t watched() const noexcept override { return kernel_->watched(); }

  void watch(IoWatch& watch) override { kernel_->watch(watch); }
  void update(IoWatch& watch) override { kernel_->update(watch); }
  void unwatch(IoWatch& watch) noexcept override { kernel_->unwatch(watch); }
  std::unique_ptr<StreamDriver> make_stream(int fd, StreamSink& sink) override { return kernel_->make_stream(fd, sink); }
  std::unique_ptr<Listener> make_listener(int fd, AcceptSink& sink) override { return kernel_->make_listener(fd, sink); }

  bool submit(FileRequest& request) override { return kernel_->submit(request); }

 private:
  std::unique_ptr<Backend> kernel_;
  const ReadyQueue& ready_;
  const TimerQueue& timers_;
  std::int64_t now_ = 0;
};

}  // namespace

std::unique_ptr<Backend> make_virtual_time_backend(std::unique_ptr<Backend> kernel, const ReadyQueue& ready,
                                                   const TimerQueue& timers) {
  return std::make_unique<VirtualTimeBackend>(std::move(kernel), ready, timers);
}

}  // namespace eddy::detail
