// SPDX-License-Identifier: MIT
// What goes wrong on purpose: it changes nothing where it must not, and is seen as what it is where it may.
#include <eddy/eddy.hpp>
#include <eddy/faults.hpp>
#include <eddy/fs.hpp>

#include <sys/socket.h>

#include <filesystem>

#include "io/descriptor_count.hpp"
#include "support.hpp"

using eddy::StreamReader;
using eddy::StreamWriter;
using eddy::testing::error_of;
using eddy::testing::Faults;
using eddy::testing::Log;

namespace {

// The sleep between two attempts to accept takes no time.
template <class F>
void on_every_backend(const Faults& faults, F body) {
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    eddy::run(eddy::timeout(1h, body()), {.backend = backend, .virtual_time = true, .faults = &faults});
  }
}

Coro<> echo(StreamReader reader, StreamWriter writer) {
  for (;;) {
    const auto bytes = co_await reader.read(64 * 1024);
    if (bytes.empty()) break;
    writer.write(bytes);
    co_await writer.drain();
  }
  writer.close();
  co_await writer.wait_closed();
}

std::string some_text(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ' ';
  text.resize(size);
  return text;
}

Coro<std::string> sent_and_received(int port, std::string text) {
  auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", port);
  auto send = [](StreamWriter to, std::string what) -> Coro<> {
    to.write(what);
    to.write_eof();
    co_await to.drain();
  };
  auto sending = eddy::create_task(send(writer, text));
  auto received = co_await reader.read();
  co_await sending;
  writer.close();
  co_return std::string(received);
}

std::string read_lengths(std::uint64_t seed) {
  Log log;
  const Faults faults{.seed = seed, .short_reads = 0.5, .not_ready = 0.5};
  auto body = [&]() -> Coro<> {
    auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
    auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
    const auto text = some_text(200);
    for (int i = 0; i < 5; ++i) {
      writer.write(text);
      for (std::size_t got = 0; got < text.size();) {
        const auto bytes = co_await reader.read(1000);
        log(bytes.size());
        got += bytes.size();
      }
    }
    server.close_clients();
    server.close();
  };
  eddy::run(body(), {.backend = eddy::Backend::epoll, .virtual_time = true, .faults = &faults});
  return log.str();
}

}  // namespace

