// SPDX-License-Identifier: MIT
// A peer: Boost.Beast on Asio's coroutines, io_context(1). `/` greets, `/json` greets in JSON, `/file` sends the file.
//
//     $ beast_http PORT [FILE]
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>

#include <cstdlib>
#include <string>

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using asio::use_awaitable;

const char* file_name = "";

template <class Body>
http::response<Body> response_to(const http::request<http::string_body>& request, const char* type, typename Body::value_type body) {
  http::response<Body> response{http::status::ok, request.version()};
  response.set(http::field::content_type, type);
  response.keep_alive(request.keep_alive());
  response.body() = std::move(body);
  response.prepare_payload();
  return response;
}

asio::awaitable<void> send_file(tcp::socket& socket, const http::request<http::string_body>& request) {
  http::file_body::value_type file;
  boost::beast::error_code error;
  file.open(file_name, boost::beast::file_mode::scan, error);
  if (error) throw boost::system::system_error(error);
  auto response = response_to<http::file_body>(request, "application/octet-stream", std::move(file));
  co_await http::async_write(socket, response, use_awaitable);
}

asio::awaitable<void> session(tcp::socket socket) {
  boost::beast::flat_buffer buffer;
  try {
    for (;;) {
      http::request<http::string_body> request;
      co_await http::async_read(socket, buffer, request, use_awaitable);
      if (request.target() == "/file") {
        co_await send_file(socket, request);
      } else if (request.target() == "/json") {
        const boost::json::value greeting{{"message", "Hello, World!"}};
        auto response = response_to<http::string_body>(request, "application/json", boost::json::serialize(greeting));
        co_await http::async_write(socket, response, use_awaitable);
      } else {
        auto response = response_to<http::string_body>(request, "text/plain", "Hello, World!");
        co_await http::async_write(socket, response, use_awaitable);
      }
      if (!request.keep_alive()) break;
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
  if (argc > 2) file_name = argv[2];
  asio::io_context io(1);
  asio::co_spawn(io, serve(static_cast<unsigned short>(std::atoi(argv[1]))), asio::detached);
  io.run();
}
