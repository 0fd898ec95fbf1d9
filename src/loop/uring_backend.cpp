// SPDX-License-Identifier: MIT
// The back end over io_uring: sockets by completion, everything else by readiness, one ring for both.
#include <eddy/exceptions.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/unique_fd.hpp"
#include "loop/uring_ring.hpp"

namespace eddy::detail {
namespace {

// Readiness through the ring. A watch of changes is one request for ever; a watch of states is asked for again
// after each event, and the kernel looks at the descriptor then.
class UringPoller final : public Poller {
 public:
  explicit UringPoller(UringRing& ring) noexcept : ring_(ring) {}

  std::string_view name() const noexcept override { return "io_uring"; }

  void add(IoWatch& watch) override {
    if (::fcntl(watch.fd, F_GETFD) < 0) throw_os_error(errno, fmt::format("watch descriptor {}", watch.fd));
    watch.request = make(watch);
    ++watched;
  }
  void update(IoWatch& watch) override {
    if (watch.edge) return;
    auto* request = static_cast<UringOperation*>(watch.request);
    if (request->is_idle()) return arm(*request, watch);
    if (request->events == events_of(watch)) return;
    watch.request = make(watch);
    ring_.abandon(request);
  }
  void remove(IoWatch& watch) noexcept override {
    ring_.abandon(static_cast<UringOperation*>(std::exchange(watch.request, nullptr)));
    ring_.let_go();
    --watched;
  }

  void wait(std::int64_t timeout) override { ring_.poll(timeout); }

 private:
  static unsigned events_of(const IoWatch& watch) noexcept {
    if (watch.edge) return POLLIN | POLLOUT | POLLRDHUP;
    return (watch.interest & kReadable ? POLLIN | POLLRDHUP : 0u) | (watch.interest & kWritable ? POLLOUT : 0u);
  }

  UringOperation* make(IoWatch& watch) {
    auto* request = new UringOperation(watch.edge ? UringOperation::Kind::poll_always : UringOperation::Kind::poll);
    request->fd = watch.fd;
    request->owner = &watch;
    request->context = this;
    request->completed = &told;
    arm(*request, watch);
    return request;
  }

  void arm(UringOperation& request, const IoWatch& watch) noexcept {
    request.events = events_of(watch);
    if (request.events != 0) ring_.start(request);
  }

  static void told(UringOperation& request, int result, std::uint32_t) noexcept {
    auto& watch = *static_cast<IoWatch*>(request.owner);
    auto& self = *static_cast<UringPoller*>(request.context);
    if (result != -ECANCELED) watch.on_events(watch, result < 0 ? kHangup : io_events(static_cast<unsigned>(result)));
    if (request.owner && request.is_idle()) self.arm(request, watch);
  }

  UringRing& ring_;
};

class UringListener final : public Listener, private UringCaller {
 public:
  UringListener(UringRing& ring, int descriptor, AcceptSink& sink)
      : ring_(ring), sink_(sink), accept_(new UringOperation(UringOperation::Kind::accept)) {
    accept_->fd = descriptor;
    accept_->owner = this;
    accept_->completed = [](UringOperation& operation, int result, std::uint32_t) noexcept {
      static_cast<UringListener*>(operation.owner)->accepted(operation, result);
    };
    ring_.start(*accept_);
    owner_ = UniqueFd(descriptor);
    ++ring_.descriptors;
  }
  ~UringListener() override {
    --ring_.descriptors;
    if (died_) *died_ = true;
    ring_.do_not_call(*this);
    ring_.abandon(accept_);
    ring_.let_go();
    for (int fd : parked_) ::close(fd);
  }

  void pause() noexcept override {
    if (std::exchange(paused_, true)) return;
    if (!accept_->is_idle()) ring_.cancel(*accept_);
  }
  void resume() noexcept override {
    if (!std::exchange(paused_, false)) return;
    if (!parked_.empty()) return ring_.call_soon(*this);
    if (accept_->is_idle()) ring_.start(*accept_);
  }

