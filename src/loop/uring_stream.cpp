// SPDX-License-Identifier: MIT
// A socket's bytes through io_uring.
//
// One multishot receive stays with the kernel from the beginning, so the end of the stream is heard of also while
// nobody reads. What came stays in the ring's buffers until the sink's reader runs and takes it, which is one
// copy; when the ring runs short of buffers, or this stream has many pieces, they are copied out. Past kUnread
// bytes that nobody reads the receive is cancelled: the peer feels the back-pressure.
//
// Of large messages that copy is dear, and those of many connections at once leave no cache warm. So a stream of
// them goes over to a poll that stays with the kernel, and reads straight into the sink's memory; small ones bring
// it back:
//
//     received (the kernel puts the bytes into the ring) --kLarge bytes twice--> polled (we read)
//                        ^                                                          |
//                        '------------------kSmall bytes or less, 16 times----------'
//
// A Unix socket is polled always: Linux 6.18 forgets the end of its stream where that has come together with the bytes before
// it. (The receive looks how much is left, hears 0, and waits for a wake-up that has been.)
//
// A write is sent at once: to leave it for the next enter, together with others, was measured to gain nothing.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/unique_fd.hpp"
#include "loop/uring_ring.hpp"

namespace eddy::detail {
namespace {

constexpr std::size_t kUnread = 256 * 1024;
constexpr int kPieces = 6;
constexpr std::size_t kLarge = 8 * 1024;
constexpr std::size_t kSmall = 2 * 1024;
constexpr int kLargeToPoll = 2;
constexpr int kSmallToReceive = 16;

class UringStream final : public StreamDriver, private BufferHolder {
 public:
  UringStream(UringRing& ring, int descriptor, StreamSink& sink)
      : ring_(ring), sink_(&sink), receive_(new UringOperation(UringOperation::Kind::receive)) {
    receive_->fd = descriptor;
    receive_->owner = this;
    receive_->completed = [](UringOperation& operation, int result, std::uint32_t flags) noexcept {
      static_cast<UringStream*>(operation.owner)->received(result, flags);
    };
    if (is_unix(descriptor)) {
      owner_ = UniqueFd(descriptor);
      always_polled_ = polled_ = true;
      poll_more();
    } else {
      ring_.start(*receive_);
      owner_ = UniqueFd(descriptor);  // until here the caller keeps it
    }
    ++ring_.descriptors;
  }
  ~UringStream() override {
    --ring_.descriptors;
    if (died_) *died_ = true;
    give_pieces_back();
    ring_.abandon(receive_);
    ring_.abandon(poll_);
    ring_.abandon(room_);
    ring_.abandon(hangup_);
    ring_.let_go();
  }

  int fd() const noexcept override { return owner_.get(); }
  bool is_plain_socket() const noexcept override { return true; }
  void redirect(StreamSink& sink) noexcept override { sink_ = &sink; }

  void read() override {
    reading_ = true;
    if (unread_ > 0) return give();
    if (ended_) {
      reading_ = false;
      return sink_->ended();
    }
    if (error_) {
      reading_ = false;
      return sink_->read_failed(error_);
    }
    if (!polled_) return receive_more();
    if (may_read_) read_now();
  }
  void stop_reading() noexcept override { reading_ = false; }

  void shut_down_writing() noexcept override { ::shutdown(fd(), SHUT_WR); }

  void flush() noexcept override {
    if (waits_for_room_) return;
    for (auto bytes = sink_->unsent(); !bytes.empty();) {
      const auto sent = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0) {
        if (errno == EINTR) continue;
        return sending_failed(errno);
      }
      if (static_cast<std::size_t>(sent) < bytes.size()) wait_for_room();
      bytes = sink_->sent(static_cast<std::size_t>(sent));
      if (waits_for_room_) return;
    }
  }

 private:
  static bool is_unix(int descriptor) noexcept {
    int family = AF_UNSPEC;
    socklen_t size = sizeof family;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == AF_UNIX;
  }

