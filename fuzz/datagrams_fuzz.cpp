// SPDX-License-Identifier: MIT
// A datagram socket over a kernel that answers as the input says: takes few of many, is full, refuses to cut packets,
// joins datagrams, cuts them off, and adds control messages of any content. The first byte chooses:
//     bit 0   .gro
//     bit 1   receive, else send
// Sending: count, then of each datagram size and target; what is left are the kernel's answers, a byte each.
// Receiving: of each message its length, what the control message says, flags.
// Datagrams leave and arrive whole, in order and unchanged, or the call throws and the rest is not sent.
#include <eddy/datagrams.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/testing.hpp>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "invariant.hpp"
#include "io/datagram_core.hpp"

namespace {

using eddy::Address;
using eddy::Coro;
using eddy::detail::DatagramSink;

class Input {
 public:
  explicit Input(std::string_view bytes) noexcept : rest_(bytes) {}
  bool empty() const noexcept { return rest_.empty(); }
  /// `otherwise` once nothing is left.
  unsigned byte(unsigned otherwise = 0) noexcept {
    if (rest_.empty()) return otherwise;
    const auto value = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  unsigned word() noexcept {
    const unsigned high = byte();
    return high << 8 | byte();
  }

 private:
  std::string_view rest_;
};

const std::array<Address, 3> kPeers{Address("10.0.0.1", 1), Address("10.0.0.2", 2), Address("::1", 3)};

struct Sent {
  std::string data;
  Address to;
  friend bool operator==(const Sent&, const Sent&) = default;
};

struct Came {
  std::string data;  // as much of it as there was room
  Address from;
  bool cut;
  unsigned joined;  // 0: one datagram
};

class ScriptedKernel final : public eddy::detail::DatagramDriver {
 public:
  ScriptedKernel(Input& input, DatagramSink& sink) : input_(input), sink_(sink) {}

  std::vector<Sent> sent;
  std::vector<Came> came;

  int fd() const noexcept override { return -1; }
  Address local_address() const noexcept override { return kPeers[0]; }
  Address remote_address() const noexcept override { return {}; }
  ssize_t receive(std::span<char>, Address&) noexcept override { return -EAGAIN; }
  ssize_t send(std::string_view, const Address*) noexcept override { return -EAGAIN; }

  int send_many(mmsghdr* messages, unsigned count) noexcept override {
    constexpr int kErrors[] = {EMSGSIZE, EIO, EINVAL, ENOBUFS, ECONNREFUSED, EPERM};
    const auto answer = input_.byte(255);
    if (answer < 40) return -EAGAIN;
    if (answer < 80) return -kErrors[answer % std::size(kErrors)];
    const auto taken = answer == 255 ? count : 1 + answer % count;
    for (unsigned i = 0; i < taken; ++i) cut(messages[i].msg_hdr);
    return static_cast<int>(taken);
  }

  int receive_many(mmsghdr* messages, unsigned count) noexcept override {
    if (input_.empty()) return -ECONNREFUSED;
    const auto wanted = std::min<unsigned>(count, 1 + input_.byte() % 8);
    for (unsigned i = 0; i < wanted; ++i) fill(messages[i]);
    return static_cast<int>(wanted);
  }

  void want(unsigned events) override {
    if (events == 0 || told_) return;
    told_ = true;
    eddy::get_running_loop().call_soon([this, events] {
      told_ = false;
      sink_.ready(events);
    });
  }

 private:
  // As the kernel does by UDP_SEGMENT.
  void cut(const msghdr& header) {
    std::string all;
    for (std::size_t i = 0; i < header.msg_iovlen; ++i) {
      all.append(static_cast<const char*>(header.msg_iov[i].iov_base), header.msg_iov[i].iov_len);
    }
    const auto to = header.msg_name ? Address::from_data(header.msg_name, header.msg_namelen) : Address();
    std::size_t size = all.size();
    if (header.msg_control) {
      std::uint16_t segment = 0;
      std::memcpy(&segment, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof segment);
      require(segment > 0 && all.size() > segment, "a packet is cut into several");
      require(all.size() <= 65507, "a packet is not longer than UDP allows");
      size = segment;
    }
    for (std::size_t at = 0; at == 0 || at < all.size(); at += size) {
      sent.push_back({all.substr(at, size), to});
      if (size == 0) break;
    }
  }

