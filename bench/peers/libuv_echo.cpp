// SPDX-License-Identifier: MIT
// A peer: libuv, TCP echo: one buffer for all reads, uv_try_write() first, uv_write() for what is left.
//
//     $ libuv_echo PORT
#include <uv.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string>

namespace {

char shared_buffer[65536];

// What the socket would not take yet. The peer is not read meanwhile.
struct Rest {
  uv_write_t request;
  std::string bytes;
};

void lend_buffer(uv_handle_t*, std::size_t, uv_buf_t* buffer) { *buffer = uv_buf_init(shared_buffer, sizeof shared_buffer); }

void on_closed(uv_handle_t* handle) { delete reinterpret_cast<uv_tcp_t*>(handle); }

void close(uv_stream_t* stream) {
  auto* handle = reinterpret_cast<uv_handle_t*>(stream);
  if (!uv_is_closing(handle)) uv_close(handle, on_closed);
}

void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer);

void on_written(uv_write_t* request, int status) {
  if (status == 0) uv_read_start(request->handle, lend_buffer, on_read);
  else close(request->handle);
  delete static_cast<Rest*>(request->data);
}

void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
  if (count < 0) return close(stream);
  if (count == 0) return;
  auto bytes = uv_buf_init(buffer->base, static_cast<unsigned>(count));
  const int written = std::max(uv_try_write(stream, &bytes, 1), 0);
  if (written == count) return;
  auto* rest = new Rest{.request = {}, .bytes = std::string(buffer->base + written, static_cast<std::size_t>(count - written))};
  rest->request.data = rest;
  bytes = uv_buf_init(rest->bytes.data(), static_cast<unsigned>(rest->bytes.size()));
  uv_read_stop(stream);
  uv_write(&rest->request, stream, &bytes, 1, on_written);
}

void on_connection(uv_stream_t* listener, int status) {
  if (status < 0) return;
  auto* connection = new uv_tcp_t;
  uv_tcp_init(listener->loop, connection);
  auto* stream = reinterpret_cast<uv_stream_t*>(connection);
  if (uv_accept(listener, stream) != 0) return close(stream);
  uv_tcp_nodelay(connection, 1);
  uv_read_start(stream, lend_buffer, on_read);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::signal(SIGPIPE, SIG_IGN);
  uv_loop_t* loop = uv_default_loop();
  uv_tcp_t listener;
  sockaddr_in address;
  uv_ip4_addr("127.0.0.1", std::atoi(argv[1]), &address);
  uv_tcp_init(loop, &listener);
  uv_tcp_bind(&listener, reinterpret_cast<sockaddr*>(&address), 0);
  if (uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 4096, on_connection) != 0) return 1;
  return uv_run(loop, UV_RUN_DEFAULT);
}
