// SPDX-License-Identifier: MIT
#include <eddy/datagrams.hpp>
#include <eddy/exceptions.hpp>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/datagram_core.hpp"
#include "io/sockets.hpp"

namespace eddy {


// --- batches ------------------------------------------------------------------------------------------

struct DatagramBatch::Room {
  struct Control {
    alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];  // UDP_GRO: the size of the datagrams that were joined
  };

  Room(std::size_t count, std::size_t size)
      : bytes(std::make_unique_for_overwrite<char[]>(count * size)), addresses(count), senders(count), pieces(count), controls(count), messages(count) {
    for (std::size_t i = 0; i < count; ++i) pieces[i] = {bytes.get() + i * size, size};
  }

  /// The kernel writes into what tells it of the room.
  void prepare() noexcept {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      auto& header = (messages[i] = {}).msg_hdr;
      header.msg_name = &addresses[i];
      header.msg_namelen = sizeof addresses[i];
      header.msg_iov = &pieces[i];
      header.msg_iovlen = 1;
      header.msg_control = controls[i].bytes;
      header.msg_controllen = sizeof controls[i].bytes;
    }
  }

  static std::size_t joined_size(msghdr& header) noexcept {
    for (cmsghdr* control = CMSG_FIRSTHDR(&header); control; control = CMSG_NXTHDR(&header, control)) {
      if (control->cmsg_level != IPPROTO_UDP || control->cmsg_type != UDP_GRO) continue;
      int size = 0;
      std::memcpy(&size, CMSG_DATA(control), sizeof size);
      return static_cast<std::size_t>(size);
    }
    return 0;
  }

  std::unique_ptr<char[]> bytes;
  std::vector<sockaddr_storage> addresses;
  std::vector<Address> senders;
  std::vector<iovec> pieces;
  std::vector<Control> controls;
  std::vector<mmsghdr> messages;
};

DatagramBatch::DatagramBatch(std::size_t count, std::size_t size) {
  if (count == 0 || size == 0) throw ValueError(fmt::format("datagram batch: {} datagrams of {} bytes: both must be above 0", count, size));
  room_.reset(new Room(count, size));
  items_.reserve(count);
}
DatagramBatch::DatagramBatch(DatagramBatch&&) noexcept = default;
DatagramBatch& DatagramBatch::operator=(DatagramBatch&&) noexcept = default;
DatagramBatch::~DatagramBatch() = default;

namespace detail {

bool DatagramCore::receive_batch(DatagramWait& wait, DatagramBatch& batch) noexcept {
  auto& room = *batch.room_;
  room.prepare();
  batch.items_.clear();
  const auto wanted = static_cast<unsigned>(room.messages.size());
  const int count = driver_->receive_many(room.messages.data(), wanted);
  if (count == -EAGAIN) return note_receive(false);
  if (count < 0) {
    wait.error = -count;
    return true;
  }
  for (int i = 0; i < count; ++i) {
    auto& message = room.messages[static_cast<std::size_t>(i)];
    auto& header = message.msg_hdr;
    auto& from = room.senders[static_cast<std::size_t>(i)];
    from = Address::from_data(header.msg_name, header.msg_namelen);
    const auto space = header.msg_iov[0].iov_len;
    std::string_view rest(static_cast<const char*>(header.msg_iov[0].iov_base), std::min<std::size_t>(message.msg_len, space));
    const bool cut = (header.msg_flags & MSG_TRUNC) != 0;
    const auto joined = gro_ ? room.joined_size(header) : 0;
    while (joined > 0 && rest.size() > joined) {
      batch.items_.push_back({rest.substr(0, joined), from, false});
      rest.remove_prefix(joined);
    }
    batch.items_.push_back({rest, from, cut});
  }
  // A batch with room left has taken all there was.
  note_receive(true);
  if (static_cast<unsigned>(count) < wanted) may_read_ = false;
  return true;
}

// --- awaiters -----------------------------------------------------------------------------------------

bool DatagramWait::begin() { return core->begin(*this); }
void DatagramWait::suspend(std::coroutine_handle<> where) { core->suspend(*this, where); }
void DatagramWait::finish() { core->finish(*this); }

ReceiveWait::ReceiveWait(DatagramCore& socket, char* where, std::size_t size)
    : DatagramWait{&socket, [](DatagramWait& wait) noexcept { return wait.core->receive(static_cast<ReceiveWait&>(wait)); }, false},
      data(where),
      room(where ? size : socket.max_size()) {
  socket.check_not_joined("receive on");
}

void ReceiveWait::check_whole() const {
  if (full_size <= room) return;
  throw_os_error(EMSGSIZE, fmt::format("receive on {}: a datagram of {} bytes, with room for {}", core->describe(), full_size, room));
}

Datagram ReceiveString::await_resume() {
  finish();
  check_whole();
  return {std::string(data, size()), from};
}

ReceiveView::ReceiveView(DatagramCore& socket) : ReceiveWait(socket, socket.own_space(), socket.max_size()) {}
DatagramView ReceiveView::await_resume() {
  finish();
  check_whole();
  return {std::string_view(data, size()), from};
}

ReceiveBatch::ReceiveBatch(DatagramCore& socket, DatagramBatch& batch)
    : DatagramWait{&socket, &receive_some, false}, batch_(&batch) {}
bool ReceiveBatch::receive_some(DatagramWait& wait) noexcept {
  return wait.core->receive_batch(wait, *static_cast<ReceiveBatch&>(wait).batch_);
}
std::size_t ReceiveBatch::await_resume() {
  finish();
  return batch_->size();
}

SendOne::SendOne(DatagramCore& socket, std::string_view data, const Address* to)
    : DatagramWait{&socket, &send_it, true}, data_(data), to_(to) {}
bool SendOne::send_it(DatagramWait& wait) noexcept {
  auto& self = static_cast<SendOne&>(wait);
  return wait.core->send(wait, self.data_, self.to_);
}

SendBatch::SendBatch(DatagramCore& socket, std::span<const OutgoingDatagram> datagrams)
    : DatagramWait{&socket, &send_rest, true}, rest_(datagrams) {}
bool SendBatch::send_rest(DatagramWait& wait) noexcept {
  return wait.core->send_batch(wait, static_cast<SendBatch&>(wait).rest_);
}

DatagramSocket make_datagram(Loop& loop, const DatagramOptions& options, const MakeDatagramDriver& make_driver) {
  auto* core = new DatagramCore(loop, options);
  DatagramSocket socket(*core);
  core->attach(make_driver(*core));
  return socket;
}

}  // namespace detail

