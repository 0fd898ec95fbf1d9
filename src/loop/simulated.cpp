// SPDX-License-Identifier: MIT
#include <eddy/exceptions.hpp>

#include <condition_variable>
#include <mutex>

#include "loop/backend.hpp"

namespace eddy::detail {
namespace {

[[noreturn]] void refuse() {
  throw RuntimeError("the simulated back end has no descriptors; use the memory streams of eddy/testing.hpp");
}

class SimulatedBackend final : public Backend {
 public:
  std::string_view name() const noexcept override { return "simulated"; }
  bool is_simulated() const noexcept override { return true; }
  std::int64_t now() const noexcept override { return now_; }

  // The loop asks to wait `timeout`: nothing can happen before, so that time passes at once. Without an end
  // it waits for another thread, in real time: a job of a thread pool.
  void poll(std::int64_t timeout) override {
    if (timeout >= 0) {
      now_ += timeout;
      return;
    }
    std::unique_lock lock(mutex_);
    woken_.wait(lock, [this] { return wakes_ > 0; });
    wakes_ = 0;
  }
  void wake() noexcept override {
    const std::lock_guard lock(mutex_);
    ++wakes_;
    woken_.notify_one();
  }

  void watch(IoWatch&) override { refuse(); }
  void update(IoWatch&) override { refuse(); }
  void unwatch(IoWatch&) noexcept override {}
  std::unique_ptr<StreamDriver> make_stream(int, StreamSink&) override { refuse(); }
  std::unique_ptr<Listener> make_listener(int, AcceptSink&) override { refuse(); }

 private:
  std::int64_t now_ = 0;
  std::mutex mutex_;
  std::condition_variable woken_;
  int wakes_ = 0;
};

}  // namespace

std::unique_ptr<Backend> make_simulated_backend() { return std::make_unique<SimulatedBackend>(); }

}  // namespace eddy::detail
