// SPDX-License-Identifier: MIT
// Datagrams in memory: two drivers that hand each other messages through the ready queue.
#include <eddy/testing.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <string>

#include "io/datagram_core.hpp"
#include "testing/memory_delivery.hpp"

namespace eddy::testing {
namespace {

using detail::DatagramSink;
using detail::Dispatch;
using detail::Loop;

class MemoryDatagrams;

struct Link {
  Link(Loop& owner, std::size_t most) : loop(owner), room(most) {}
  Loop& loop;
  std::size_t room;
  std::deque<std::string> waiting[2];  // for each end
  MemoryDatagrams* ends[2] = {};
};

class MemoryDatagrams final : public detail::DatagramDriver {
 public:
  MemoryDatagrams(std::shared_ptr<Link> link, std::size_t side, DatagramSink& sink)
      : link_(std::move(link)), side_(side), sink_(sink) {
    link_->ends[side_] = this;
  }
  ~MemoryDatagrams() override {
    link_->ends[side_] = nullptr;
    link_->waiting[side_].clear();
    poke_peer();
  }

  int fd() const noexcept override { return -1; }
  Address local_address() const noexcept override { return {}; }
  Address remote_address() const noexcept override { return {}; }

  ssize_t receive(std::span<char> space, Address&) noexcept override {
    auto& queue = link_->waiting[side_];
    if (queue.empty()) return -EAGAIN;
    const auto text = std::move(queue.front());
    queue.pop_front();
    std::memcpy(space.data(), text.data(), std::min(text.size(), space.size()));
    poke_peer();
    return static_cast<ssize_t>(text.size());
  }
  ssize_t send(std::string_view data, const Address*) noexcept override {
    if (!link_->ends[1 - side_]) return -ECONNREFUSED;
    auto& queue = link_->waiting[1 - side_];
    if (queue.size() >= link_->room) return -EAGAIN;
    queue.emplace_back(data);
    poke_peer();
    return static_cast<ssize_t>(queue.back().size());
  }
  int receive_many(mmsghdr* messages, unsigned count) noexcept override {
    return many(messages, count, [&](msghdr& message) {
      Address from;
      const auto& piece = message.msg_iov[0];
      const auto size = receive({static_cast<char*>(piece.iov_base), piece.iov_len}, from);
      message.msg_namelen = 0;
      message.msg_flags = size > static_cast<ssize_t>(piece.iov_len) ? MSG_TRUNC : 0;
      return size;
    });
  }
  int send_many(mmsghdr* messages, unsigned count) noexcept override {
    return many(messages, count, [&](msghdr& message) -> ssize_t {
      if (message.msg_control) return -EINVAL;  // nothing here cuts a packet into datagrams
      const auto& piece = message.msg_iov[0];
      return send({static_cast<const char*>(piece.iov_base), piece.iov_len}, nullptr);
    });
  }
  void want(unsigned events) override {
    wanted_ = events;
    if (events) delivery_.schedule(link_->loop.ready);
  }

 private:
  friend MemoryDelivery<MemoryDatagrams>;

  template <class Call>
  static int many(mmsghdr* messages, unsigned count, Call call) noexcept {
    unsigned done = 0;
    for (; done < count; ++done) {
      const auto size = call(messages[done].msg_hdr);
      if (size < 0) return done > 0 ? static_cast<int>(done) : static_cast<int>(size);
      messages[done].msg_len = static_cast<unsigned>(size);
    }
    return static_cast<int>(done);
  }

  void poke_peer() noexcept {
    if (auto* peer = link_->ends[1 - side_]) peer->delivery_.schedule(link_->loop.ready);
  }
  void deliver() {
    const auto& link = *link_;
    const bool readable = !link.waiting[side_].empty();
    const bool writable = !link.ends[1 - side_] || link.waiting[1 - side_].size() < link.room;
    const unsigned events = (readable ? detail::kReadable : 0u) | (writable ? detail::kWritable : 0u);
    if (events & wanted_) sink_.ready(events & wanted_);
  }

  std::shared_ptr<Link> link_;
  std::size_t side_;
  DatagramSink& sink_;
  MemoryDelivery<MemoryDatagrams> delivery_{*this};
  unsigned wanted_ = 0;
};

}  // namespace

DatagramPair datagram_pair(std::size_t room) {
  auto& loop = Loop::running();
  auto link = std::make_shared<Link>(loop, room);
  auto end = [&](std::size_t side) {
    return detail::make_datagram(loop, {}, [&](DatagramSink& sink) { return std::make_unique<MemoryDatagrams>(link, side, sink); });
  };
  auto near = end(0);
  return {std::move(near), end(1)};
}

}  // namespace eddy::testing
