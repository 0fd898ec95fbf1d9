// SPDX-License-Identifier: MIT
#include <eddy/twisted/protocols.hpp>

#include <algorithm>

namespace eddy::twisted {

// Resetting only notes the new time: the timer looks at it when it comes, so a busy connection arms no timers.
void TimeoutMixin::set_timeout(Duration limit) {
  timer_.cancel();
  limit_ = limit;
  if (limit_.count() <= 0) return;
  reset_timeout();
  arm(limit_);
}

void TimeoutMixin::reset_timeout() { due_ = get_running_loop().time() + std::chrono::nanoseconds(limit_); }

void TimeoutMixin::arm(Duration length) {
  timer_ = get_running_loop().call_later(length, [this] {
    const auto left = due_ - get_running_loop().time();
    if (left.count() > 0) arm(left);
    else timeout_connection();
  });
}

namespace {

// Stands before another protocol and passes everything on: policies.ProtocolWrapper.
class Wrapper : public Protocol {
 public:
  explicit Wrapper(std::unique_ptr<Protocol> wrapped) : wrapped_(std::move(wrapped)) {}
  void connection_made() override { wrapped_->make_connection(*transport()); }
  void data_received(std::string_view data) override { wrapped_->data_received(data); }
  void connection_lost(const Failure& reason) override { wrapped_->connection_lost(reason); }

 private:
  std::unique_ptr<Protocol> wrapped_;
};

class TimedWrapper final : public Wrapper, public TimeoutMixin {
 public:
  TimedWrapper(std::unique_ptr<Protocol> wrapped, Duration limit) : Wrapper(std::move(wrapped)), limit_(limit) {}
  void connection_made() override {
    set_timeout(limit_);
    Wrapper::connection_made();
  }
  void data_received(std::string_view data) override {
    reset_timeout();
    Wrapper::data_received(data);
  }
  void connection_lost(const Failure& reason) override {
    set_timeout(Duration());
    Wrapper::connection_lost(reason);
  }
  void timeout_connection() override { lose_connection(); }

 private:
  Duration limit_;
};

class CountedWrapper final : public Wrapper {
 public:
  CountedWrapper(std::unique_ptr<Protocol> wrapped, std::shared_ptr<std::size_t> count)
      : Wrapper(std::move(wrapped)), count_(std::move(count)) {
    ++*count_;
  }
  ~CountedWrapper() override { leave(); }
  void connection_lost(const Failure& reason) override {
    leave();
    Wrapper::connection_lost(reason);
  }

 private:
  void leave() noexcept {
    if (count_) --*count_;
    count_.reset();
  }
  std::shared_ptr<std::size_t> count_;
};

// Builds another factory's protocols and wraps them: policies.WrappingFactory.
class WrappingFactory : public Factory {
 public:
  explicit WrappingFactory(std::shared_ptr<Factory> wrapped) : wrapped_(std::move(wrapped)) {}
  void start_factory() override { wrapped_->do_start(); }
  void stop_factory() override { wrapped_->do_stop(); }
  std::unique_ptr<Protocol> build_protocol(const Address& peer) override {
    auto protocol = wrapped_->build_protocol(peer);
    if (!protocol) return nullptr;
    if (!protocol->factory()) protocol->set_factory(wrapped_.get());
    return wrap(std::move(protocol));
  }

 protected:
  virtual std::unique_ptr<Protocol> wrap(std::unique_ptr<Protocol> protocol) = 0;

 private:
  std::shared_ptr<Factory> wrapped_;
};

class TimedFactory final : public WrappingFactory {
 public:
  TimedFactory(std::shared_ptr<Factory> wrapped, Duration limit) : WrappingFactory(std::move(wrapped)), limit_(limit) {}

 private:
  std::unique_ptr<Protocol> wrap(std::unique_ptr<Protocol> protocol) override {
    return std::make_unique<TimedWrapper>(std::move(protocol), limit_);
  }
  Duration limit_;
};

class LimitedFactory final : public WrappingFactory {
 public:
  LimitedFactory(std::shared_ptr<Factory> wrapped, std::size_t most) : WrappingFactory(std::move(wrapped)), most_(most) {}
  std::unique_ptr<Protocol> build_protocol(const Address& peer) override {
    return *count_ < most_ ? WrappingFactory::build_protocol(peer) : nullptr;
  }

 private:
  std::unique_ptr<Protocol> wrap(std::unique_ptr<Protocol> protocol) override {
    return std::make_unique<CountedWrapper>(std::move(protocol), count_);
  }
  std::size_t most_;
  std::shared_ptr<std::size_t> count_ = std::make_shared<std::size_t>(0);
};

}  // namespace

std::shared_ptr<Factory> timeout_factory(std::shared_ptr<Factory> wrapped, Duration limit) {
  return std::make_shared<TimedFactory>(std::move(wrapped), limit);
}
std::shared_ptr<Factory> limit_connections(std::shared_ptr<Factory> wrapped, std::size_t most) {
  return std::make_shared<LimitedFactory>(std::move(wrapped), most);
}

}  // namespace eddy::twisted
