// SPDX-License-Identifier: MIT
// The limit of completion: one thread, one ring, multishot accept and receive into a ring of buffers, sends that
// go with the next enter; nothing around them.
//
//     $ raw_uring PORT        echoes
//     $ raw_uring PORT http   answers "Hello, World!" to every empty line it sees, without looking at requests
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "listener.hpp"

namespace {

constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

// What is sent is copied here first: the buffer that it came in goes back to the kernel.
struct Connection {
  int fd = -1;
  int matched = 0;  // of "\r\n\r\n"
  bool ended = false;
  bool sending = false;
  std::string out = {}, next = {};
};

class Server {
 public:
  Server(int port, bool http) : http_(http) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    params.cq_entries = 16384;
    if (io_uring_queue_init_params(1024, &ring_, &params) != 0) std::exit(1);
    io_uring_register_ring_fd(&ring_);
    buffers_ = static_cast<io_uring_buf_ring*>(map(kBuffers * sizeof(io_uring_buf)));
    memory_ = static_cast<char*>(map(kBuffers * kSize));
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(buffers_);
    registration.ring_entries = kBuffers;
    if (io_uring_register_buf_ring(&ring_, &registration, 0) != 0) std::exit(1);
    io_uring_buf_ring_init(buffers_);
    for (unsigned i = 0; i < kBuffers; ++i) offer(i);

    listener_ = bench::listen_on_loopback(port, 0);
    accept();
  }

  [[noreturn]] void run() {
    for (;;) {
      io_uring_submit_and_wait(&ring_, 1);
      unsigned head = 0, count = 0;
      io_uring_cqe* cqe = nullptr;
      io_uring_for_each_cqe(&ring_, head, cqe) {
        ++count;
        complete(*cqe);
      }
      io_uring_cq_advance(&ring_, count);
    }
  }

 private:
  static constexpr unsigned kBuffers = 2048, kSize = 16 * 1024;

  static void* map(std::size_t bytes) {
    return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  void offer(unsigned buffer) {
    io_uring_buf_ring_add(buffers_, memory_ + std::size_t{buffer} * kSize, kSize, static_cast<unsigned short>(buffer),
                          io_uring_buf_ring_mask(kBuffers), 0);
    io_uring_buf_ring_advance(buffers_, 1);
  }
  io_uring_sqe* entry(Connection* connection, std::uint64_t kind) {
    auto* sqe = io_uring_get_sqe(&ring_);
    if (!sqe) {
      io_uring_submit(&ring_);
      sqe = io_uring_get_sqe(&ring_);
    }
    sqe->user_data = reinterpret_cast<std::uintptr_t>(connection) | kind;
    return sqe;
  }
  void accept() {
    auto* sqe = entry(nullptr, 0);
    const auto data = sqe->user_data;
    io_uring_prep_multishot_accept(sqe, listener_, nullptr, nullptr, 0);
    sqe->user_data = data;
  }
  void receive(Connection* connection) {
    auto* sqe = entry(connection, 0);
    const auto data = sqe->user_data;
    io_uring_prep_recv_multishot(sqe, connection->fd, nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    sqe->user_data = data;
  }
  void send(Connection* connection) {
    connection->sending = true;
    auto* sqe = entry(connection, 1);
    const auto data = sqe->user_data;
    io_uring_prep_send(sqe, connection->fd, connection->out.data(), connection->out.size(), MSG_WAITALL | MSG_NOSIGNAL);
    sqe->user_data = data;
  }

  void complete(const io_uring_cqe& cqe) {
    auto* connection = reinterpret_cast<Connection*>(cqe.user_data & ~std::uint64_t{1});
    if (!connection) {
      if (cqe.res >= 0) receive(new Connection{.fd = cqe.res});
      if (!(cqe.flags & IORING_CQE_F_MORE)) accept();
    } else if (cqe.user_data & 1) {
      sent(connection, cqe.res);
    } else {
      received(connection, cqe);
    }
  }

  void received(Connection* connection, const io_uring_cqe& cqe) {
    if (cqe.flags & IORING_CQE_F_BUFFER) {
      const unsigned buffer = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
      const char* data = memory_ + std::size_t{buffer} * kSize;
      if (cqe.res > 0) answer(*connection, {data, static_cast<std::size_t>(cqe.res)});
      offer(buffer);
    }
    if (!connection->sending && !connection->next.empty()) {
      connection->out.swap(connection->next);
      send(connection);
    }
    if (cqe.flags & IORING_CQE_F_MORE) return;
    if (cqe.res > 0 || cqe.res == -ENOBUFS) return receive(connection);
    connection->ended = true;
    if (!connection->sending) close_connection(connection);
  }
  void sent(Connection* connection, int result) {
    connection->sending = false;
    connection->out.clear();
    if (result > 0 && !connection->next.empty()) {
      connection->out.swap(connection->next);
      send(connection);
    } else if (connection->ended) {
      close_connection(connection);
    }
  }
  static void close_connection(Connection* connection) {
    close(connection->fd);
    delete connection;
  }

  void answer(Connection& connection, std::string_view bytes) const {
    if (!http_) {
      connection.next += bytes;
      return;
    }
    for (const char byte : bytes) {
      if (byte != (connection.matched & 1 ? '\n' : '\r')) connection.matched = byte == '\r';
      else if (++connection.matched == 4) connection.matched = 0, connection.next += kResponse;
    }
  }

  bool http_;
  int listener_ = -1;
  io_uring ring_{};
  io_uring_buf_ring* buffers_ = nullptr;
  char* memory_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  static Server server(std::atoi(argv[1]), argc > 2 && std::strcmp(argv[2], "http") == 0);
  server.run();
}
