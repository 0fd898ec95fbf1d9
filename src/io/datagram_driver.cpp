// SPDX-License-Identifier: MIT
#include "io/datagram_driver.hpp"

#include <eddy/exceptions.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <cerrno>

#include "io/sockets.hpp"

namespace eddy::detail {
namespace {

const sockaddr* raw(const Address& address) noexcept { return static_cast<const sockaddr*>(address.data()); }

template <class Call>
auto restarted(Call call) noexcept -> decltype(call()) {
  for (;;) {
    const auto result = call();
    if (result >= 0) return result;
    if (errno != EINTR) return -errno;
  }
}

// The watch is level-triggered, since a UDP socket tells an edge-triggered poller of every datagram that has left.
// It stays while somebody waits now and then; an event that nobody waits for ends it, because even a watch for
// nothing is told of errors.
class KernelDatagrams final : public DatagramDriver, private IoWatch {
 public:
  KernelDatagrams(Backend& backend, UniqueFd descriptor, DatagramSink& sink)
      : backend_(backend), sink_(sink), owner_(std::move(descriptor)), remote_(peer_of(owner_.get())) {
    IoWatch::fd = owner_.get();
    interest = kReadable;
    on_events = [](IoWatch& watch, unsigned events) noexcept { static_cast<KernelDatagrams&>(watch).dispatch(events); };
    backend_.watch(*this);
    watched_ = true;
  }
  ~KernelDatagrams() override {
    if (watched_) backend_.unwatch(*this);
  }

  int fd() const noexcept override { return owner_.get(); }
  Address local_address() const noexcept override { return local_of(fd()); }
  Address remote_address() const noexcept override { return remote_; }

  ssize_t receive(std::span<char> space, Address& from) noexcept override {
    if (remote_) {
      from = remote_;
      return restarted([&] { return ::recv(fd(), space.data(), space.size(), MSG_TRUNC); });
    }
    sockaddr_storage name;
    socklen_t size = sizeof name;
    const auto count = restarted([&] {
      return ::recvfrom(fd(), space.data(), space.size(), MSG_TRUNC, reinterpret_cast<sockaddr*>(&name), &size);
    });
    if (count >= 0) from = Address::from_data(&name, size);
    return count;
  }
  ssize_t send(std::string_view data, const Address* to) noexcept override {
    return restarted([&] {
      return to ? ::sendto(fd(), data.data(), data.size(), MSG_NOSIGNAL, raw(*to), to->size())
                : ::send(fd(), data.data(), data.size(), MSG_NOSIGNAL);
    });
  }
  int receive_many(mmsghdr* messages, unsigned count) noexcept override {
    return restarted([&] { return ::recvmmsg(fd(), messages, count, MSG_TRUNC, nullptr); });
  }
  int send_many(mmsghdr* messages, unsigned count) noexcept override {
    return restarted([&] { return ::sendmmsg(fd(), messages, count, MSG_NOSIGNAL); });
  }

  void want(unsigned events) override {
    wanted_ = events;
    if (events == 0 || (watched_ && (interest & events) == events)) return;
    interest = events;
    if (watched_) return backend_.update(*this);
    backend_.watch(*this);
    watched_ = true;
  }

 private:
  void dispatch(unsigned events) noexcept {
    sink_.ready(events);
    if (wanted_ == 0) {
      backend_.unwatch(*this);
      watched_ = false;
    } else if (wanted_ != interest) {
      interest = wanted_;
      backend_.update(*this);
    }
  }

  Backend& backend_;
  DatagramSink& sink_;
  UniqueFd owner_;
  Address remote_;  // the only one; empty: whoever
  unsigned wanted_ = 0;
  bool watched_ = false;
};

void set_option(int fd, int level, int option, int value, const char* name) {
  if (::setsockopt(fd, level, option, &value, sizeof value) != 0) throw_os_error(errno, name);
}

}  // namespace

UniqueFd make_datagram_socket(const DatagramOptions& options) {
  const auto& named = options.local ? options.local : options.remote;
  if (!named) throw ValueError("datagram socket: it needs a local or a remote address");
  if (options.local && options.remote && options.local.family() != options.remote.family()) {
    throw ValueError(fmt::format("datagram socket: {} and {} are of different families", options.local.str(), options.remote.str()));
  }
  UniqueFd fd(::socket(named.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw_os_error(errno, "datagram socket");
  if (options.reuse_port) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1, "datagram socket: reuse_port");
  if (options.allow_broadcast) set_option(fd.get(), SOL_SOCKET, SO_BROADCAST, 1, "datagram socket: allow_broadcast");
  if (options.send_buffer) set_option(fd.get(), SOL_SOCKET, SO_SNDBUF, options.send_buffer, "datagram socket: send_buffer");
  if (options.receive_buffer) set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, options.receive_buffer, "datagram socket: receive_buffer");
  if (options.gro) set_option(fd.get(), IPPROTO_UDP, UDP_GRO, 1, "datagram socket: gro");
  if (named.family() == AF_INET6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1, "datagram socket");
  if (options.local && ::bind(fd.get(), raw(options.local), options.local.size()) != 0) {
    throw_os_error(errno, "bind datagram socket to " + options.local.str());
  }
  if (options.remote && ::connect(fd.get(), raw(options.remote), options.remote.size()) != 0) {
    throw_os_error(errno, "connect datagram socket to " + options.remote.str());
  }
  return fd;
}

std::unique_ptr<DatagramDriver> make_kernel_datagrams(Backend& backend, UniqueFd fd, DatagramSink& sink) {
  return std::make_unique<KernelDatagrams>(backend, std::move(fd), sink);
}

}  // namespace eddy::detail