  // --- reading
  void received(int result, std::uint32_t flags) noexcept {
    bool died = false;
    died_ = &died;
    if (flags & IORING_CQE_F_BUFFER) keep(ring_.buffers().take(flags, static_cast<std::uint32_t>(std::max(result, 0))));
    if (result == -ENOBUFS) ring_.free_buffers();
    if (result == 0) ended_ = true;
    else if (result < 0 && !goes_on(-result)) error_ = -result;
    if (ended_ || error_) {
      tell_hangup();
      if (died) return;
    }
    if (reading_ && (unread_ > 0 || ended_ || error_)) {
      sink_->readable();
      if (died) return;
    }
    died_ = nullptr;
    large_ = result >= static_cast<int>(kLarge) ? large_ + 1 : 0;
    if (large_ >= kLargeToPoll && !polled_) {
      polled_ = true;
      small_ = 0;
      ring_.cancel(*receive_);
    }
    if (unread_ >= kUnread) pause();
    else if (!(flags & IORING_CQE_F_MORE)) receive_more();
  }

  static bool goes_on(int error_number) noexcept {
    return error_number == ENOBUFS || error_number == ECANCELED || error_number == EINTR || error_number == EAGAIN;
  }

  void receive_more() noexcept {
    if (ended_ || error_ || !receive_->is_idle() || unread_ >= kUnread) return;
    if (polled_) poll_more();
    else ring_.start(*receive_);
  }

  // Only once the receive is over: what it brings comes before what we read.
  void poll_more() noexcept {
    watch(poll_, UringOperation::Kind::poll_always, POLLIN | POLLRDHUP,
          [](UringOperation& operation, int result, std::uint32_t) noexcept {
            static_cast<UringStream*>(operation.owner)->polled(result);
          });
  }

  void polled(int result) noexcept {
    if (result == -ECANCELED) return poll_more();
    may_read_ = true;
    bool died = false;
    died_ = &died;
    if (result < 0 || (result & (POLLRDHUP | POLLHUP | POLLERR))) tell_hangup();
    if (died) return;
    if (reading_) sink_->readable();
    if (died) return;
    died_ = nullptr;
    if (poll_ && poll_->is_idle() && result >= 0 && !hung_up_) poll_more();
  }

  // As ReadinessStream does it: a transfer that did not fill the room leaves nothing behind.
  void read_now() {
    const auto space = sink_->read_space();
    const auto count = ::recv(fd(), space.data(), space.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
      if (errno == EINTR) return read_now();
      may_read_ = false;
      return receive_more();
    }
    if (count > 0 && static_cast<std::size_t>(count) < space.size() && !hung_up_) may_read_ = false;
    reading_ = false;
    if (count > 0) {
      small_ = static_cast<std::size_t>(count) <= kSmall ? small_ + 1 : 0;
      if (small_ >= kSmallToReceive && !hung_up_ && !always_polled_) receive_again();
      return sink_->received(static_cast<std::size_t>(count));
    }
    if (count == 0) {
      ended_ = true;
      return sink_->ended();
    }
    error_ = errno;
    sink_->read_failed(error_);
  }

  void receive_again() noexcept {
    ring_.abandon(std::exchange(poll_, nullptr));
    polled_ = may_read_ = false;
    large_ = 0;
    receive_more();
  }

  // Enough is here that nobody reads. What the kernel has received meanwhile still comes.
  void pause() noexcept {
    if (!receive_->is_idle() && !polled_) ring_.cancel(*receive_);
    if (!ended_ && !error_) listen_for_hangup();
  }

  void keep(BufferPiece piece) noexcept {
    if (piece.size == 0) return ring_.buffers().give_back(piece);
    unread_ += piece.size;
    if (pieces_ == kPieces) spill();
    piece_[pieces_++] = piece;
    ring_.holds_buffers(*this, true);
  }

  void give_pieces_back() noexcept {
    for (int i = 0; i < pieces_; ++i) ring_.buffers().give_back(piece_[i]);
    pieces_ = 0;
    ring_.holds_buffers(*this, false);
  }

  void spill() noexcept override {
    for (int i = 0; i < pieces_; ++i) spilled_.append(ring_.buffers().data(piece_[i]), piece_[i].size);
    give_pieces_back();
  }

