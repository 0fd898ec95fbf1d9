// SPDX-License-Identifier: MIT
// What it costs to hear of an event, by selector: one active socket among idle ones, many idle and few active, few and all
// of them busy. A round writes a byte to each active socket, selects, and reads. `raw_…` is epoll_wait by itself. The times
// are the thread's own, user's and kernel's: it never sleeps, and other programs do not count.
#include <eddy/select.hpp>
#include <eddy/selectors.hpp>
#include <eddy/sockets.hpp>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <string>
#include <vector>

#include "micro.hpp"

namespace {

using bench::expect;
using Pairs = std::vector<std::pair<eddy::Socket, eddy::Socket>>;

constexpr std::size_t kEvents = 10'000;  // of each item

// Descriptors of one socket to which nobody writes.
struct Idle {
  std::pair<eddy::Socket, eddy::Socket> pair = eddy::socketpair();
  std::vector<eddy::FileDescriptor> copies;
  explicit Idle(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) copies.emplace_back(::fcntl(pair.first.fileno(), F_DUPFD_CLOEXEC, 0));
    expect(copies.empty() || copies.back());
  }
};

Pairs connected(std::size_t count) {
  Pairs pairs;
  for (std::size_t i = 0; i < count; ++i) pairs.push_back(eddy::socketpair());
  return pairs;
}

void write_to(const Pairs& pairs) {
  for (const auto& pair : pairs) expect(::send(pair.second.fileno(), "x", 1, 0) == 1);
}
void read_from(int fd) {
  char byte = 0;
  expect(::recv(fd, &byte, 1, 0) == 1);
}

class CpuStopwatch {
 public:
  void print(const char* name, std::size_t operations) const {
    bench::report(name, static_cast<double>(now() - began_) / static_cast<double>(operations));
  }

 private:
  static std::int64_t now() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  }
  std::int64_t began_ = now();
};

template <class Select>
void measure(const std::string& name, const Pairs& active, Select select) {
  const std::size_t rounds = kEvents / active.size();
  const CpuStopwatch watch;
  for (std::size_t i = 0; i < rounds; ++i) {
    write_to(active);
    for (std::size_t heard = 0; heard < active.size();) heard += select();
  }
  watch.print(name.c_str(), rounds * active.size());
}

void with_selector(eddy::Selector& selector, const std::string& item, std::size_t idle_count, std::size_t active_count) {
  // The active ones have the higher descriptors: select() and poll() find them last.
  const Idle idle(idle_count);
  const auto active = connected(active_count);
  for (const auto& copy : idle.copies) selector.register_(copy.fileno(), eddy::EVENT_READ);
  for (const auto& pair : active) selector.register_(pair.first.fileno(), eddy::EVENT_READ);
  measure(std::string(selector.name()) + "_" + item, active, [&] {
    const auto events = selector.select();
    for (const auto& event : events) read_from(event.key.fd);
    return events.size();
  });
}

void with_epoll_wait(const std::string& item, std::size_t idle_count, std::size_t active_count) {
  const Idle idle(idle_count);
  const auto active = connected(active_count);
  eddy::Epoll epoll;
  for (const auto& copy : idle.copies) epoll.register_(copy.fileno(), EPOLLIN);
  for (const auto& pair : active) epoll.register_(pair.first.fileno(), EPOLLIN);
  std::array<epoll_event, 64> room;
  measure("raw_" + item, active, [&] {
    const auto events = epoll.wait(room);
    for (const auto& event : events) read_from(static_cast<int>(event.data.u64));
    return events.size();
  });
}

void all_of(const std::string& item, std::size_t idle, std::size_t active) {
  {
    eddy::SelectSelector select;
    with_selector(select, item, idle, active);
  }
  {
    eddy::PollSelector poll;
    with_selector(poll, item, idle, active);
  }
  {
    eddy::EpollSelector epoll;
    with_selector(epoll, item, idle, active);
  }
  with_epoll_wait(item, idle, active);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_items(argc, argv,
                          {{"idle",
                            [] {
                              all_of("idle_10", 10, 1);
                              all_of("idle_100", 100, 1);
                              all_of("idle_1000", 1000, 1);
                            }},
                           {"few_active", [] { all_of("idle_1000_active_5", 1000, 5); }},
                           {"busy", [] { all_of("busy_20", 0, 20); }}});
}
