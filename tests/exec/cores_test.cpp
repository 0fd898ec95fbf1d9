// SPDX-License-Identifier: MIT
#include <eddy/cores.hpp>
#include <eddy/eddy.hpp>
#include <eddy/sockets.hpp>
#include <eddy/streams.hpp>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support.hpp"

using eddy::Core;

namespace {

Coro<> forever(std::atomic<int>& unwound) {
  struct Count {
    std::atomic<int>& unwound;
    ~Count() { ++unwound; }
  } count{unwound};
  co_await eddy::sleep(1h);
}

}  // namespace

TEST(Cores, EachHasAThreadAndALoopOfItsOwn) {
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    std::mutex lock;
    std::set<std::thread::id> threads;
    std::set<eddy::EventLoop*> loops;
    std::set<int> indices;
    eddy::run_on_all_cores(
        [&](Core core) -> Coro<> {
          co_await eddy::sleep(1ms);
          const std::lock_guard guard(lock);
          threads.insert(std::this_thread::get_id());
          loops.insert(&eddy::get_running_loop());
          EXPECT_EQ(&core.loop(), &eddy::get_running_loop());
          EXPECT_EQ(core.count(), 3);
          indices.insert(core.index());
        },
        {.cores = 3, .backend = backend});
    EXPECT_EQ(threads.size(), 3u);
    EXPECT_TRUE(threads.contains(std::this_thread::get_id()));
    EXPECT_EQ(loops.size(), 3u);
    EXPECT_EQ(indices, (std::set{0, 1, 2}));
  }
}

TEST(Cores, AreAsManyAsTheProcessMayUse) {
  cpu_set_t set;
  ASSERT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  std::atomic<int> count = 0;
  eddy::run_on_all_cores([&](Core) -> Coro<> {
    ++count;
    co_return;
  });
  EXPECT_EQ(count, CPU_COUNT(&set));
}

TEST(Cores, CanBePinned) {
  cpu_set_t before, after;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  std::atomic<int> pinned = 0;
  eddy::run_on_all_cores(
      [&](Core) -> Coro<> {
        cpu_set_t set;
        if (::sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1) ++pinned;
        co_return;
      },
      {.cores = 2, .pin = true});
  EXPECT_EQ(pinned, 2);
  ASSERT_EQ(::sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST(Cores, CallOneAnother) {
  std::atomic<int> sum = 0;
  eddy::run_on_all_cores(
      [&](Core core) -> Coro<> {
        const auto here = std::this_thread::get_id();
        const auto next = core.other((core.index() + 1) % core.count());
        auto square = [](int x) -> Coro<int> {
          co_await eddy::sleep(1ms);
          co_return x * x;
        };
        sum += co_await next.call(square, core.index() + 2);
        const auto there = co_await next.call([] { return std::this_thread::get_id(); });
        EXPECT_NE(there, here);
        EXPECT_EQ(std::this_thread::get_id(), here);
      },
      {.cores = 3});
  EXPECT_EQ(sum, 4 + 9 + 16);
}

TEST(Cores, TakeCallsUntilAllHaveEnded) {
  int calls = 0;
  auto main = [&](Core core) -> Coro<> {
    if (core.index() == 0) co_return;
    for (int i = 0; i < 100; ++i) co_await core.other(0).call([&] { ++calls; });
  };
  eddy::run_on_all_cores(main, {.cores = 3});
  EXPECT_EQ(calls, 200);
}

TEST(Cores, ACancelledCallCancelsItsTask) {
  std::atomic<int> unwound = 0;
  auto main = [&](Core core) -> Coro<> {
    if (core.index() != 0) co_return;
    auto wait = [&] { return forever(unwound); };
    EXPECT_THROW(co_await eddy::timeout(5ms, core.other(1).call(wait)), eddy::TimeoutError);
    while (unwound == 0) co_await eddy::sleep(1ms);
  };
  eddy::run_on_all_cores(main, {.cores = 2});
  EXPECT_EQ(unwound, 1);
}

TEST(Cores, RefuseWhatIsNoCore) {
  std::string text;
  eddy::run_on_all_cores(
      [&](Core core) -> Coro<> {
        if (core.index() == 0) text = TEXT_OF(eddy::ValueError, core.other(2));
        co_return;
      },
      {.cores = 2});
  EXPECT_EQ(text, "core 2: there are cores 0 to 1");
  auto nothing = [](Core) -> Coro<> { co_return; };
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::run_on_all_cores(nothing, {.cores = -1})),
            "run_on_all_cores: .cores is -1: it must be 0 or more");
}

