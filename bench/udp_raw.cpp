// SPDX-License-Identifier: MIT
// What datagrams cost by hand: one thread, level-triggered epoll, two sockets on the loopback.
//
// Each line: a name and the CPU time a datagram, ns. The items are those of udp_eddy.cpp.
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "udp.hpp"

namespace {

class Sockets {
 public:
  explicit Sockets(bool gro) : epoll_(epoll_create1(0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    for (int& fd : fds) {
      fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
      address.sin_port = 0;
      check(bind(fd, reinterpret_cast<sockaddr*>(&address), size));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.fd = fd;
      check(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event));
    }
    check(getsockname(fds[1], reinterpret_cast<sockaddr*>(&address), &size));
    check(connect(fds[0], reinterpret_cast<sockaddr*>(&address), size));
    const int on = 1;
    if (gro) check(setsockopt(fds[1], IPPROTO_UDP, UDP_GRO, &on, sizeof on));
  }
  Sockets(const Sockets&) = delete;
  ~Sockets() {
    for (int fd : fds) close(fd);
    close(epoll_);
  }

  void wait() const {
    epoll_event events[16];
    epoll_wait(epoll_, events, 16, -1);
  }
  static void check(int result) {
    if (result < 0) std::perror("udp_raw"), std::exit(1);
  }

  int fds[2];

 private:
  int epoll_;
};

double echo() {
  const Sockets sockets(false);
  char bytes[kSize] = {};
  return cpu_a_datagram(kEchoes * 2, [&] {
    for (int i = 0; i < kEchoes; ++i) {
      Sockets::check(static_cast<int>(send(sockets.fds[0], bytes, sizeof bytes, 0)));
      sockets.wait();
      sockaddr_storage from;
      socklen_t size = sizeof from;
      Sockets::check(static_cast<int>(recvfrom(sockets.fds[1], bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &size)));
      Sockets::check(static_cast<int>(sendto(sockets.fds[1], bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), size)));
      sockets.wait();
      Sockets::check(static_cast<int>(recv(sockets.fds[0], bytes, sizeof bytes, 0)));
    }
  });
}

double single() {
  const Sockets sockets(false);
  char bytes[kSize] = {};
  return cpu_a_datagram(kBursts * kBurst, [&] {
    for (int i = 0; i < kBursts; ++i) {
      for (int k = 0; k < kBurst; ++k) Sockets::check(static_cast<int>(send(sockets.fds[0], bytes, sizeof bytes, 0)));
      sockets.wait();
      for (int k = 0; k < kBurst; ++k) {
        sockaddr_storage from;
        socklen_t size = sizeof from;
        Sockets::check(static_cast<int>(recvfrom(sockets.fds[1], bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &size)));
      }
    }
  });
}

// Batches of kBurst; with `segments` as one packet that the kernel cuts, with `gro` received joined.
double batch(bool segments, bool gro) {
  const Sockets sockets(gro);
  static char out[kBurst * kSize], in[kBurst][65536];
  mmsghdr sent[kBurst], received[kBurst];
  sockaddr_storage names[kBurst];
  iovec out_pieces[kBurst], in_pieces[kBurst];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(std::uint16_t))] = {};
  alignas(cmsghdr) char controls[kBurst][CMSG_SPACE(sizeof(int))];
  return cpu_a_datagram(kBursts * kBurst, [&] {
    for (int i = 0; i < kBursts; ++i) {
      if (segments) {
        msghdr message{};
        iovec piece{out, sizeof out};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = IPPROTO_UDP;
        header->cmsg_type = UDP_SEGMENT;
        header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
        const std::uint16_t size = kSize;
        std::memcpy(CMSG_DATA(header), &size, sizeof size);
        Sockets::check(static_cast<int>(sendmsg(sockets.fds[0], &message, 0)));
      } else {
        for (int k = 0; k < kBurst; ++k) {
          out_pieces[k] = {out + k * kSize, kSize};
          sent[k] = {};
          sent[k].msg_hdr.msg_iov = &out_pieces[k];
          sent[k].msg_hdr.msg_iovlen = 1;
        }
        Sockets::check(sendmmsg(sockets.fds[0], sent, kBurst, 0));
      }
      for (std::size_t bytes = 0; bytes < sizeof out;) {
        sockets.wait();
        for (int k = 0; k < kBurst; ++k) {
          in_pieces[k] = {in[k], sizeof in[k]};
          received[k] = {};
          received[k].msg_hdr.msg_name = &names[k];
          received[k].msg_hdr.msg_namelen = sizeof names[k];
          received[k].msg_hdr.msg_iov = &in_pieces[k];
          received[k].msg_hdr.msg_iovlen = 1;
          received[k].msg_hdr.msg_control = controls[k];
          received[k].msg_hdr.msg_controllen = sizeof controls[k];
        }
        const int count = recvmmsg(sockets.fds[1], received, kBurst, 0, nullptr);
        Sockets::check(count);
        for (int k = 0; k < count; ++k) bytes += received[k].msg_len;
      }
    }
  });
}

}  // namespace

int main() {
  report("echo", echo());
  report("single", single());
  report("batch_plain", batch(false, false));
  report("batch", batch(true, false));
  report("joined", batch(true, true));
}
