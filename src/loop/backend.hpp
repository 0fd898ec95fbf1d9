// SPDX-License-Identifier: MIT
// What a loop does its I/O with. Two families implement it: readiness (select, poll, epoll: the kernel says
// when, we transfer) and completion (io_uring: the kernel transfers and says what came). They meet where
// asyncio's selector and proactor loops meet, at the byte stream: a StreamDriver moves bytes between a
// descriptor and a StreamSink, and nothing above it knows how.
#pragma once

#include <eddy/detail/list.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string_view>

#include "loop/poller.hpp"

namespace eddy::testing {
struct Faults;
}

namespace eddy::detail {

class TimerQueue;
struct UringFeatures;

/// ns on the clock of timers, real time.
std::int64_t monotonic_now() noexcept;

/// The side of a stream that owns the bytes. A driver calls it; it calls the driver back at will.
class StreamSink {
 public:
  /// Where the next bytes go. The span stays valid until `received`, `ended` or `failed`.
  virtual std::span<char> read_space() = 0;
  /// A read() that had to wait can go on now: call it again, soon. What comes meanwhile comes along.
  virtual void readable() noexcept = 0;
  virtual void received(std::size_t count) noexcept = 0;
  virtual void ended() noexcept = 0;
  virtual void read_failed(int error_number) noexcept = 0;

  /// The bytes to send next; none: nothing is queued.
  virtual std::string_view unsent() noexcept = 0;
  /// So many of those have gone. Gives what unsent() gives now.
  virtual std::string_view sent(std::size_t count) noexcept = 0;
  virtual void write_failed(int error_number) noexcept = 0;
  /// The peer closed its side or the connection broke; told once, also while nobody reads.
  virtual void hung_up() noexcept = 0;
  /// A driver that was not open at once is open now.
  virtual void opened() noexcept {}
  /// What finish() began is done.
  virtual void finished() noexcept {}

 protected:
  ~StreamSink() = default;
};

class TlsSession;

/// Moves the bytes of one descriptor, which it owns. Destroying it closes the descriptor; it never touches
/// the sink's memory afterwards.
///
/// A driver may stand on another one and be its sink: TLS does.
class StreamDriver {
 public:
  virtual ~StreamDriver() = default;
  virtual int fd() const noexcept = 0;
  /// What is sent through fd() itself reaches the peer as it is: sendfile() may use it while nothing is queued.
  virtual bool is_plain_socket() const noexcept { return false; }

  /// Asks for bytes: `received`, `ended` or `read_failed` is called once, now (if they are there) or later. Or
  /// `readable` is called later, and the sink asks again.
  virtual void read() = 0;
  /// Withdraws read(); bytes that came stay.
  virtual void stop_reading() noexcept = 0;
  /// Sends the sink's queue: what can go goes now, the rest when there is room.
  virtual void flush() noexcept = 0;
  /// The peer sees the end of the stream after what was sent. A pipe is closed for it.
  virtual void shut_down_writing() noexcept = 0;

  /// From now on it works for `sink`. Nothing is asked for or queued at that time.
  virtual void redirect(StreamSink& sink) noexcept = 0;
  /// False while it has to agree on something with the peer first; `opened` or `write_failed` follows.
  virtual bool is_open() const noexcept { return true; }
  /// The sink begins to close; its queue is still to be sent.
  virtual void closing() noexcept {}
  /// The sink's queue is sent and it wants to close. False: `finished` or `write_failed` is called later.
  virtual bool finish() noexcept { return true; }
  /// The error behind the last `read_failed` or `write_failed`, where an errno does not say it.
  virtual std::exception_ptr failure() const noexcept { return nullptr; }
  /// It holds nothing that the sink could read without asking the kernel.
  virtual bool is_quiet() const noexcept { return true; }
  /// Null: it is none of TLS.
  virtual const TlsSession* tls() const noexcept { return nullptr; }
};

/// An error of accept() that is of the one connection it would have been: the next one may be better. See accept(2),
/// "Error handling".
bool is_of_one_connection(int error_number) noexcept;

/// Accepts connections on a listening descriptor, which it owns.
class AcceptSink {
 public:
  virtual void accepted(int fd) noexcept = 0;  // takes it over
  virtual void accept_failed(int error_number) noexcept = 0;

 protected:
  ~AcceptSink() = default;
};
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void pause() noexcept = 0;
  virtual void resume() noexcept = 0;
};

/// A read, write or fsync of a file at an offset. The owner keeps it and its memory alive until `done` is called,
/// on the loop's thread. `result`: bytes, or a negative error number.
struct FileRequest {
  enum class Kind : std::uint8_t { read, write, sync } kind = Kind::read;
  int fd = -1;
  char* data = nullptr;
  std::size_t size = 0;
  std::int64_t offset = 0;  // -1: where the descriptor stands
  void (*done)(FileRequest&, int result) noexcept = nullptr;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const noexcept = 0;
  virtual bool is_simulated() const noexcept { return false; }
  /// Descriptors that are watched for somebody: not the one that wake() uses.
  virtual std::size_t watched() const noexcept { return 0; }

  /// The next poll() will do something, whatever the kernel says: no time may be skipped.
  virtual bool has_delayed() const noexcept { return false; }

  /// ns on the loop's clock.
  virtual std::int64_t now() const noexcept = 0;
  /// The loop runs on this thread from here on, until settle(). Throws OSError.
  virtual void run_begins() {}
  /// The loop does not poll for a while, or never again: what was asked for goes to the kernel, and no memory of a
  /// FileRequest is used any more (their `done` was called, perhaps with -ECANCELED).
  virtual void settle() noexcept {}
  /// Waits up to `timeout` ns (negative: without end) for something to happen and tells whom it concerns.
  virtual void poll(std::int64_t timeout) = 0;
  /// Ends a poll() that waits. From any thread.
  virtual void wake() noexcept = 0;

  /// Readiness of a descriptor that somebody else reads and writes. No user memory is involved.
  virtual void watch(IoWatch& watch) = 0;
  virtual void update(IoWatch& watch) = 0;
  virtual void unwatch(IoWatch& watch) noexcept = 0;

  virtual std::unique_ptr<StreamDriver> make_stream(int fd, StreamSink& sink) = 0;
  virtual std::unique_ptr<Listener> make_listener(int fd, AcceptSink& sink) = 0;

  /// False: it cannot, and has not kept the request; the caller uses the thread pool.
  virtual bool submit(FileRequest&) { return false; }
};

std::unique_ptr<Backend> make_readiness_backend(std::unique_ptr<Poller> poller);
/// A stream over readiness: what cannot be read and written by completion. Takes `fd` over unless it throws.
std::unique_ptr<StreamDriver> make_readiness_stream(Poller& poller, int fd, StreamSink& sink);
/// `features` have to be usable.
std::unique_ptr<Backend> make_uring_backend(const UringFeatures& features);
/// A virtual clock that jumps to the next timer when nothing else can happen. It has no descriptors.
std::unique_ptr<Backend> make_simulated_backend();
/// The same clock over a back end with descriptors. `ready` and `timers`: the loop's, which the kernel's events fill.
std::unique_ptr<Backend> make_virtual_time_backend(std::unique_ptr<Backend> kernel, const ReadyQueue& ready,
                                                   const TimerQueue& timers);
/// A back end whose streams and listeners fail and stutter as `faults` says. Throws ValueError for a share that is none.
std::unique_ptr<Backend> make_faulty_backend(std::unique_ptr<Backend> kernel, const testing::Faults& faults);

}  // namespace eddy::detail
