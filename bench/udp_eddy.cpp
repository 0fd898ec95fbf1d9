// SPDX-License-Identifier: MIT
// What datagrams cost through eddy. The items are those of udp_raw.cpp; `protocol`: echo through DatagramProtocols.
#include <eddy/eddy.hpp>

#include <memory>
#include <string>
#include <vector>

#include "udp.hpp"

using eddy::Coro;

namespace {

const std::string kMessage(kSize, 'x');

struct Pair {
  eddy::DatagramSocket near, far;
};
Coro<Pair> open_pair(bool gro) {
  auto far = co_await eddy::open_datagram({.local = {"127.0.0.1", 0}, .gro = gro});
  auto near = co_await eddy::open_datagram({.remote = far.local_address()});
  co_return Pair{std::move(near), std::move(far)};
}

// Runs `work()`, a function that makes a coroutine, twice, and measures the second time.
template <class F>
Coro<> measure(const char* name, int count, F work) {
  co_await work();
  const double before = cpu_now();
  co_await work();
  report(name, (cpu_now() - before) / count);
}

Coro<> answer(eddy::DatagramSocket socket) {
  for (;;) {
    auto datagram = co_await socket.receive_view();
    co_await socket.send_to(datagram.data, datagram.from);
  }
}

Coro<> echo() {
  auto pair = co_await open_pair(false);
  auto answering = eddy::create_task(answer(pair.far));
  auto ask = [&]() -> Coro<> {
    for (int i = 0; i < kEchoes; ++i) {
      co_await pair.near.send(kMessage);
      co_await pair.near.receive_view();
    }
  };
  co_await measure("echo", kEchoes * 2, ask);
  answering.cancel();
}

Coro<> single() {
  auto pair = co_await open_pair(false);
  auto burst = [&]() -> Coro<> {
    for (int i = 0; i < kBursts; ++i) {
      for (int k = 0; k < kBurst; ++k) co_await pair.near.send(kMessage);
      for (int k = 0; k < kBurst; ++k) co_await pair.far.receive_view();
    }
  };
  co_await measure("single", kBursts * kBurst, burst);
}

Coro<> batch(const char* name, bool gro) {
  auto pair = co_await open_pair(gro);
  const std::vector<eddy::OutgoingDatagram> outgoing(kBurst, eddy::OutgoingDatagram{kMessage});
  eddy::DatagramBatch received(kBurst, gro ? 65536 : 2048);
  auto burst = [&]() -> Coro<> {
    for (int i = 0; i < kBursts; ++i) {
      co_await pair.near.send_batch(outgoing);
      std::size_t count = 0;
      while (count < kBurst) count += co_await pair.far.receive_batch(received);
    }
  };
  co_await measure(name, kBursts * kBurst, burst);
}

struct Answerer : eddy::DatagramProtocol {
  void connection_made(eddy::DatagramTransport& t) override { transport = &t; }
  void datagram_received(std::string_view data, const eddy::Address& from) override { transport->sendto(data, from); }
  eddy::DatagramTransport* transport = nullptr;
};
struct Asker : eddy::DatagramProtocol {
  void connection_made(eddy::DatagramTransport& t) override { transport = &t; }
  void datagram_received(std::string_view data, const eddy::Address&) override {
    if (--left > 0) transport->sendto(data);
    else done.set();
  }
  eddy::DatagramTransport* transport = nullptr;
  int left = 0;
  eddy::Event done;
};

Coro<> protocol() {
  auto& loop = eddy::get_running_loop();
  auto far = co_await loop.create_datagram_endpoint([] { return std::make_unique<Answerer>(); }, {.local = {"127.0.0.1", 0}});
  const auto remote = far.transport->local_address();
  auto near = co_await loop.create_datagram_endpoint([] { return std::make_unique<Asker>(); }, {.remote = remote});
  auto ask = [&]() -> Coro<> {
    near.protocol->left = kEchoes;
    near.protocol->done.clear();
    near.transport->sendto(kMessage);
    co_await near.protocol->done.wait();
  };
  co_await measure("protocol", kEchoes * 2, ask);
}

Coro<> all() {
  co_await echo();
  co_await protocol();
  co_await single();
  co_await batch("batch", false);
  co_await batch("joined", true);
}

}  // namespace

int main() { eddy::run(all()); }