TEST(Cores, CannotBeRunInsideOfALoop) {
  auto main = []() -> Coro<std::string> {
    auto nothing = [](Core) -> Coro<> { co_return; };
    co_return TEXT_OF(eddy::RuntimeError, eddy::run_on_all_cores(nothing));
  };
  EXPECT_EQ(eddy::run(main()), "run_on_all_cores() cannot be called while an event loop runs on this thread");
}

TEST(Cores, TheFirstExceptionCancelsTheOthersAndComesOut) {
  for (const int thrower : {0, 1, 2}) {
    std::atomic<int> unwound = 0;
    auto main = [&](Core core) -> Coro<> {
      if (core.index() == thrower) {
        co_await eddy::sleep(5ms);
        throw std::runtime_error("core " + std::to_string(core.index()));
      }
      co_await forever(unwound);
    };
    EXPECT_EQ(TEXT_OF(std::runtime_error, eddy::run_on_all_cores(main, {.cores = 3})), "core " + std::to_string(thrower));
    EXPECT_EQ(unwound, 2);
  }
}

TEST(Cores, OneThatIsCancelledMayStillAwait) {
  std::atomic<int> cleaned = 0;
  auto main = [&](Core core) -> Coro<> {
    if (core.index() == 0) throw std::runtime_error("stop");
    bool cancelled = false;
    try {
      co_await eddy::sleep(1h);
    } catch (const eddy::CancelledError&) {
      cancelled = true;
    }
    co_await eddy::sleep(2ms);  // it is cancelled once, not again by each other core
    if (cancelled) ++cleaned;
    throw eddy::CancelledError();
  };
  EXPECT_EQ(TEXT_OF(std::runtime_error, eddy::run_on_all_cores(main, {.cores = 4})), "stop");
  EXPECT_EQ(cleaned, 3);
}

TEST(Cores, LetTheirClientsFinish) {
  constexpr int kClients = 8;
  eddy::Socket holder(AF_INET, SOCK_STREAM);
  holder.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1);
  holder.bind({"127.0.0.1", 0});
  const int port = holder.getsockname().port();
  std::atomic<int> serving = 0;
  std::atomic<bool> stop = false;

  auto echo_twice = [](eddy::StreamReader reader, eddy::StreamWriter writer) -> Coro<> {
    try {
      for (int i = 0; i < 2; ++i) writer.write(co_await reader.readexactly(1));
    } catch (const eddy::EOFError&) {  // one that only asked whether we listen
    }
  };
  auto main = [&](Core core) -> Coro<> {
    if (core.index() == 0) {
      while (!stop) co_await eddy::sleep(1ms);
      throw std::runtime_error("stop");
    }
    auto server = co_await eddy::start_server(echo_twice, "127.0.0.1", port, {.reuse_port = true});
    ++serving;
    co_await server.serve_forever(1h);
  };
  auto clients = [&]() -> Coro<int> {
    while (serving < 2) co_await eddy::sleep(1ms);
    std::vector<eddy::Streams> open;
    for (int i = 0; i < kClients; ++i) {
      open.push_back(co_await eddy::open_connection("127.0.0.1", port));
      open.back().writer.write("a");
      EXPECT_EQ(co_await open.back().reader.readexactly(1), "a");
    }
    stop = true;
    for (bool refused = false; !refused;) {
      try {
        co_await eddy::open_connection("127.0.0.1", port);
      } catch (const eddy::ConnectionRefusedError&) {
        refused = true;
      } catch (const eddy::ConnectionError&) {  // it was on its way when the listener went
      }
    }
    int answered = 0;
    for (auto& [reader, writer] : open) {
      writer.write("b");
      answered += co_await reader.readexactly(1) == "b";
    }
    co_return answered;
  };
  int answered = 0;
  std::thread thread([&] { answered = eddy::run(clients()); });
  EXPECT_EQ(TEXT_OF(std::runtime_error, eddy::run_on_all_cores(main, {.cores = 3})), "stop");
  thread.join();
  EXPECT_EQ(answered, kClients);
}