TEST(Faults, ShortTransfersAndDelaysChangeNothing) {
  for (const double share : {0.1, 0.5, 1.0}) {
    SCOPED_TRACE(share);
    const Faults faults{.short_reads = share, .short_writes = share, .not_ready = share};
    on_every_backend(faults, []() -> Coro<> {
      auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
      for (const std::size_t size : {0, 1, 17, 4096, 100'000}) {
        auto text = some_text(size);
        const auto back = co_await sent_and_received(server.port(), text);
        EXPECT_EQ(back, text) << size;
      }
      server.close();
      co_await server.wait_closed();
    });
  }
}

TEST(Faults, AShortReadBringsAtMostSixteenBytes) {
  const Faults faults{.short_reads = 1};
  on_every_backend(faults, []() -> Coro<> {
    auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
    auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
    writer.write(some_text(1000));
    for (std::size_t got = 0; got < 1000;) {
      const auto bytes = co_await reader.read(1000);
      EXPECT_GT(bytes.size(), 0u);
      EXPECT_LE(bytes.size(), 16u);
      got += bytes.size();
    }
    server.close_clients();
    server.close();
  });
}

TEST(Faults, TheSameSeedBringsTheSameFaults) {
  const auto lengths = read_lengths(3);
  EXPECT_EQ(read_lengths(3), lengths);
  EXPECT_NE(read_lengths(4), lengths);
}

TEST(Faults, AResetBreaksTheConnectionForBothEnds) {
  const Faults faults{.resets = 1};
  on_every_backend(faults, []() -> Coro<> {
    eddy::Queue<std::string> ends;
    auto handler = [&](StreamReader reader, StreamWriter) -> Coro<> {
      const auto error = co_await error_of<eddy::ConnectionResetError>(reader.read(10));
      ends.put_nowait(error.what());
    };
    auto server = co_await eddy::start_server(handler, "127.0.0.1", 0);
    auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
    const auto error = co_await error_of<eddy::ConnectionResetError>(reader.read(10));
    EXPECT_EQ(std::string(error.what()), "read from 127.0.0.1:" + std::to_string(server.port()) + ": Connection reset by peer");
    writer.write("more");
    EXPECT_THROW(co_await writer.drain(), eddy::ConnectionResetError);
    const auto other = co_await ends.get();
    EXPECT_TRUE(other.ends_with("Connection reset by peer")) << other;
    server.close();
    co_await server.wait_closed();
  });
}

// Each connection ends with all that it sent or with the error of a broken connection, and nothing stays.
TEST(Faults, ConnectionsThatBreakLeaveNothingBehind) {
  const auto before = open_descriptors();
  const Faults faults{.seed = 5, .short_reads = 0.2, .short_writes = 0.2, .not_ready = 0.2, .resets = 0.01};
  std::size_t whole = 0, broken = 0;
  on_every_backend(faults, [&]() -> Coro<> {
    eddy::get_running_loop().set_exception_handler([](const eddy::ExceptionContext&) {});  // the handlers' broken ends
    auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
    const auto text = some_text(3000);
    for (int i = 0; i < 100; ++i) {
      auto attempt = sent_and_received(server.port(), text);
      try {
        const auto back = co_await std::move(attempt);
        // What a peer that was reset had not sent is missing; what came is right.
        back == text ? ++whole : ++broken;
        EXPECT_EQ(back, text.substr(0, back.size()));
      } catch (const eddy::ConnectionError&) {
        ++broken;
      }
    }
    server.close();
    co_await server.wait_closed();
  });
  EXPECT_GT(whole, 0u);
  EXPECT_GT(broken, 0u);
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Faults, AConnectionWhoseAcceptFailedIsServedLater) {
  const Faults faults{.seed = 2, .failed_accepts = 0.5};
  on_every_backend(faults, []() -> Coro<> {
    std::size_t failures = 0;
    std::string message;
    eddy::get_running_loop().set_exception_handler([&](const eddy::ExceptionContext& context) {
      ++failures;
      message = context.message;
    });
    auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
    for (int i = 0; i < 20; ++i) {
      const auto back = co_await sent_and_received(server.port(), "hello");
      EXPECT_EQ(back, "hello");
    }
    EXPECT_GT(failures, 0u);
    EXPECT_EQ(message, "accept on 127.0.0.1:" + std::to_string(server.port()) +
                           " failed: Too many open files; trying again in 1s");
    server.close();
    co_await server.wait_closed();
  });
}

TEST(Faults, AServerThatEndsClosesWhatItCouldNotAccept) {
  const auto before = open_descriptors();
  const Faults faults{.failed_accepts = 1};
  on_every_backend(faults, []() -> Coro<> {
    eddy::get_running_loop().set_exception_handler([](const eddy::ExceptionContext&) {});
    auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
    auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", server.port());
    co_await eddy::sleep(500ms);
    server.close();
    EXPECT_THROW(co_await reader.readexactly(1), eddy::IncompleteReadError);
  });
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Faults, FilesAreReadAndWrittenWhole) {
  const auto path = std::filesystem::temp_directory_path() / ("eddy_faults_" + std::to_string(::getpid()));
  const Faults faults{.short_reads = 0.7, .short_writes = 0.7};
  on_every_backend(faults, [&]() -> Coro<> {
    const auto text = some_text(5000);
    auto file = co_await eddy::fs::open(path.string(), "w+");
    co_await file.write(text);
    co_await file.seek(0);
    const auto back = co_await file.read();
    EXPECT_EQ(back, text);
    co_await file.close();
  });
  std::filesystem::remove(path);
}

TEST(Faults, AShareIsFromZeroToOne) {
  const Faults faults{.not_ready = 1.5};
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::EventLoop({.faults = &faults})),
            "faults: not_ready is 1.5: it is a share, from 0 to 1");
}
