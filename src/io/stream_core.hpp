// SPDX-License-Identifier: MIT
// One connection: its buffers, its waiters, its end. Moves bytes through a StreamDriver and is told of them
// through StreamSink; knows nothing of descriptors.
//
//     open --close()--> closing (sends what is queued) --> closed
//       |                                                    ^
//       '--abort(), a write that fails, the loop closes ------'
#pragma once

#include <eddy/streams.hpp>

#include <functional>
#include <memory>
#include <string>

#include "io/read_buffer.hpp"
#include "io/write_queue.hpp"
#include "loop/backend.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {

/// Told when a stream is closed, its descriptor included: the server that accepted it.
class StreamOwner {
 public:
  virtual void stream_closed() noexcept = 0;

 protected:
  ~StreamOwner() = default;
};

class StreamCore final : public LoopResource, public ReadyNode, public StreamSink {
 public:
  StreamCore(Loop& loop, std::size_t limit) noexcept;
  StreamCore(const StreamCore&) = delete;
  StreamCore& operator=(const StreamCore&) = delete;

  /// Of a pipe's writing end: the end of what is written is its close.
  void set_write_only() noexcept { write_only_ = true; }

  /// Of a terminal: EIO says that its other side is closed, which is the end of the stream.
  void set_terminal() noexcept { terminal_ = true; }

  /// Opens it. Call once.
  void attach(std::unique_ptr<StreamDriver> driver);

  // --- reading
  bool begin_read(ReadGoal goal, std::size_t count, std::string_view separator);
  void wait_read(std::coroutine_handle<> where);
  ReadEnd finish_read(bool waited) noexcept;
  /// What reads throw from now on. `operation` is in front of what has no error of its own.
  std::exception_ptr read_failure(const char* operation) const;
  ReadBuffer& buffer() noexcept { return buffer_; }
  bool ended_reading() const noexcept { return ended_; }
  std::size_t limit() const noexcept { return limit_; }
  std::string_view take_any(std::size_t most) noexcept;
  std::string_view take_exactly(std::size_t count);
  std::string_view take_until(std::string_view separator, bool partial_at_end);

  // --- writing
  void write(std::string_view data);
  void writelines(const std::vector<std::string_view>& pieces);
  void write_eof();
  void cork() noexcept {
    if (!sending_file_) ++corks_;
  }
  void uncork() noexcept;
  std::size_t queued() const noexcept { return out_.size(); }
  bool must_drain() const noexcept { return queued() > kHighWater || closing_ || lost_; }
  void wait_drain(std::coroutine_handle<> where);
  void finish_drain(bool waited);
  /// Bytes that the driver has taken, ever: they grow as long as the peer takes some.
  std::uint64_t total_sent() const noexcept { return total_sent_; }

  // --- a file between what is written; see sendfile.cpp
  /// No task but the caller's writes until end_file(). Takes the corks out, and lets none in.
  void begin_file();
  void end_file() noexcept { sending_file_ = false; }
  bool is_sending_file() const noexcept { return sending_file_; }
  /// write(), for who has begun.
  void write_of_file(std::string_view data) { queue(data); }
  /// They went around the driver.
  void note_sent(std::size_t count) noexcept;
  /// So did the end of the connection.
  void sending_failed(int error_number) noexcept { lose(error_number); }

  // --- the end
  void close();
  void abort() noexcept { lose(0); }
  /// The same; `error` is what reads, drain() and wait_closed() throw from now on.
  void fail(std::exception_ptr error) noexcept;
  bool is_closing() const noexcept { return closing_ || closed(); }
  bool closed() const noexcept { return driver_ == nullptr; }
  void wait_closed(std::coroutine_handle<> where);
  void finish_wait_closed(bool waited);
  int fd() const noexcept { return driver_ ? driver_->fd() : -1; }

  /// Puts the driver that `make(driver below, sink)` gives between this stream and its driver, which must owe nothing.
  /// `make` takes the one below over, unless it throws.
  template <class F>
  StreamDriver& put_on(F make) {
    driver_ = make(driver_, static_cast<StreamSink&>(*this));
    return *driver_;
  }
  bool has_reader() const noexcept { return reader_ != nullptr; }
  bool is_open() const noexcept { return driver_ && driver_->is_open(); }
  /// Waits until something has changed: the driver is open, the queue is empty, the stream is closed. One task at a time.
  class Change {
   public:
    enum class For : unsigned char { handshake, file };
    Change(StreamCore& core, For what) noexcept : core_(&core), what_(what) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> where);
    void await_resume();