TEST(Cores, CtrlCUnwindsAllOfThem) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGINT, SIG_DFL);
    std::atomic<int> unwound = 0, ready = 0;
    auto main = [&](Core core) -> Coro<> {
      if (++ready == core.count()) [[maybe_unused]] const auto said = ::write(ends[1], "r", 1);
      co_await forever(unwound);
    };
    try {
      eddy::run_on_all_cores(main, {.cores = 3});
    } catch (const eddy::KeyboardInterrupt&) {
      ::_exit(unwound);
    }
    ::_exit(99);
  }
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  ::kill(child, SIGINT);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 3);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Cores, ShareAPort) {
  std::atomic<int> port = 0;
  std::mutex lock;
  std::set<int> served;
  auto main = [&](Core core) -> Coro<> {
    auto echo = [&, index = core.index()](eddy::StreamReader reader, eddy::StreamWriter writer) -> Coro<> {
      {
        const std::lock_guard guard(lock);
        served.insert(index);
      }
      while (auto line = co_await reader.next()) {
        writer.write(*line);
        co_await writer.drain();
      }
    };
    if (core.index() == 0) {
      auto server = co_await eddy::start_server(echo, "127.0.0.1", 0, {.reuse_port = true});
      port = server.port();
      for (bool all = false; !all;) {  // until the kernel has given each loop a connection
        auto [reader, writer] = co_await eddy::open_connection("127.0.0.1", port);
        writer.write("hello\n");
        const std::string line = co_await reader.readline();
        EXPECT_EQ(line, "hello\n");
        const std::lock_guard guard(lock);
        all = served.size() == 2;
      }
      throw std::runtime_error("done");
    }
    while (port == 0) co_await eddy::sleep(1ms);
    auto server = co_await eddy::start_server(echo, "127.0.0.1", port, {.reuse_port = true});
    co_await server.serve_forever();
  };
  EXPECT_EQ(TEXT_OF(std::runtime_error, eddy::run_on_all_cores(main, {.cores = 2})), "done");
}

TEST(ThreadsafeQueue, CarriesFromManyThreadsInOrder) {
  auto main = []() -> Coro<> {
    eddy::ThreadsafeQueue<std::pair<int, int>> queue;
    constexpr int kThreads = 4, kItems = 1000;
    std::vector<std::thread> threads;
    for (int id = 0; id < kThreads; ++id) {
      threads.emplace_back([&queue, id] {
        for (int i = 0; i < kItems; ++i) queue.put({id, i});
      });
    }
    std::vector<int> next(kThreads, 0);
    for (int n = 0; n < kThreads * kItems; ++n) {
      const auto [id, i] = co_await queue.get();
      if (i != next[static_cast<std::size_t>(id)]++) ADD_FAILURE() << i;
    }
    EXPECT_EQ(queue.qsize(), 0u);
    for (auto& thread : threads) thread.join();
  };
  eddy::run(main());
}

TEST(ThreadsafeQueue, IsBoundedAndEnds) {
  auto main = []() -> Coro<> {
    eddy::ThreadsafeQueue<int> queue(2);
    bool third = true;
    std::string full, shut;
    auto fill = [&] {
      queue.put(1);
      queue.put(2);
      third = queue.try_put(3);
      full = TEXT_OF(eddy::QueueFull, queue.put(3));
      queue.shutdown();
      shut = TEXT_OF(eddy::QueueShutDown, queue.put(4));
    };
    co_await eddy::to_thread(fill);
    EXPECT_FALSE(third);
    EXPECT_NE(full, "");
    EXPECT_NE(shut, "");
    EXPECT_EQ(co_await queue.get(), 1);
    EXPECT_EQ(co_await queue.get(), 2);
    bool ended = false;
    try {
      co_await queue.get();
    } catch (const eddy::QueueShutDown&) {
      ended = true;
    }
    EXPECT_TRUE(ended);
  };
  eddy::run(main());
}
