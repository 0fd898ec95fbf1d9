// SPDX-License-Identifier: MIT
// Operations that are cancelled while the kernel has them, very often: memory that were freed too early, a
// descriptor that leaked or a completion for the wrong one would show, under AddressSanitizer above all.
//
//     $ build/asan/bin/loop_tests --gtest_filter='UringStorm.*'                    40,000 of them
//     $ EDDY_STORM=1000000 build/asan/bin/loop_tests --gtest_filter='UringStorm.*' a million
#include <arpa/inet.h>
#include <poll.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "loop/uring_sinks.hpp"

namespace eddy::detail {
namespace {

int storm_size() {
  const char* wanted = std::getenv("EDDY_STORM");
  return wanted && *wanted ? std::atoi(wanted) : 40'000;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) count += !entry.path().empty();
  return count;
}

// With a reset, no TIME_WAIT stays behind: tens of thousands of them would leave no port to the tests that run beside.
void end_by_reset(const UniqueFd& fd, bool on = true) {
  const linger option{on, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &option, sizeof option);
}

struct SilentWatch final : IoWatch {
  SilentWatch(int descriptor, unsigned wanted, bool changes_only) {
    fd = descriptor;
    interest = wanted;
    edge = changes_only;
    on_events = [](IoWatch&, unsigned) noexcept {};
  }
};

// Some operations of each kind are started; the kernel gets them, or not yet; what they wait for comes, or not;
// then they are all cancelled.
class Storm {
 public:
  explicit Storm(unsigned seed) : random_(seed) {}

  /// How many were cancelled that the kernel had.
  int round() {
    const int kind = pick(4);
    const int count = 1 + pick(32);
    in_flight_ = false;
    switch (kind) {
      case 0: watch(count); break;
      case 1: receive(count); break;
      case 2: accept(); break;
      case 3: send(count); break;
    }
    const int cancelled = in_flight_ ? (kind == 2 ? 1 : count) : 0;
    poll_perhaps();
    return cancelled;
  }

 private:
  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  void close(UniqueFd& peer) {
    end_by_reset(peer, pick(2));
    peer.reset();
  }
  void poll_perhaps() {
    if (!pick(2)) return;
    backend_->poll(0);
    in_flight_ = true;
  }

  void watch(int count) {
    std::vector<std::unique_ptr<SilentWatch>> watches;
    std::vector<SocketPair> pairs(static_cast<std::size_t>(count));
    for (auto& pair : pairs) {
      end_by_reset(pair.theirs);
      watches.push_back(std::make_unique<SilentWatch>(pair.ours.get(), pick(2) ? kReadable : kReadable | kWritable, pick(2)));
      backend_->watch(*watches.back());
    }
    poll_perhaps();
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (pick(3) == 0) ::send(pairs[i].theirs.get(), "x", 1, MSG_NOSIGNAL);
      if (pick(3) == 0) {
        watches[i]->interest = pick(2) ? kWritable : 0u;
        backend_->update(*watches[i]);
      }
    }
    poll_perhaps();
    for (auto& watch : watches) backend_->unwatch(*watch);
  }

  void receive(int count) {
    std::vector<std::unique_ptr<CollectingSink>> sinks;
    std::vector<UniqueFd> peers;
    for (int i = 0; i < count; ++i) {
      SocketPair pair;
      sinks.push_back(std::make_unique<CollectingSink>(4096));
      sinks.back()->open(*backend_, std::move(pair.ours), pick(2));
      end_by_reset(pair.theirs);
      peers.push_back(std::move(pair.theirs));
    }
    poll_perhaps();
    for (auto& peer : peers) {
      const auto size = static_cast<std::size_t>(pick(4) ? pick(100) : pick(40'000));
      if (pick(2)) ::send(peer.get(), bytes_.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (pick(8) == 0) close(peer);
    }
    poll_perhaps();
    for (auto& sink : sinks) {
      if (pick(4) == 0) sink->driver->stop_reading();
      sink->driver.reset();
      if (pick(8) == 0) backend_->poll(0);
    }
  }

  void accept() {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(fd.get(), 4), 0);
    ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    CountingSink sink;
    auto listener = backend_->make_listener(fd.release(), sink);
    poll_perhaps();
    const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    end_by_reset(client);
    if (pick(2)) ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), size);
    // A connect on its way: a watch for its end, as connect_to() has it.
    SilentWatch connecting(client.get(), kWritable, false);
    backend_->watch(connecting);
    poll_perhaps();
    if (pick(2)) listener->pause();
    poll_perhaps();
    if (pick(2)) listener->resume();
    backend_->unwatch(connecting);
    listener.reset();
  }

  void send(int count) {
    std::vector<std::unique_ptr<CollectingSink>> sinks;
    std::vector<UniqueFd> peers;
    for (int i = 0; i < count; ++i) {
      SocketPair pair;
      sinks.push_back(std::make_unique<CollectingSink>(4096));
      sinks.back()->open(*backend_, std::move(pair.ours), false);
      const int room = 4096;
      ::setsockopt(sinks.back()->driver->fd(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
      sinks.back()->send(bytes_);  // more than there is room
      end_by_reset(pair.theirs);
      peers.push_back(std::move(pair.theirs));
    }
    poll_perhaps();
    for (auto& peer : peers) {
      char some[4096];
      if (pick(2)) (void)::recv(peer.get(), some, sizeof some, MSG_DONTWAIT);
      if (pick(8) == 0) close(peer);
    }
    poll_perhaps();
    for (auto& sink : sinks) sink->driver.reset();
  }

  RunningBackend backend_;
  std::mt19937 random_;
  bool in_flight_ = false;  // the kernel was asked for what this round started
  std::string bytes_ = std::string(40'000, 'b');
};

}  // namespace

TEST(UringStorm, CancelsWhatIsInFlightAndLosesNothing) {
  NEEDS_IO_URING();
  const auto before = open_descriptors();
  int cancelled = 0;
  {
    Storm storm(42);
    while (cancelled < storm_size()) cancelled += storm.round();
  }
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace eddy::detail