   private:
    StreamCore* core_;
    For what_;
  };
  const StreamDriver* driver() const noexcept { return driver_.get(); }
  Loop& loop() noexcept { return loop_; }
  /// "127.0.0.1:80", or what else names it.
  std::string describe() const override;
  /// Of a stream that was lost: `operation` and its name are in front of what has no error of its own.
  [[noreturn]] void throw_lost(const char* operation) const;

  /// Called once when the peer has gone or the connection broke, also while nobody reads.
  void on_hangup(void (*call)(void*) noexcept, void* context) noexcept;

  /// Null: nobody.
  void set_owner(StreamOwner* owner) noexcept { owner_ = owner; }
  /// Bytes came or went since the last time.
  bool take_moved() noexcept { return std::exchange(moved_, false); }

  void retain() noexcept { ++references_; }
  void release() noexcept;

  static constexpr std::size_t kHighWater = 64 * 1024;
  static constexpr std::size_t kLowWater = kHighWater / 4;

 private:
  ~StreamCore() = default;

  // StreamSink
  std::span<char> read_space() override;
  void readable() noexcept override;
  void received(std::size_t count) noexcept override;
  void ended() noexcept override;
  void read_failed(int error_number) noexcept override;
  std::string_view unsent() noexcept override;
  std::string_view sent(std::size_t count) noexcept override;
  void write_failed(int error_number) noexcept override;
  void hung_up() noexcept override;
  void opened() noexcept override;
  void finished() noexcept override;
  // LoopResource
  void loop_closed() noexcept override;

  bool goal_met() noexcept {
    if (goal_ <= ReadGoal::exactly) [[likely]] return buffer_.size() >= goal_count_ || ended_ || read_error_;
    return other_goal_met();
  }
  bool other_goal_met() noexcept;
  std::size_t find_end() noexcept;
  bool pump() noexcept;
  static void pump_later(ReadyNode& node, Dispatch how) noexcept;
  static void read_first(ReadyNode& node, Dispatch how) noexcept;
  void wake_reader() noexcept;

  bool is_writable() const noexcept { return !closing_ && !eof_wanted_ && !sending_file_; }
  [[noreturn]] void refuse(const char* operation) const;
  void queue(std::string_view data);
  void flush() noexcept;
  void after_flush() noexcept;
  void lose(int error_number) noexcept;
  void finish() noexcept;
  void finish_close() noexcept;
  void tell_owner() noexcept;
  void wake_all(const WaitOps& kind) noexcept;
  static void detach_waiter(TaskCore& task) noexcept;
  void note_failure() noexcept;

  static CancelResult cancel_read(TaskCore& task) noexcept;
  static void detach_change(TaskCore& task) noexcept;
  static const WaitOps kReadOps, kDrainOps, kCloseOps, kHandshakeOps, kFileOps;

  // What a message looks at stands together, from StreamSink on: with many connections each line comes from far.
  std::unique_ptr<StreamDriver> driver_;  // null once closed
  ReadBuffer buffer_;
  TaskCore* reader_ = nullptr;  // the task that waits in a read
  std::size_t goal_count_ = 0;
  ReadGoal goal_ = ReadGoal::quiet;
  bool ended_ = false;
  bool pumping_ = false;
  bool asked_ = false;  // the driver owes us bytes
  bool moved_ = false;  // some bytes have, in either direction, since somebody looked
  bool lost_ = false;
  bool closing_ = false;
  bool eof_wanted_ = false, eof_sent_ = false;
  bool sending_file_ = false;
  bool write_only_ = false;
  bool terminal_ = false;
  bool finishing_ = false;
  bool hung_up_ = false;
  bool has_peer_ = false;  // outside of this process
  std::uint32_t corks_ = 0;
  int read_error_ = 0;
  int write_error_ = 0;
  std::uint32_t references_ = 0;
  WriteQueue out_;
  std::uint64_t total_sent_ = 0;

  Loop& loop_;
  std::size_t limit_;
  std::string_view separator_;  // the reader's
  std::size_t scanned_ = 0;     // bytes of the buffer in which the separator does not begin
  std::size_t found_ = 0;       // end of the separator; 0: not found
  Ring waiters_;                // in drain() and wait_closed()
  TaskCore* opener_ = nullptr;  // the task that waits for a Change
  std::exception_ptr failure_;  // what the driver said about read_error_ and write_error_, if anything
  void (*hangup_call_)(void*) noexcept = nullptr;
  void* hangup_context_ = nullptr;
  StreamOwner* owner_ = nullptr;
};

using MakeDriver = std::function<std::unique_ptr<StreamDriver>(StreamSink&)>;
Streams make_streams(Loop& loop, const MakeDriver& make_driver, std::size_t limit);
/// Wraps a connected, non-blocking descriptor, which it takes over, also when it throws.
Streams make_streams(Loop& loop, int fd, std::size_t limit);
/// The same for one end of a pipe.
StreamReader make_pipe_reader(Loop& loop, int fd, std::size_t limit);
StreamWriter make_pipe_writer(Loop& loop, int fd);

}  // namespace eddy::detail