  void fill(mmsghdr& message) {
    auto& header = message.msg_hdr;
    const auto length = input_.word() % 5000;
    const auto room = header.msg_iov[0].iov_len;
    Came one{std::string(length, static_cast<char>('a' + came.size() % 26)), kPeers[input_.byte() % 3], length > room, 0};
    one.data.resize(std::min<std::size_t>(length, room));
    std::memcpy(header.msg_iov[0].iov_base, one.data.data(), one.data.size());
    std::memcpy(header.msg_name, one.from.data(), one.from.size());
    header.msg_namelen = static_cast<socklen_t>(one.from.size());
    header.msg_flags = one.cut ? MSG_TRUNC : 0;
    message.msg_len = length;
    one.joined = control(header);
    came.push_back(std::move(one));
  }

  // What a control message says of joined datagrams; 0 if there is none, or another.
  unsigned control(msghdr& header) {
    const auto kind = input_.byte();
    if (!header.msg_control || header.msg_controllen < CMSG_SPACE(sizeof(int)) || kind % 4 == 0) {
      header.msg_controllen = 0;
      return 0;
    }
    auto& first = *static_cast<cmsghdr*>(header.msg_control);
    first.cmsg_level = kind % 4 == 1 ? SOL_SOCKET : IPPROTO_UDP;
    first.cmsg_type = UDP_GRO;
    first.cmsg_len = CMSG_LEN(sizeof(int));
    const int size = static_cast<std::int16_t>(input_.word());
    std::memcpy(CMSG_DATA(&first), &size, sizeof size);
    header.msg_controllen = CMSG_SPACE(sizeof(int));
    return first.cmsg_level == IPPROTO_UDP && size > 0 ? static_cast<unsigned>(size) : 0;
  }

  Input& input_;
  DatagramSink& sink_;
  bool told_ = false;
};

Coro<> send(Input& input, eddy::DatagramSocket socket, const ScriptedKernel& kernel) {
  std::vector<std::string> texts(input.byte() % 100);
  std::vector<eddy::OutgoingDatagram> list;
  std::vector<Sent> wanted;
  for (auto& text : texts) {
    const auto shape = input.byte();
    text.assign(shape < 200 ? shape / 50 * 400 : input.word() % 60000, static_cast<char>('a' + wanted.size() % 26));
    const auto target = input.byte() % 4;
    list.push_back({text, target < 3 ? &kPeers[target] : nullptr});
    wanted.push_back({text, target < 3 ? kPeers[target] : Address()});
  }
  bool failed = false;
  try {
    co_await socket.send_batch(list);
  } catch (const eddy::OSError&) {
    failed = true;
  }
  const auto& sent = kernel.sent;
  require(sent.size() <= wanted.size() && std::equal(sent.begin(), sent.end(), wanted.begin()),
          "what leaves is what was given, in order");
  require(failed || sent.size() == wanted.size(), "all of it leaves, or the call throws");
}

Coro<> receive(Input& input, eddy::DatagramSocket socket, const ScriptedKernel& kernel, bool gro) {
  const auto count = 1 + input.byte() % 8;
  eddy::DatagramBatch batch(count, 1 + input.word() % 4000);
  std::size_t at = 0;  // messages of the kernel's that were compared
  for (;;) {
    try {
      co_await socket.receive_batch(batch);
    } catch (const eddy::ConnectionRefusedError&) {
      co_return;
    }
    std::size_t item = 0;
    for (; at < kernel.came.size(); ++at) {
      const auto& [data, from, cut, joined] = kernel.came[at];
      const std::size_t size = gro && joined > 0 ? joined : std::max<std::size_t>(data.size(), 1);
      for (std::size_t begin = 0; begin == 0 || begin < data.size(); begin += size, ++item) {
        require(item < batch.size(), "no datagram is lost");
        require(batch[item].data == std::string_view(data).substr(begin, size), "each is as it was sent");
        require(batch[item].from == from, "each has its sender");
        const bool is_last = begin + size >= data.size();
        require(batch[item].truncated == (cut && is_last), "what was cut off says so");
      }
    }
    require(item == batch.size(), "no datagram is made up");
  }
}

Coro<> play(std::string_view bytes) {
  Input input(bytes);
  const auto mode = input.byte();
  const bool gro = mode & 1;
  ScriptedKernel* kernel = nullptr;
  auto socket = eddy::detail::make_datagram(eddy::detail::Loop::running(), {.gro = gro}, [&](DatagramSink& sink) {
    auto made = std::make_unique<ScriptedKernel>(input, sink);
    kernel = made.get();
    return made;
  });
  if (mode & 2) co_await receive(input, socket, *kernel, gro);
  else co_await send(input, socket, *kernel);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  eddy::testing::run(play({reinterpret_cast<const char*>(data), size}));
  return 0;
}