// --- the socket ---------------------------------------------------------------------------------------

Address DatagramSocket::local_address() const { return is_closed() ? Address() : core_->driver()->local_address(); }
Address DatagramSocket::remote_address() const { return is_closed() ? Address() : core_->driver()->remote_address(); }
int DatagramSocket::fileno() const noexcept { return is_closed() ? -1 : core_->driver()->fd(); }
void DatagramSocket::close() { core_->close(); }
bool DatagramSocket::is_closed() const noexcept { return core_->is_closed(); }

void DatagramSocket::set_broadcast(bool on) {
  const int value = on;
  core_->check_open("set_broadcast on");
  if (::setsockopt(fileno(), SOL_SOCKET, SO_BROADCAST, &value, sizeof value) != 0) throw_os_error(errno, "set_broadcast");
}

namespace {

unsigned interface_index(const std::string& operation, std::string_view name) {
  if (name.empty()) return 0;
  const auto index = ::if_nametoindex(std::string(name).c_str());
  if (index == 0) throw_os_error(errno, fmt::format("{}: interface '{}'", operation, name));
  return index;
}

}  // namespace

void DatagramSocket::group(const char* operation, int option, const Address& group, std::string_view interface) {
  core_->check_open(operation);
  const auto what = fmt::format("{} {}", operation, group.str());
  group_req request{};
  request.gr_interface = interface_index(what, interface);
  std::memcpy(&request.gr_group, group.data(), group.size());
  const int level = group.family() == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
  if (::setsockopt(fileno(), level, option, &request, sizeof request) != 0) throw_os_error(errno, what);
}
void DatagramSocket::join_multicast(const Address& address, std::string_view interface) {
  group("join_multicast", MCAST_JOIN_GROUP, address, interface);
}
void DatagramSocket::leave_multicast(const Address& address, std::string_view interface) {
  group("leave_multicast", MCAST_LEAVE_GROUP, address, interface);
}

void DatagramSocket::set_option(const char* operation, int v4, int v6, int value) {
  core_->check_open(operation);
  const bool is_v6 = local_address().family() == AF_INET6;
  if (::setsockopt(fileno(), is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? v6 : v4, &value, sizeof value) != 0) {
    throw_os_error(errno, fmt::format("{} {}", operation, value));
  }
}
void DatagramSocket::set_multicast_ttl(int hops) {
  set_option("set_multicast_ttl", IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, hops);
}
void DatagramSocket::set_multicast_loop(bool on) {
  set_option("set_multicast_loop", IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, on);
}
void DatagramSocket::set_multicast_interface(std::string_view interface) {
  core_->check_open("set_multicast_interface");
  const auto index = static_cast<int>(interface_index("set_multicast_interface", interface));
  if (local_address().family() == AF_INET6) return set_option("set_multicast_interface", 0, IPV6_MULTICAST_IF, index);
  ip_mreqn request{};
  request.imr_ifindex = index;
  if (::setsockopt(fileno(), IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) != 0) {
    throw_os_error(errno, fmt::format("set_multicast_interface '{}'", interface));
  }
}

Coro<DatagramSocket> open_datagram(DatagramOptions options) {
  auto& loop = detail::Loop::running();
  auto fd = detail::make_datagram_socket(options);
  co_return detail::make_datagram(loop, options, [&](detail::DatagramSink& sink) {
    return detail::make_kernel_datagrams(*loop.backend, std::move(fd), sink);
  });
}

}  // namespace eddy
