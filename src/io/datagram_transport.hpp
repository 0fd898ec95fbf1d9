// SPDX-License-Identifier: MIT
// Datagrams in the callback style: stands where DatagramCore stands, over a DatagramDriver.
#pragma once

#include <eddy/detail/context.hpp>
#include <eddy/transports.hpp>

#include <deque>
#include <memory>
#include <string>

#include "io/datagram_core.hpp"
#include "io/datagram_driver.hpp"
#include "io/protocol_calls.hpp"
#include "loop/loop.hpp"

namespace eddy::detail {

class DatagramTransportCore final : public DatagramTransport,
                                    public DatagramSink,
                                    public LoopResource,
                                    private ProtocolCalls<DatagramTransportCore> {
 public:
  DatagramTransportCore(Loop& loop, AnyProtocol protocol, const DatagramOptions& options);
  DatagramTransportCore(const DatagramTransportCore&) = delete;
  DatagramTransportCore& operator=(const DatagramTransportCore&) = delete;

  /// Opens it and schedules connection_made(); then `made` is set. Call once.
  void attach(std::unique_ptr<DatagramDriver> driver, Future<> made);

  void send(std::string_view data, const Address* to);
  void close() noexcept;
  void abort() noexcept { lose(); }
  bool is_closing() const noexcept { return closing_; }
  void set_limits(WriteLimits limits);
  WriteLimits limits() const noexcept { return limits_; }
  std::size_t queued() const noexcept { return queued_; }
  DatagramDriver* driver() const noexcept { return driver_.get(); }
  std::string describe() const override;
  bool ends_with_loop() const noexcept override { return true; }

  void retain() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0) delete this;
  }

 private:
  friend ProtocolCalls<DatagramTransportCore>;
  struct Kept {
    std::string data;
    Address to;
  };
  ~DatagramTransportCore() = default;

  void ready(unsigned events) noexcept override;
  void loop_closed() noexcept override;

  void live() noexcept;
  void begin() noexcept;
  void end() noexcept;
  void read_step() noexcept;
  void write_step() noexcept;
  bool transfer(std::string_view data, const Address* to) noexcept;
  void want() noexcept;
  void keep(std::string_view data, const Address* to);
  void lose() noexcept;
  void fail(const std::string& message, std::exception_ptr error) noexcept;
  void tell_error(int error_number, const char* operation) noexcept;

  Loop& loop_;
  std::unique_ptr<DatagramDriver> driver_;  // null once it is gone
  AnyProtocol protocol_;
  ContextRef context_{captured_context()};
  Future<> made_future_;
  Address remote_;
  std::size_t references_ = 0;
  std::size_t max_size_;
  Node life_, reading_, writing_;
  std::deque<Kept> kept_;  // while the socket is full
  std::size_t queued_ = 0;  // bytes of them, with what keeping one costs
  WriteLimits limits_;
  bool has_peer_ = false;  // outside of this process
  bool made_ = false, closing_ = false, lost_ = false;
  bool writing_paused_ = false;
};

}  // namespace eddy::detail
