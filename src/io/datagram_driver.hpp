// SPDX-License-Identifier: MIT
// The seam under datagrams, as StreamDriver is that of streams: the kernel's sockets, or a pair in memory.
#pragma once

#include <eddy/addresses.hpp>
#include <eddy/datagrams.hpp>
#include <sys/socket.h>

#include <memory>
#include <span>
#include <string_view>

#include "base/unique_fd.hpp"
#include "loop/backend.hpp"

namespace eddy::detail {

class DatagramSink {
 public:
  /// It may be worth trying again to receive (kReadable), to send (kWritable), both (kHangup). From a poll.
  virtual void ready(unsigned events) noexcept = 0;

 protected:
  ~DatagramSink() = default;
};

/// Moves whole datagrams. Its calls give a count, or the negative of an errno; they never wait.
class DatagramDriver {
 public:
  virtual ~DatagramDriver() = default;
  virtual int fd() const noexcept = 0;
  virtual Address local_address() const noexcept = 0;
  virtual Address remote_address() const noexcept = 0;

  /// Gives the whole length, also if the room is shorter.
  virtual ssize_t receive(std::span<char> space, Address& from) noexcept = 0;
  /// To the peer without an address.
  virtual ssize_t send(std::string_view data, const Address* to) noexcept = 0;
  virtual int receive_many(mmsghdr* messages, unsigned count) noexcept = 0;
  virtual int send_many(mmsghdr* messages, unsigned count) noexcept = 0;

  /// Tell the sink when this becomes possible: kReadable, kWritable, 0. As long as it says so, again and again.
  virtual void want(unsigned events) = 0;
};

/// A bound or connected socket. Throws OSError, ValueError.
UniqueFd make_datagram_socket(const DatagramOptions& options);
std::unique_ptr<DatagramDriver> make_kernel_datagrams(Backend& backend, UniqueFd fd, DatagramSink& sink);

}  // namespace eddy::detail
