// SPDX-License-Identifier: MIT
// Streams in memory: two drivers that hand each other bytes through the ready queue.
#include <eddy/testing.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "io/stream_core.hpp"
#include "io/transport_core.hpp"
#include "testing/memory_delivery.hpp"

namespace eddy::testing {
namespace {

using detail::Dispatch;
using detail::Loop;
using detail::StreamSink;

// One direction of the pair.
struct Pipe {
  std::string bytes;
  bool writer_gone = false;
  bool reader_gone = false;
};

class MemoryDriver;

// What both ends share. Deliveries run from the ready queue, as a kernel's would come from a poll.
struct Link {
  Link(Loop& owner, PairOptions given) : loop(owner), options(given) {}
  Loop& loop;
  PairOptions options;
  Pipe pipes[2];
  MemoryDriver* ends[2] = {};
};

class MemoryDriver final : public detail::StreamDriver {
 public:
  MemoryDriver(std::shared_ptr<Link> link, int side, StreamSink& sink) : link_(std::move(link)), side_(side), sink_(&sink) {
    link_->ends[side_] = this;
  }
  ~MemoryDriver() override {
    link_->ends[side_] = nullptr;
    outgoing().writer_gone = true;
    incoming().reader_gone = true;
    poke_peer();
  }

  int fd() const noexcept override { return -1; }
  void redirect(StreamSink& sink) noexcept override { sink_ = &sink; }
  void read() override {
    reading_ = true;
    delivery_.schedule(link_->loop.ready);
  }
  void stop_reading() noexcept override { reading_ = false; }

  void flush() noexcept override {
    for (auto piece = sink_->unsent(); !piece.empty();) {
      if (outgoing().reader_gone) return sink_->write_failed(EPIPE);
      auto& bytes = outgoing().bytes;
      const auto room = link_->options.room > bytes.size() ? link_->options.room - bytes.size() : 0;
      const auto count = std::min(room, piece.size());
      writing_ = count < piece.size();
      if (count == 0) return;
      bytes.append(piece.substr(0, count));
      poke_peer();
      piece = sink_->sent(count);
    }
  }
  void shut_down_writing() noexcept override {
    outgoing().writer_gone = true;
    poke_peer();
  }

 private:
  friend MemoryDelivery<MemoryDriver>;

  Pipe& outgoing() noexcept { return link_->pipes[side_]; }
  Pipe& incoming() noexcept { return link_->pipes[1 - side_]; }

  void poke_peer() noexcept {
    if (auto* peer = link_->ends[1 - side_]) peer->delivery_.schedule(link_->loop.ready);
  }
  void deliver() {
    const auto link = link_;  // the sink may destroy this driver
    auto& in = incoming();
    if (in.writer_gone && !std::exchange(told_hangup_, true)) sink_->hung_up();
    if (link->ends[side_] != this) return;
    if (reading_ && !in.bytes.empty()) {
      reading_ = false;
      const auto space = sink_->read_space();
      const auto count = std::min({space.size(), in.bytes.size(), link->options.piece});
      std::memcpy(space.data(), in.bytes.data(), count);
      in.bytes.erase(0, count);
      if (auto* peer = link->ends[1 - side_]) peer->delivery_.schedule(link_->loop.ready);  // there is room again
      sink_->received(count);
    } else if (reading_ && in.writer_gone) {
      reading_ = false;
      sink_->ended();
    }
    if (link->ends[side_] == this && writing_) flush();
  }

  std::shared_ptr<Link> link_;
  int side_;
  StreamSink* sink_;
  MemoryDelivery<MemoryDriver> delivery_{*this};
  bool reading_ = false;
  bool writing_ = false;
  bool told_hangup_ = false;
};

}  // namespace

StreamPair stream_pair(PairOptions options) {
  auto& loop = Loop::running();
  auto link = std::make_shared<Link>(loop, options);
  auto end = [&](int side) {
    return detail::make_streams(
        loop, [&](StreamSink& sink) { return std::make_unique<MemoryDriver>(link, side, sink); }, options.limit);
  };
  auto near = end(0);
  return {std::move(near), end(1)};
}

Coro<TransportPair> connect_transport(detail::FactoryPtr factory, PairOptions options) {
  auto& loop = Loop::running();
  auto link = std::make_shared<Link>(loop, options);
  detail::MakeDriver far_end = [link](StreamSink& sink) { return std::make_unique<MemoryDriver>(link, 1, sink); };
  auto peer = detail::make_streams(loop, far_end, options.limit);
  detail::MakeDriver near_end = [link](StreamSink& sink) { return std::make_unique<MemoryDriver>(link, 0, sink); };
  auto transport = co_await detail::start_transport(std::move(factory), near_end, detail::TransportKind::socket);
  co_return TransportPair{std::move(transport), std::move(peer)};
}

}  // namespace eddy::testing