 private:
  void accepted(UringOperation& accept, int result) noexcept {
    if (result >= 0) take(result);
    else if (result != -ECANCELED && result != -EINTR && result != -EAGAIN && !is_of_one_connection(-result) && !paused_) {
      sink_.accept_failed(-result);
    }
    if (accept.owner && !paused_ && accept.is_idle()) ring_.start(accept);
  }

  // While it is paused the kernel may hand over some more, which it had accepted already.
  void take(int fd) noexcept {
    if (!paused_) return sink_.accepted(fd);
    try {
      parked_.push_back(fd);
    } catch (...) {
      ::close(fd);
    }
  }

  void call() noexcept override {
    bool died = false;
    died_ = &died;
    while (!died && !paused_ && !parked_.empty()) {
      const int fd = parked_.front();
      parked_.erase(parked_.begin());
      sink_.accepted(fd);
    }
    if (died) return;
    died_ = nullptr;
    if (!paused_ && accept_->is_idle()) ring_.start(*accept_);
  }

  UringRing& ring_;
  AcceptSink& sink_;
  UniqueFd owner_;
  UringOperation* accept_;
  std::vector<int> parked_;  // accepted while paused
  bool paused_ = false;
  bool* died_ = nullptr;  // set while call() runs: the sink may destroy us
};

class UringBackend final : public Backend {
 public:
  explicit UringBackend(const UringFeatures& features)
      : ring_(features), poller_(ring_), wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!wake_fd_) throw_os_error(errno, "eventfd");
    wake_.fd = wake_fd_.get();
    wake_.edge = true;  // each write is told of: nobody has to read the count back
    wake_.on_events = [](IoWatch&, unsigned) noexcept {};
    poller_.add(wake_);
  }
  ~UringBackend() override { poller_.remove(wake_); }

  std::string_view name() const noexcept override { return "io_uring"; }
  std::size_t watched() const noexcept override { return poller_.watched - 1 + ring_.descriptors; }
  std::int64_t now() const noexcept override { return monotonic_now(); }
  void run_begins() override { ring_.enter_thread(); }
  void settle() noexcept override { ring_.settle(); }
  void poll(std::int64_t timeout) override { ring_.poll(timeout); }
  void wake() noexcept override { ::eventfd_write(wake_fd_.get(), 1); }

  void watch(IoWatch& watch) override { poller_.add(watch); }
  void update(IoWatch& watch) override { poller_.update(watch); }
  void unwatch(IoWatch& watch) noexcept override { poller_.remove(watch); }

  // Multishot receive is for TCP. Of a Unix socket it loses the end of the stream that comes together with the last
  // bytes (Linux 6.18): the kernel waits for another event, and there is none.
  std::unique_ptr<StreamDriver> make_stream(int fd, StreamSink& sink) override {
    int family = AF_UNSPEC;
    socklen_t size = sizeof family;
    const bool is_socket = ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0;
    if (is_socket && family != AF_UNIX) return make_uring_stream(ring_, fd, sink);
    return make_readiness_stream(poller_, fd, sink);
  }
  std::unique_ptr<Listener> make_listener(int fd, AcceptSink& sink) override {
    return std::make_unique<UringListener>(ring_, fd, sink);
  }

  bool submit(FileRequest& request) override {
    auto* operation = new UringOperation(UringOperation::Kind::file);
    operation->owner = &request;
    operation->completed = [](UringOperation& file, int result, std::uint32_t) noexcept {
      auto& done = *static_cast<FileRequest*>(std::exchange(file.owner, nullptr));
      done.done(done, result);
    };
    ring_.start(*operation);
    return true;
  }

 private:
  UringRing ring_;
  UringPoller poller_;
  UniqueFd wake_fd_;
  IoWatch wake_;
};

}  // namespace

std::unique_ptr<Backend> make_uring_backend(const UringFeatures& features) { return std::make_unique<UringBackend>(features); }

}  // namespace eddy::detail
