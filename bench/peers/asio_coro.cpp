// SPDX-License-Identifier: MIT
// A peer: Boost.Asio's coroutines, TCP echo, io_context(1), as its documentation writes it.
//
//     $ asio_coro PORT [BYTES]        of each connection's buffer
#include <boost/asio.hpp>

#include <cstdlib>
#include <memory>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::use_awaitable;

std::size_t buffer_size = 16384;

asio::awaitable<void> session(tcp::socket socket) {
  try {
    const auto buffer = std::make_unique_for_overwrite<char[]>(buffer_size);
    for (;;) {
      const auto count = co_await socket.async_read_some(asio::buffer(buffer.get(), buffer_size), use_awaitable);
      co_await asio::async_write(socket, asio::buffer(buffer.get(), count), use_awaitable);
    }
  } catch (const boost::system::system_error&) {
    // The peer is gone.
  }
}

asio::awaitable<void> serve(unsigned short port) {
  auto executor = co_await asio::this_coro::executor;
  tcp::acceptor acceptor(executor, {asio::ip::address_v4::loopback(), port});
  acceptor.listen(4096);
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(use_awaitable);
    socket.set_option(tcp::no_delay(true));
    asio::co_spawn(executor, session(std::move(socket)), asio::detached);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  if (argc > 2) buffer_size = std::strtoul(argv[2], nullptr, 10);
  asio::io_context io(1);
  asio::co_spawn(io, serve(static_cast<unsigned short>(std::atoi(argv[1]))), asio::detached);
  io.run();
}
