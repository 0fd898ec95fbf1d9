// SPDX-License-Identifier: MIT
// The back end over a Poller: transfers when the kernel says that a transfer can succeed.
//
// A stream is registered once. What the poller last said is kept as a hint for each direction: a read is
// tried only while the hint stands, and a transfer shorter than the room clears it, so no system call is
// spent on hearing EAGAIN. Reading until EAGAIN would cost one more call a message.
//
// Nothing is read while events are told: the sink hears that it may, and reads when its reader runs. Of many
// connections that are ready at once, one after the other then uses the memory that is warm.
#include <eddy/exceptions.hpp>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <ctime>

#include "base/quiet_pipe.hpp"
#include "base/unique_fd.hpp"
#include "loop/backend.hpp"

namespace eddy::detail {
namespace {

class ReadinessStream final : public StreamDriver, private IoWatch {
 public:
  ReadinessStream(Poller& poller, int descriptor, StreamSink& sink)
      : poller_(poller), sink_(&sink), tells_edges_(poller.tells_edges()) {
    IoWatch::fd = descriptor;
    edge = true;
    interest = kHangup;
    on_events = [](IoWatch& watch, unsigned events) noexcept {
      static_cast<ReadinessStream&>(watch).dispatch(events);
    };
    poller_.add(*this);  // if it throws, the caller keeps the descriptor
  }
  ~ReadinessStream() override {
    poller_.remove(*this);
    ::close(fd());
    if (died_) *died_ = true;
  }

  int fd() const noexcept override { return IoWatch::fd; }
  bool is_plain_socket() const noexcept override {
    struct stat status{};
    return ::fstat(fd(), &status) == 0 && S_ISSOCK(status.st_mode);
  }
  void redirect(StreamSink& sink) noexcept override { sink_ = &sink; }

  void read() override {
    reading_ = true;
    if (may_read_) return receive();
    want();
  }
  void stop_reading() noexcept override {
    reading_ = false;
    want();
  }

  void shut_down_writing() noexcept override {
    ::shutdown(fd(), SHUT_WR);  // of a pipe: ENOTSOCK
  }

  void flush() noexcept override {
    auto bytes = sink_->unsent();
    for (;;) {
      writing_ = !bytes.empty();
      if (!writing_ || !may_write_) return want();
      const auto sent = send(bytes);
      if (sent >= 0) {
        if (static_cast<std::size_t>(sent) < bytes.size()) may_write_ = false;
        bytes = sink_->sent(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN) {
        may_write_ = false;
      } else if (const int failure = errno; failure != EINTR) {
        writing_ = false;
        want();
        return sink_->write_failed(failure);
      }
    }
  }

 private:
  ssize_t send(std::string_view bytes) noexcept {
    if (is_socket_) {
      const auto sent = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0 || !is_no_socket()) return sent;
    }
    const QuietPipe quiet;
    return ::write(fd(), bytes.data(), bytes.size());
  }
  // Whether the last call failed because it is for sockets alone: it is the first one then.
  bool is_no_socket() noexcept {
    if (errno != ENOTSOCK) return false;
    is_socket_ = false;
    return true;
  }

  void receive() {
    const auto space = sink_->read_space();
    ssize_t count = 0;
    do {
      count = is_socket_ ? ::recv(fd(), space.data(), space.size(), 0) : ::read(fd(), space.data(), space.size());
    } while (count < 0 && (errno == EINTR || is_no_socket()));
    if (count < 0 && errno == EAGAIN) {
      may_read_ = false;
      return want();
    }
    reading_ = false;
    // A full transfer may have left something; a hang-up may follow without another event.
    if (count > 0 && static_cast<std::size_t>(count) < space.size() && !hung_up_) may_read_ = false;
    const int failure = errno;
    want();
    if (count > 0) sink_->received(static_cast<std::size_t>(count));
    else if (count == 0) sink_->ended();
    else sink_->read_failed(failure);
  }

  void dispatch(unsigned events) noexcept {
    if (events & (kReadable | kHangup)) may_read_ = true;
    if (events & (kWritable | kHangup)) may_write_ = true;
    if (writing_ || (events & kHangup)) [[unlikely]] return dispatch_all(events);
    want();
    if (reading_ && may_read_) sink_->readable();
  }
  void dispatch_all(unsigned events) noexcept {
    bool died = false;
    died_ = &died;
    if ((events & kHangup) && !hung_up_) {
      hung_up_ = true;
      sink_->hung_up();
    }
    if (!died) want();
    if (!died && reading_ && may_read_) sink_->readable();
    if (!died && writing_ && may_write_) flush();
    if (!died) died_ = nullptr;
  }

