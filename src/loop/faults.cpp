// SPDX-License-Identifier: MIT
// A back end over another one that does what networks do and tests seldom see.
//
// It stands where drivers meet their sinks, so it is the same on every back end. A transfer is made short by lending
// less memory for it, never by hiding bytes that the kernel gave: a driver may conclude from a short transfer that the
// kernel has no more.
#include <eddy/exceptions.hpp>
#include <eddy/faults.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "loop/backend.hpp"

namespace eddy::detail {
namespace {

using testing::Faults;

constexpr std::size_t kShort = 16;

// splitmix64: https://prng.di.unimi.it/splitmix64.c
class Dice {
 public:
  explicit Dice(std::uint64_t seed) noexcept : state_(seed) {}

  bool falls(double share) noexcept { return share > 0 && static_cast<double>(next() >> 11) * 0x1p-53 < share; }
  std::size_t up_to(std::size_t most) noexcept { return 1 + next() % most; }

 private:
  std::uint64_t next() noexcept {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

// Something that goes on with the next turn. It leaves the list when it is destroyed.
class Delayed : public ListNode {
 public:
  Delayed() = default;
  Delayed(const Delayed&) = delete;
  Delayed& operator=(const Delayed&) = delete;
  virtual void go_on() noexcept = 0;

 protected:
  ~Delayed() {
    if (is_linked()) unlink();
  }
};

struct FaultState {
  explicit FaultState(const Faults& wanted) noexcept : faults(wanted), dice(wanted.seed) {}

  void delay(Delayed& what) noexcept {
    if (!what.is_linked()) delayed.push_back(what);
  }

  Faults faults;
  Dice dice;
  List delayed;
};

class FaultyStream final : public StreamDriver, private StreamSink, private Delayed {
 public:
  FaultyStream(FaultState& state, Backend& kernel, int fd, StreamSink& sink) : state_(state), sink_(&sink) {
    below_ = kernel.make_stream(fd, *this);
  }
  ~FaultyStream() override {
    if (died_) *died_ = true;
  }

  int fd() const noexcept override { return below_->fd(); }
  bool is_plain_socket() const noexcept override { return below_->is_plain_socket(); }
  void redirect(StreamSink& sink) noexcept override { sink_ = &sink; }
  bool is_open() const noexcept override { return below_->is_open(); }
  void closing() noexcept override { below_->closing(); }
  bool finish() noexcept override { return below_->finish(); }
  std::exception_ptr failure() const noexcept override { return below_->failure(); }
  bool is_quiet() const noexcept override { return below_->is_quiet(); }
  const TlsSession* tls() const noexcept override { return below_->tls(); }

  void read() override {
    if (end_ == End::reset) return sink_->read_failed(ECONNRESET);
    reading_ = true;
    if (breaks()) return;
    if (!std::exchange(may_read_, false) && happens(state_.faults.not_ready)) {
      read_delayed_ = true;
      return state_.delay(*this);
    }
    below_->read();
  }
  void stop_reading() noexcept override {
    reading_ = read_delayed_ = false;
    below_->stop_reading();
  }
  void flush() noexcept override {
    if (end_ == End::reset) return sink_->write_failed(ECONNRESET);
    below_->flush();
  }
  void shut_down_writing() noexcept override { below_->shut_down_writing(); }

 private:
  enum class End : std::uint8_t { open, resetting, reset };

  bool happens(double share) noexcept { return state_.dice.falls(share); }

  // What is lent of the sink's bytes: less than there are, or none yet.
  std::string_view disturbed(std::string_view bytes) noexcept {
    if (bytes.empty() || breaks()) return {};
    if (!std::exchange(may_write_, false) && happens(state_.faults.not_ready)) {
      write_delayed_ = true;
      state_.delay(*this);
      return {};
    }
    return happens(state_.faults.short_writes) ? bytes.substr(0, state_.dice.up_to(std::min(kShort, bytes.size()))) : bytes;
  }

  bool breaks() noexcept {
    if (end_ == End::open && is_plain_socket() && happens(state_.faults.resets)) {
      end_ = End::resetting;
      state_.delay(*this);
    }
    return end_ == End::resetting;
  }

  // --- as the sink of the driver below
  std::span<char> read_space() override {
    const auto space = sink_->read_space();
    if (!happens(state_.faults.short_reads)) return space;
    return space.first(state_.dice.up_to(std::min(kShort, space.size())));
  }
  void readable() noexcept override { sink_->readable(); }
  void received(std::size_t count) noexcept override {
    reading_ = false;
    sink_->received(count);
  }
  void ended() noexcept override {
    reading_ = false;
    sink_->ended();
  }
  void read_failed(int error_number) noexcept override {
    reading_ = false;
    sink_->read_failed(error_number);
  }

  std::string_view unsent() noexcept override { return disturbed(write_delayed_ ? std::string_view() : sink_->unsent()); }
  std::string_view sent(std::size_t count) noexcept override { return disturbed(sink_->sent(count)); }
  void write_failed(int error_number) noexcept override { sink_->write_failed(error_number); }
  void hung_up() noexcept override {
    if (!std::exchange(hung_up_, true)) sink_->hung_up();
  }
  void opened() noexcept override { sink_->opened(); }
  void finished() noexcept override { sink_->finished(); }

  void go_on() noexcept override {
    bool died = false;
    died_ = &died;
    if (end_ == End::resetting) reset();
    if (!died && std::exchange(write_delayed_, false)) {
      may_write_ = true;
      flush();
    }
    if (!died && std::exchange(read_delayed_, false)) {
      may_read_ = true;
      sink_->readable();
    }
    if (!died) died_ = nullptr;
  }

  // The peer hears it too, as soon as the descriptor is closed.
  void reset() noexcept {
    end_ = End::reset;
    const linger at_once{1, 0};
    ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    below_->stop_reading();
    bool* const died = died_;
    const bool read_waits = std::exchange(reading_, false);
    read_delayed_ = write_delayed_ = false;
    hung_up();
    if (*died) return;
    read_waits ? sink_->read_failed(ECONNRESET) : sink_->write_failed(ECONNRESET);
  }

  FaultState& state_;
  StreamSink* sink_;
  std::unique_ptr<StreamDriver> below_;
  bool* died_ = nullptr;  // set while go_on() runs: the sink may destroy us
  End end_ = End::open;
  bool reading_ = false;
  bool hung_up_ = false;
  bool read_delayed_ = false, write_delayed_ = false;
  bool may_read_ = false, may_write_ = false;  // it was delayed: not twice in a row, or some would never end
};

class FaultyListener final : public Listener, private AcceptSink, private Delayed {
 public:
  FaultyListener(FaultState& state, Backend& kernel, int fd, AcceptSink& sink) : state_(state), sink_(sink) {
    below_ = kernel.make_listener(fd, *this);
  }
  ~FaultyListener() override {
    if (died_) *died_ = true;
  }

  void pause() noexcept override {
    paused_ = true;
    below_->pause();
  }
  void resume() noexcept override {
    paused_ = false;
    below_->resume();
    if (!held_.empty()) state_.delay(*this);
  }

 private:
  void accepted(int fd) noexcept override {
    if (!state_.dice.falls(state_.faults.failed_accepts)) return sink_.accepted(fd);
    held_.emplace_back(fd);
    sink_.accept_failed(EMFILE);
  }
  void accept_failed(int error_number) noexcept override { sink_.accept_failed(error_number); }

  void go_on() noexcept override {
    bool died = false;
    died_ = &died;
    while (!died && !paused_ && !held_.empty()) {
      UniqueFd first = std::move(held_.front());
      held_.erase(held_.begin());
      sink_.accepted(first.release());
    }
    if (!died) died_ = nullptr;
  }

  FaultState& state_;
  AcceptSink& sink_;
  std::unique_ptr<Listener> below_;
  std::vector<UniqueFd> held_;  // connections whose accept has failed
  bool paused_ = false;
  bool* died_ = nullptr;
};

class FaultyBackend final : public Backend {
 public:
  FaultyBackend(std::unique_ptr<Backend> kernel, const Faults& faults) : kernel_(std::move(kernel)), state_(faults) {}

  std::string_view name() const noexcept override { return kernel_->name(); }
  bool is_simulated() const noexcept override { return kernel_->is_simulated(); }
  std::size_t watched() const noexcept override { return kernel_->watched(); }
  bool has_delayed() const noexcept override { return !state_.delayed.empty(); }
  std::int64_t now() const noexcept override { return kernel_->now(); }
  void run_begins() override { kernel_->run_begins(); }
  void settle() noexcept override { kernel_->settle(); }
  void wake() noexcept override { kernel_->wake(); }

  void poll(std::int64_t timeout) override {
    List now;
    now.splice_back(state_.delayed);
    kernel_->poll(now.empty() ? timeout : 0);
    while (!now.empty()) {
      auto& first = static_cast<Delayed&>(*now.front());
      first.unlink();
      first.go_on();
    }
  }

  void watch(IoWatch& watch) override { kernel_->watch(watch); }
  void update(IoWatch& watch) override { kernel_->update(watch); }
  void unwatch(IoWatch& watch) noexcept override { kernel_->unwatch(watch); }

  std::unique_ptr<StreamDriver> make_stream(int fd, StreamSink& sink) override {
    return std::make_unique<FaultyStream>(state_, *kernel_, fd, sink);
  }
  std::unique_ptr<Listener> make_listener(int fd, AcceptSink& sink) override {
    return std::make_unique<FaultyListener>(state_, *kernel_, fd, sink);
  }

  bool submit(FileRequest& request) override {
    const auto share = request.kind == FileRequest::Kind::read    ? state_.faults.short_reads
                       : request.kind == FileRequest::Kind::write ? state_.faults.short_writes
                                                                  : 0;
    if (request.size > 0 && state_.dice.falls(share)) request.size = state_.dice.up_to(std::min(kShort, request.size));
    return kernel_->submit(request);
  }

 private:
  std::unique_ptr<Backend> kernel_;
  FaultState state_;
};

void check(const char* name, double share) {
  if (share >= 0 && share <= 1) return;
  throw ValueError(fmt::format("faults: {} is {}: it is a share, from 0 to 1", name, share));
}

}  // namespace

std::unique_ptr<Backend> make_faulty_backend(std::unique_ptr<Backend> kernel, const Faults& faults) {
  check("short_reads", faults.short_reads);
  check("short_writes", faults.short_writes);
  check("not_ready", faults.not_ready);
  check("resets", faults.resets);
  check("failed_accepts", faults.failed_accepts);
  return std::make_unique<FaultyBackend>(std::move(kernel), faults);
}

}  // namespace eddy::detail
