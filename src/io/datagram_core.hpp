// SPDX-License-Identifier: MIT
// One datagram socket and the tasks that wait for it.
#pragma once

#include <eddy/datagrams.hpp>

#include <functional>
#include <memory>
#include <string>

#include "io/datagram_driver.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {

struct OutgoingMessages;

class DatagramCore final : public DatagramSink, public LoopResource {
 public:
  DatagramCore(Loop& loop, const DatagramOptions& options) : loop_(loop), max_size_(options.max_size), gro_(options.gro) {}
  DatagramCore(const DatagramCore&) = delete;
  DatagramCore& operator=(const DatagramCore&) = delete;

  /// Opens it. Call once.
  void attach(std::unique_ptr<DatagramDriver> driver);
  void close() noexcept;
  bool is_closed() const noexcept { return driver_ == nullptr; }
  DatagramDriver* driver() const noexcept { return driver_.get(); }
  /// Throws RuntimeError: "receive on a closed datagram socket".
  void check_open(const char* operation) const;
  void check_not_joined(const char* operation) const;
  /// "127.0.0.1:80", or what the peer is.
  std::string describe() const override;

  // Each tries once; false: the socket is not ready.
  bool receive(ReceiveWait& wait) noexcept;
  bool receive_batch(DatagramWait& wait, DatagramBatch& batch) noexcept;
  bool send(DatagramWait& wait, std::string_view data, const Address* to) noexcept;
  bool send_batch(DatagramWait& wait, std::span<const OutgoingDatagram>& rest) noexcept;

  bool begin(DatagramWait& wait);
  void suspend(DatagramWait& wait, std::coroutine_handle<> where);
  void finish(DatagramWait& wait);

  /// For receive_view(): `max_size` bytes that stay.
  char* own_space();
  std::size_t max_size() const noexcept { return max_size_; }

  void retain() noexcept { ++references_; }
  void release() noexcept;

 private:
  ~DatagramCore() = default;
  void ready(unsigned events) noexcept override;
  void loop_closed() noexcept override;

  static void attempt_first(ReadyNode& node, Dispatch how) noexcept;
  static void detach(TaskCore& task) noexcept;
  static void describe_wait(const TaskCore& task, Text& text);
  static const WaitOps kReceiveOps, kSendOps;
  void wake(ListNode& node) noexcept;
  void wake_all(List& waiters) noexcept;
  void pass_on(bool sends) noexcept;
  void want() noexcept;
  /// What a receive said: whether another one is worth its system call.
  bool note_receive(bool received) noexcept;
  unsigned fill(std::span<const OutgoingDatagram> rest, OutgoingMessages& messages) const noexcept;

  Loop& loop_;
  std::unique_ptr<DatagramDriver> driver_;  // null once closed
  std::size_t references_ = 0;
  std::size_t max_size_;
  std::unique_ptr<char[]> own_space_;
  List receivers_, senders_;
  unsigned inline_calls_ = 0;  // that did not wait, since the last that did
  unsigned received_ = 0;
  bool may_read_ = true;
  bool told_ = false;       // the poller said that it is readable, and nothing was received since
  bool speculate_ = false;  // after one datagram there often was another
  bool gro_;
  bool has_peer_ = false;  // outside of this process
  bool segments_ = true;  // until the kernel has refused UDP_SEGMENT
};

/// A socket over whatever driver `make_driver` gives.
using MakeDatagramDriver = std::function<std::unique_ptr<DatagramDriver>(DatagramSink&)>;
DatagramSocket make_datagram(Loop& loop, const DatagramOptions& options, const MakeDatagramDriver& make_driver);

/// Memory for a datagram that is copied or delivered in this step: at least `size` bytes, the thread's.
char* datagram_scratch(std::size_t size);

}  // namespace eddy::detail