  // For pollers that tell states: ask only for what is waited for, or they would tell it without end.
  void want() noexcept {
    if (tells_edges_) return;
    const unsigned wanted = (reading_ && !may_read_ ? kReadable : 0u) | (writing_ && !may_write_ ? kWritable : 0u) |
                            (!hung_up_ && !may_read_ ? kHangup : 0u);
    if (wanted == interest) return;
    interest = wanted;
    poller_.update(*this);
  }

  Poller& poller_;
  StreamSink* sink_;
  bool* died_ = nullptr;  // set while dispatch_all() runs: the sink may destroy us
  const bool tells_edges_;
  bool is_socket_ = true;  // until a call says otherwise: most are, and asking costs a call
  bool may_read_ = false;  // hints: nothing is known until the poller has spoken
  bool may_write_ = true;
  bool reading_ = false;
  bool writing_ = false;
  bool hung_up_ = false;
};

class ReadinessListener final : public Listener, private IoWatch {
 public:
  ReadinessListener(Poller& poller, int descriptor, AcceptSink& sink) : poller_(poller), sink_(sink), owner_(descriptor) {
    IoWatch::fd = descriptor;
    interest = kReadable;
    on_events = [](IoWatch& watch, unsigned) noexcept { static_cast<ReadinessListener&>(watch).accept(); };
    try {
      poller_.add(*this);
    } catch (...) {
      owner_.release();
      throw;
    }
  }
  ~ReadinessListener() override {
    poller_.remove(*this);
    if (died_) *died_ = true;
  }

  void pause() noexcept override { set_interest(0); }
  void resume() noexcept override { set_interest(kReadable); }

 private:
  static constexpr int kBatch = 64;  // connections taken before others get a turn

  void set_interest(unsigned wanted) noexcept {
    if (interest == wanted) return;
    interest = wanted;
    poller_.update(*this);
  }

  void accept() noexcept {
    bool died = false;
    died_ = &died;
    for (int i = 0; i < kBatch && !died && interest; ++i) {
      const int connection = ::accept4(owner_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (connection >= 0) {
        sink_.accepted(connection);
        continue;
      }
      if (errno == EAGAIN) break;
      if (errno == EINTR || is_of_one_connection(errno)) continue;
      sink_.accept_failed(errno);
      break;
    }
    if (!died) died_ = nullptr;
  }

  Poller& poller_;
  AcceptSink& sink_;
  UniqueFd owner_;
  bool* died_ = nullptr;
};

class ReadinessBackend final : public Backend {
 public:
  explicit ReadinessBackend(std::unique_ptr<Poller> poller)
      : poller_(std::move(poller)), wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!wake_fd_) throw_os_error(errno, "eventfd");
    wake_.fd = wake_fd_.get();
    wake_.interest = kReadable;
    wake_.on_events = [](IoWatch& watch, unsigned) noexcept {
      eventfd_t count = 0;
      ::eventfd_read(watch.fd, &count);
    };
    // An edge-triggered poller tells of each write: nobody has to read the count back.
    if (poller_->name() == "epoll") {
      wake_.edge = true;
      wake_.on_events = [](IoWatch&, unsigned) noexcept {};
    }
    poller_->add(wake_);
  }
  ~ReadinessBackend() override { poller_->remove(wake_); }

  std::string_view name() const noexcept override { return poller_->name(); }
  std::size_t watched() const noexcept override { return poller_->watched - 1; }
  std::int64_t now() const noexcept override { return monotonic_now(); }
  void poll(std::int64_t timeout) override { poller_->wait(timeout); }
  void wake() noexcept override { ::eventfd_write(wake_fd_.get(), 1); }

  void watch(IoWatch& watch) override { poller_->add(watch); }
  void update(IoWatch& watch) override { poller_->update(watch); }
  void unwatch(IoWatch& watch) noexcept override { poller_->remove(watch); }

  std::unique_ptr<StreamDriver> make_stream(int fd, StreamSink& sink) override {
    return make_readiness_stream(*poller_, fd, sink);
  }
  std::unique_ptr<Listener> make_listener(int fd, AcceptSink& sink) override {
    return std::make_unique<ReadinessListener>(*poller_, fd, sink);
  }

 private:
  std::unique_ptr<Poller> poller_;
  UniqueFd wake_fd_;
  IoWatch wake_;
};

}  // namespace

std::int64_t monotonic_now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

bool is_of_one_connection(int error_number) noexcept {
  switch (error_number) {
    case ECONNABORTED:
    case EPERM:  // a firewall
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH: return true;
    default: return false;
  }
}

std::unique_ptr<StreamDriver> make_readiness_stream(Poller& poller, int fd, StreamSink& sink) {
  return std::make_unique<ReadinessStream>(poller, fd, sink);
}

std::unique_ptr<Backend> make_readiness_backend(std::unique_ptr<Poller> poller) {
  return std::make_unique<ReadinessBackend>(std::move(poller));
}

}  // namespace eddy::detail
