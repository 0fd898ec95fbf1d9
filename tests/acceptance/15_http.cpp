// HTTP: an application and a client session in one process.
#include <eddy/eddy.hpp>
#include <eddy/http.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include "check.hpp"
using namespace std::chrono_literals;
namespace http = eddy::http;

http::Application application() {
  http::Application app;
  app.get("/", [](http::Request&) -> eddy::Coro<http::Response> {
    co_return http::json_response({{"Hello", "World"}});
  });
  app.get("/timeit/{seconds}", [](http::Request& request) -> eddy::Coro<http::Response> {
    int tenths = std::stoi(request.path_param("seconds"));
    co_await eddy::sleep(tenths * 100ms);
    co_return http::text_response("sleep: " + std::to_string(tenths));
  });
  app.post("/upload", [](http::Request& request) -> eddy::Coro<http::Response> {
    std::size_t bytes = 0;
    while (auto chunk = co_await request.content().next()) bytes += chunk->size();  // never whole in memory
    co_return http::text_response(std::to_string(bytes));
  });
  app.get("/old", [](http::Request&) -> eddy::Coro<http::Response> { throw http::Found("/"); co_return {}; });
  app.get("/broken", [](http::Request&) -> eddy::Coro<http::Response> {
    throw std::runtime_error("a bug in a handler");
    co_return {};
  });
  return app;
}

eddy::Coro<> requests() {
  auto server = co_await http::serve(application(), {.host = "127.0.0.1", .port = 0});
  std::string base = "http://127.0.0.1:" + std::to_string(server.port());
  http::ClientSession session;

  auto hello = co_await session.get(base + "/");
  CHECK(hello.status() == 200 && hello.headers().at("content-type").starts_with("application/json"));
  auto greeting = co_await hello.json();
  CHECK(greeting.at("Hello") == "World");

  Stopwatch watch;
  auto timed = [&](int tenths) -> eddy::Coro<std::string> {
    auto response = co_await session.get(base + "/timeit/" + std::to_string(tenths));
    co_return co_await response.text();
  };
  auto [one, two] = co_await eddy::gather(timed(1), timed(2));
  CHECK(one == "sleep: 1" && two == "sleep: 2" && watch.elapsed() < 290ms);

  std::string five_megabytes(5'000'000, 'b');
  auto uploaded = co_await session.post(base + "/upload", {.body = five_megabytes});
  CHECK(co_await uploaded.text() == "5000000");

  auto moved = co_await session.get(base + "/old");
  CHECK(moved.status() == 200 && moved.history().size() == 1 && moved.url().path() == "/");

  auto missing = co_await session.get(base + "/missing");
  CHECK(missing.status() == 404);
  CHECK_THROWS(http::ResponseError, missing.raise_for_status());
  auto broken = co_await session.get(base + "/broken");
  CHECK(broken.status() == 500);  // and the server lives on
  auto search = http::Url(base + "/").with_query("q", "a b&c");
  auto found = co_await session.get(search);
  CHECK(found.url().query() == "q=a+b%26c");
  CHECK_THROWS(eddy::TimeoutError, co_await session.get(base + "/timeit/50", {.timeout = 50ms}));
  CHECK_THROWS(eddy::ConnectionRefusedError, co_await session.get("http://127.0.0.1:1/"));
  co_await server.shutdown();  // graceful: requests in flight finish first
}

int main() {
  eddy::run(requests());
  return ok();
}
