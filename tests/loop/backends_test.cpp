// SPDX-License-Identifier: MIT
#include <eddy/backends.hpp>
#include <eddy/eddy.hpp>

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <thread>

#include "loop/loop.hpp"
#include "support.hpp"

using eddy::Backend;

TEST(Backends, EachHasAStatusAndThoseThatAreUsableAreAvailable) {
  std::vector<Backend> all, usable;
  for (const auto& status : eddy::backend_statuses()) {
    all.push_back(status.backend);
    if (status.usable) usable.push_back(status.backend);
    EXPECT_EQ(status.usable, status.reason.empty()) << status.reason;
  }
  EXPECT_EQ(all, (std::vector{Backend::epoll, Backend::poll, Backend::select, Backend::io_uring}));
  EXPECT_EQ(usable, eddy::available_backends());
}

TEST(Backends, AutomaticIsWhatTheEnvironmentSaysElseTheDefault) {
  const char* before = std::getenv("EDDY_BACKEND");
  const std::string kept = before ? before : "";
  ::setenv("EDDY_BACKEND", "", 1);
  EXPECT_EQ(eddy::choose_backend().backend, Backend::epoll);
  EXPECT_EQ(eddy::choose_backend().reason, "the default");
  ::setenv("EDDY_BACKEND", "io_uring", 1);
  EXPECT_EQ(eddy::choose_backend().backend, Backend::io_uring);
  EXPECT_EQ(eddy::choose_backend().reason, "EDDY_BACKEND asks for it");
  ::setenv("EDDY_BACKEND", "automatic", 1);
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::choose_backend()),
            "EDDY_BACKEND is 'automatic': it must be epoll, poll, select, io_uring or simulated");
  ::setenv("EDDY_BACKEND", kept.c_str(), 1);
}

TEST(Backends, IoUringIsUsableOrSaysWhyNot) {
  const auto statuses = eddy::backend_statuses();
  const auto& uring = statuses.back();
  EXPECT_EQ(uring.usable, !eddy::io_uring_features().empty());
  if (uring.usable) {
    EXPECT_EQ(eddy::EventLoop({.backend = Backend::io_uring}).backend_name(), "io_uring");
  } else {
    EXPECT_EQ(TEXT_OF(eddy::RuntimeError, eddy::EventLoop({.backend = Backend::io_uring})),
              "the io_uring back end cannot be used: " + uring.reason + "; choose epoll");
  }
}

// The tests of io_uring are skipped where eddy says that it cannot be used: here the kernel is asked without eddy.
TEST(Backends, IoUringIsUsableWhereTheKernelGivesARing) {
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const auto ring = static_cast<int>(::syscall(SYS_io_uring_setup, 8, &parameters));
  const bool has_ring = ring >= 0;
  if (has_ring) ::close(ring);
  const auto uring = eddy::backend_statuses().back();
  EXPECT_TRUE(uring.usable || !has_ring) << uring.reason;
}

namespace {

int answer(Backend backend) {
  auto main = []() -> Coro<int> {
    co_await eddy::sleep(1ms);
    co_return 42;
  };
  return eddy::run(main(), {.backend = backend});
}

}  // namespace

TEST(Backends, ALoopMadeOnOneThreadRunsOnAnother) {
  for (auto backend : eddy::available_backends()) {
    eddy::EventLoop loop({.backend = backend});
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    int calls = 0;
    auto read = [&] {
      char byte;
      calls += ::read(ends[0], &byte, 1) == 1;
      loop.stop();
    };
    loop.add_reader(ends[0], read);
    for (int i = 0; i < 3; ++i) {
      std::thread([&] {
        ASSERT_EQ(::write(ends[1], "x", 1), 1);
        loop.run_forever();
      }).join();
    }
    ASSERT_EQ(::write(ends[1], "x", 1), 1);
    loop.run_forever();
    EXPECT_EQ(calls, 4) << eddy::to_string(backend);
    std::thread([&] { loop.close(); }).join();
    ::close(ends[0]);
    ::close(ends[1]);
  }
}

// Two tasks talk; the loop stops in the middle, and goes on where another thread runs it.
TEST(Backends, AStreamGoesOnWhenAnotherThreadRunsTheLoop) {
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    eddy::EventLoop loop({.backend = backend});
    std::string text;
    auto main = [&]() -> Coro<> {
      auto echo = [](eddy::StreamReader reader, eddy::StreamWriter writer) -> Coro<> {
        for (;;) {
          auto line = co_await reader.readline();
          if (line.empty()) break;
          writer.write(line);
          co_await writer.drain();
        }
      };
      auto server = co_await eddy::start_server(echo, "127.0.0.1", 0);
      auto streams = co_await eddy::open_connection("127.0.0.1", server.port());
      for (int i = 0; i < 5; ++i) {
        streams.writer.write("a line\n");
        if (i % 2) co_await eddy::sleep(1ms);  // it has come, and nobody has read it
        loop.stop();
        co_await eddy::sleep(0ms);
        text += co_await streams.reader.readline();
      }
      server.close();
    };
    auto task = loop.create_task(main());
    while (!task.done()) {
      std::thread([&] {
        loop.call_later(50ms, [&] { loop.stop(); });
        loop.run_forever();
      }).join();
    }
    EXPECT_EQ(text, "a line\na line\na line\na line\na line\n");
  }
}

TEST(Backends, LoopsOnOneThreadTakeTurns) {
  for (auto backend : eddy::available_backends()) {
    std::vector<std::unique_ptr<eddy::EventLoop>> loops;
    for (int i = 0; i < 40; ++i) loops.push_back(std::make_unique<eddy::EventLoop>(eddy::LoopOptions{.backend = backend}));
    for (int round = 0; round < 2; ++round) {
      for (auto& loop : loops) {
        loop->call_later(0ms, [&] { loop->stop(); });
        loop->run_forever();
      }
    }
    EXPECT_EQ(answer(backend), 42);
  }
}

// The clock jumps to the next timer when the kernel has nothing to tell, and not past one that an event has armed.
TEST(VirtualTime, IsNotAheadOfATimerThatAnEventArms) {
  struct Armer final : eddy::detail::IoWatch {
    std::chrono::nanoseconds fired{0};
  };
  auto body = []() -> Coro<> {
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) throw eddy::OSError(errno, "pipe2");
    Armer armer;
    armer.fd = ends[0];
    armer.interest = eddy::detail::kReadable;
    armer.on_events = [](eddy::detail::IoWatch& watch, unsigned) noexcept {
      auto& self = static_cast<Armer&>(watch);
      eddy::detail::Loop::running().backend->unwatch(self);
      eddy::get_running_loop().call_later(1s, [&self] { self.fired = eddy::testing::now(); });
    };
    eddy::detail::Loop::running().backend->watch(armer);
    EXPECT_EQ(::write(ends[1], "x", 1), 1);
    co_await eddy::sleep(10s);
    EXPECT_EQ(armer.fired, 1s);
    for (int fd : ends) ::close(fd);
  };
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    eddy::run(body(), {.backend = backend, .virtual_time = true});
  }
}
