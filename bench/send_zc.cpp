// SPDX-License-Identifier: MIT
// Does zero-copy send pay? CPU time of the sender, and of the peer that reads and throws away, a message, by size,
// over loopback TCP: send(), IORING_OP_SEND, IORING_OP_SEND_ZC with its notification awaited.
//
//     $ send_zc
#include <arpa/inet.h>
#include <liburing.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr std::uint32_t kNotification = 1u << 3;  // IORING_CQE_F_NOTIF

double cpu_seconds(int whose) {
  rusage usage{};
  getrusage(whose, &usage);
  const auto microseconds = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + static_cast<double>(microseconds) / 1e6;
}

enum class Way { plain, ring, zero_copy };

void transfer(io_uring& ring, int fd, Way way, const std::string& message) {
  if (way == Way::plain) {
    if (send(fd, message.data(), message.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(message.size())) std::exit(1);
    return;
  }
  auto* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_send(sqe, fd, message.data(), message.size(), MSG_NOSIGNAL | MSG_WAITALL);
  if (way == Way::zero_copy) sqe->opcode = IORING_OP_SEND_ZC;
  for (bool over = false; !over;) {
    io_uring_submit_and_wait(&ring, 1);
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&ring, &cqe) == 0) {
      if (cqe->res < 0) std::exit(1);
      over = way == Way::ring || (cqe->flags & kNotification) || !(cqe->flags & IORING_CQE_F_MORE);
      io_uring_cqe_seen(&ring, cqe);
    }
  }
}

int connected_sink(pid_t& child) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(listener, reinterpret_cast<sockaddr*>(&address), size);
  listen(listener, 1);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  child = fork();
  if (child == 0) {
    const int fd = accept(listener, nullptr, nullptr);
    std::vector<char> room(1 << 20);
    while (recv(fd, room.data(), room.size(), 0) > 0) {
    }
    _exit(0);
  }
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) std::exit(1);
  close(listener);
  return fd;
}

}  // namespace

int main() {
  io_uring ring{};
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  if (io_uring_queue_init_params(64, &ring, &params) != 0) return std::puts("no io_uring here"), 1;
  std::puts("CPU us a message: sender + peer, each the best of five");
  std::printf("%9s %16s %16s %16s\n", "bytes", "send()", "SEND", "SEND_ZC");
  for (std::size_t size = 4096; size <= 1 << 20; size *= 4) {
    const std::string message(size, 'm');
    const int count = static_cast<int>((std::size_t{1} << 29) / size / 4);
    double best[3] = {1e9, 1e9, 1e9}, peer[3] = {1e9, 1e9, 1e9};
    for (int round = 0; round < 5; ++round) {
      for (const Way way : {Way::plain, Way::ring, Way::zero_copy}) {
        pid_t child = 0;
        const int fd = connected_sink(child);
        const auto before = cpu_seconds(RUSAGE_SELF), peer_before = cpu_seconds(RUSAGE_CHILDREN);
        for (int i = 0; i < count; ++i) transfer(ring, fd, way, message);
        const auto took = (cpu_seconds(RUSAGE_SELF) - before) / count * 1e6;
        close(fd);
        waitpid(child, nullptr, 0);
        const auto peer_took = (cpu_seconds(RUSAGE_CHILDREN) - peer_before) / count * 1e6;
        auto& least = best[static_cast<int>(way)];
        auto& peer_least = peer[static_cast<int>(way)];
        if (took < least) least = took;
        if (peer_took < peer_least) peer_least = peer_took;
      }
    }
    std::printf("%9zu", size);
    for (int way = 0; way < 3; ++way) std::printf(" %7.1f + %6.1f", best[way], peer[way]);
    std::puts("");
  }
}