  void give() {
    const auto space = sink_->read_space();
    std::size_t count = std::min(space.size(), spilled_.size() - taken_);
    if (count > 0) {
      std::memcpy(space.data(), spilled_.data() + taken_, count);
      taken_ += count;
      if (taken_ == spilled_.size()) spilled_ = {}, taken_ = 0;
    }
    int used = 0;
    while (used < pieces_ && count < space.size()) {
      auto& piece = piece_[used];
      const auto size = std::min<std::size_t>(piece.size, space.size() - count);
      std::memcpy(space.data() + count, ring_.buffers().data(piece), size);
      count += size;
      if (size < piece.size) {
        piece.at += static_cast<std::uint32_t>(size);
        piece.size -= static_cast<std::uint32_t>(size);
        break;
      }
      ring_.buffers().give_back(piece);
      ++used;
    }
    std::copy(piece_ + used, piece_ + pieces_, piece_);
    pieces_ -= used;
    if (pieces_ == 0) ring_.holds_buffers(*this, false);
    unread_ -= count;
    reading_ = false;
    receive_more();
    sink_->received(count);
  }

  // --- writing
  void sending_failed(int error_number) noexcept {
    if (error_number == EAGAIN || error_number == EINTR) return wait_for_room();
    sink_->write_failed(error_number);
  }

  void wait_for_room() noexcept {
    waits_for_room_ = true;
    watch(room_, UringOperation::Kind::poll, POLLOUT, [](UringOperation& operation, int, std::uint32_t) noexcept {
      auto& self = *static_cast<UringStream*>(operation.owner);
      self.waits_for_room_ = false;
      self.flush();
    });
  }

  // --- the end
  void listen_for_hangup() noexcept {
    if (hung_up_) return;
    watch(hangup_, UringOperation::Kind::poll, POLLRDHUP, [](UringOperation& operation, int result, std::uint32_t) noexcept {
      auto& self = *static_cast<UringStream*>(operation.owner);
      if (result == -ECANCELED) self.listen_for_hangup();  // the thread that ran the loop has ended
      else self.tell_hangup();
    });
  }
  void tell_hangup() noexcept {
    if (!std::exchange(hung_up_, true)) sink_->hung_up();
  }

  void watch(UringOperation*& operation, UringOperation::Kind kind, unsigned events,
             void (*completed)(UringOperation&, int, std::uint32_t) noexcept) noexcept {
    if (!operation) {
      operation = new UringOperation(kind);
      operation->fd = fd();
      operation->events = events;
      operation->owner = this;
      operation->completed = completed;
    }
    if (operation->is_idle()) ring_.start(*operation);
  }

  UringRing& ring_;
  StreamSink* sink_;
  UniqueFd owner_;
  UringOperation* receive_;
  UringOperation* poll_ = nullptr;    // a poll for bytes, while large messages come
  UringOperation* room_ = nullptr;    // a poll for room to write, once it was needed
  UringOperation* hangup_ = nullptr;  // a poll for the end, once nothing was received for a while

  BufferPiece piece_[kPieces];
  int pieces_ = 0;
  std::string spilled_;  // what came before the pieces, from taken_ on
  std::size_t taken_ = 0;
  std::size_t unread_ = 0;  // bytes in spilled_ and the pieces
  int error_ = 0;
  bool ended_ = false;
  bool reading_ = false;
  bool polled_ = false;    // we read; else the kernel receives
  bool always_polled_ = false;  // a Unix socket
  bool may_read_ = false;  // when polled: the poll has spoken since the last short transfer
  int large_ = 0;          // large messages in a row
  int small_ = 0;          // small ones, when polled
  bool waits_for_room_ = false;
  bool hung_up_ = false;
  bool* died_ = nullptr;  // set while the sink is told: it may destroy us
};

}  // namespace

std::unique_ptr<StreamDriver> make_uring_stream(UringRing& ring, int fd, StreamSink& sink) {
  return std::make_unique<UringStream>(ring, fd, sink);
}

}  // namespace eddy::detail
