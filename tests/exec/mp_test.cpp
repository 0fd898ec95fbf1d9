// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "support.hpp"

using eddy::CancelledError;
using eddy::testing::error_of;
namespace mp = eddy::mp;

namespace {

struct Query {
  std::string text;
  mp::Connection<std::string, int> answer_to;
};

// The one that has the database: answers each query on the pipe that came with it.
void answer(mp::Queue<std::optional<Query>> queries) {
  for (;;) {
    auto query = queries.blocking_get();
    if (!query) return;
    query->answer_to.blocking_send("answer to " + query->text);
  }
}

// Asks so often, and fails if an answer is another one's.
void ask(mp::Queue<std::optional<Query>> queries, int who, int times) {
  for (int i = 0; i < times; ++i) {
    auto [here, there] = mp::pipe<int, std::string>();
    const auto text = std::to_string(who) + "/" + std::to_string(i);
    queries.blocking_put(Query{text, std::move(there)});
    if (here.blocking_recv() != "answer to " + text) throw eddy::SystemExit(9);
  }
}

void echo(mp::Connection<std::string> connection) {
  try {
    for (;;) connection.blocking_send(connection.blocking_recv());
  } catch (const eddy::EOFError&) {
  }
}

void count_to(mp::Queue<int> queue, int last) {
  for (int i = 1; i <= last; ++i) queue.blocking_put(i);
}

int add(int a, int b) { return a + b; }
int nap(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
  return ms;
}
void sleep_long() { std::this_thread::sleep_for(60s); }
void sleep_long_and_tell(mp::Connection<int> parent) {
  parent.blocking_send(::getpid());
  sleep_long();
}
void nothing() {}
void fail() { throw eddy::KeyError("no novel"); }
void exit_with(int code) { throw eddy::SystemExit(code); }
int crash(int) {
  ::signal(SIGSEGV, SIG_DFL);
  ::raise(SIGSEGV);
  return 0;
}

struct Progress {
  int task = 0;
  double part = 0;
};
int work_with_progress(int task, mp::Connection<Progress> progress) {
  for (int step = 1; step <= 4; ++step) progress.blocking_send({task, step / 4.0});
  return task;
}

Coro<int> serve_in_child(mp::Connection<int> connection) {
  const int n = co_await connection.recv();
  co_await connection.send(n + 1);
  co_return n;
}
void run_a_loop(mp::Connection<int> connection) { eddy::run(serve_in_child(std::move(connection))); }

std::string temporary_path() {
  return (std::filesystem::temp_directory_path() / ("eddy-mp-" + std::to_string(::getpid()))).string();
}

bool no_children() { return ::waitpid(-1, nullptr, WNOHANG) < 0; }

}  // namespace

// --- pipes and queues -------------------------------------------------------------------------------

TEST(Mp, MP_01_EachOfEightRequestersGetsItsOwnAnswers) {
  mp::Queue<std::optional<Query>> queries;
  mp::Process database({.name = "database"}, answer, queries);
  database.start();
  std::vector<mp::Process> requesters;
  for (int who = 0; who < 8; ++who) requesters.emplace_back(ask, queries, who, 20);
  for (auto& requester : requesters) requester.start();
  for (auto& requester : requesters) {
    requester.join();
    EXPECT_EQ(requester.exitcode(), 0);
  }
  queries.blocking_put(std::nullopt);
  database.join();
  EXPECT_EQ(database.exitcode(), 0);
}

BACKEND_TEST(Mp, MP_02_APipeCarriesMessagesOfAnySize) {
  auto [here, there] = mp::pipe<std::string>();
  mp::Process child(echo, there);
  child.start();
  there.close();
  for (std::size_t size : {0u, 1u, 32'700u, 32'768u, 3'000'000u}) {
    const std::string text(size, 'x');
    co_await here.send(text);
    const auto back = co_await here.recv();
    EXPECT_EQ(back.size(), size);
  }
  here.close();
  EXPECT_EQ(co_await child.wait(), 0);
}

TEST(Mp, MPX_6_TheEndOfAPipeIsSeenOnBothSides) {
  auto [a, b] = mp::pipe<int, std::string>();
  EXPECT_FALSE(a.poll());
  b.blocking_send("last");
  b.close();
  EXPECT_TRUE(a.poll());
  EXPECT_EQ(a.blocking_recv(), "last");
  EXPECT_EQ(TEXT_OF(eddy::EOFError, a.blocking_recv()), "the other end of the connection is closed");
  EXPECT_EQ(TEXT_OF(eddy::BrokenPipeError, a.blocking_send(1)),
            "cannot send a message: the other end of the connection is closed: Broken pipe");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, b.blocking_recv()), "the connection is closed");
}

TEST(Mp, BlockingCallsKnowTheirTimeout) {
  auto [a, b] = mp::pipe<int>();
  EXPECT_EQ(TEXT_OF(eddy::TimeoutError, a.blocking_recv(10ms)), "no message came after 10ms");
  EXPECT_EQ(TEXT_OF(eddy::TimeoutError, for (;;) a.blocking_send(1, 10ms)),
            "the other process took no message after 10ms");
  mp::Queue<int> queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_THROW(queue.get_nowait(), eddy::QueueEmpty);
  queue.blocking_put(5);
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(queue.get_nowait(), 5);
}

BACKEND_TEST(Mp, MPX_2_AQueueLosesNothingWhenItsGetsAreCancelled) {
  mp::Queue<int> queue;
  mp::Process counter(count_to, queue, 3000);
  counter.start();
  auto& out = queue;
  std::vector<int> got;
  auto take = [&]() -> Coro<> {
    for (;;) got.push_back(co_await out.get());
  };
  while (got.size() < 3000) {
    auto task = eddy::create_task(take());
    co_await eddy::sleep(0s);
    co_await eddy::sleep(100us);
    task.cancel();
    co_await error_of<CancelledError>(task);
  }
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()) && got.front() == 1 && got.back() == 3000);
  EXPECT_EQ(co_await counter.wait(), 0);
}

BACKEND_TEST(Mp, SeveralTasksMayWaitForOneQueue) {
  mp::Queue<int> queue;
  auto get = [&]() -> Coro<int> { co_return co_await queue.get(); };
  auto a = eddy::create_task(get());
  auto b = eddy::create_task(get());
  co_await eddy::sleep(1ms);
  co_await queue.put(1);
  co_await queue.put(2);
  const int sum = (co_await a) + (co_await b);
  EXPECT_EQ(sum, 3);
}

BACKEND_TEST(Mp, AFullQueueMakesPutWait) {
  mp::Queue<std::string> queue;
  const std::string item(10'000, 'x');
  int put = 0;
  auto fill = [&]() -> Coro<> {
    for (; put < 200; ++put) co_await queue.put(item);
  };
  auto filling = eddy::create_task(fill());
  co_await eddy::sleep(5ms);
  EXPECT_LT(put, 200);
  for (int i = 0; i < 200; ++i) co_await queue.get();
  co_await filling;
  EXPECT_TRUE(queue.empty());
}

TEST(Mp, MP_03_ItemsHaveNoNameInSharedMemory) {
  const auto names = [] {
    std::string text;
    for (const auto& entry : std::filesystem::directory_iterator("/dev/shm"))
      text += entry.path().string() + " ";
    return text;
  };
  const auto before = names();
  mp::Queue<std::string> queue;
  queue.blocking_put(std::string(1'000'000, 'x'));
  EXPECT_EQ(names(), before);
  EXPECT_EQ(queue.blocking_get().size(), 1'000'000u);
}

BACKEND_TEST(Mp, ALoopInAChildTalksToALoopHere) {
  auto [here, there] = mp::pipe<int>();
  mp::Process child(run_a_loop, there);
  child.start();
  there.close();
  co_await here.send(4);
  EXPECT_EQ(co_await here.recv(), 5);
  EXPECT_EQ(co_await child.wait(), 0);
}

BACKEND_TEST(Mp, MPX_6_AListenerTakesConnections) {
  const auto path = temporary_path();
  {
    mp::Listener<int> listener(path);
    EXPECT_EQ(std::filesystem::status(path).permissions() & std::filesystem::perms::others_all,
              std::filesystem::perms::none);
    EXPECT_EQ(TEXT_OF(eddy::OSError, mp::Listener<int>{path}),
              "cannot listen at '" + path + "': Address already in use");
    auto client = mp::connect<int>(path);
    auto server = co_await listener.accept();
    co_await client.send(6);
    EXPECT_EQ(co_await server.recv(), 6);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(TEXT_OF(eddy::FileNotFoundError, mp::connect<int>(path)),
            "cannot connect to '" + path + "': No such file or directory");
}

TEST(Mp, MPX_6_WaitTellsWhichAreReady) {
  auto [a, b] = mp::pipe<int>();
  mp::Queue<int> queue;
  mp::Process child(nothing);
  child.start();
  EXPECT_EQ(mp::wait({a.fileno(), queue.fileno()}, 5ms), std::vector<std::size_t>{});
  queue.blocking_put(1);
  EXPECT_EQ(mp::wait({a.fileno(), queue.fileno()}, 5s), (std::vector<std::size_t>{1}));
  EXPECT_EQ(mp::wait({a.fileno(), child.sentinel()}, 5s), (std::vector<std::size_t>{1}));
}

// --- processes --------------------------------------------------------------------------------------

TEST(MpProcess, MPX_1_ExitCodesTellHowItEnded) {
  const auto exit_code_of = [](auto function, auto... args) {
    mp::Process process(function, args...);
    process.start();
    process.join();
    return *process.exitcode();
  };
  EXPECT_EQ(exit_code_of(nothing), 0);
  EXPECT_EQ(exit_code_of(exit_with, 3), 3);
  EXPECT_EQ(exit_code_of(crash, 0), -SIGSEGV);
}

TEST(MpProcess, MPX_1_AnExceptionIsPrinted) {
  ::testing::internal::CaptureStderr();
  mp::Process process({.name = "reader"}, fail);
  process.start();
  process.join();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "process 'reader' ended by eddy::KeyError: no novel\n");
  EXPECT_EQ(process.exitcode(), 1);
}

TEST(MpProcess, MPX_1_TerminateKillAndInterrupt) {
  for (auto [end, signal] :
       {std::pair{&mp::Process::terminate, SIGTERM}, std::pair{&mp::Process::kill, SIGKILL},
        std::pair{&mp::Process::interrupt, SIGINT}}) {
    auto [here, there] = mp::pipe<int>();
    mp::Process process(sleep_long_and_tell, there);
    EXPECT_FALSE(process.is_alive());
    EXPECT_EQ(process.exitcode(), std::nullopt);
    process.start();
    EXPECT_EQ(here.blocking_recv(), process.pid());
    EXPECT_TRUE(process.is_alive());
    EXPECT_FALSE(process.join(1ms));
    (process.*end)();
    EXPECT_TRUE(process.join());
    EXPECT_EQ(process.exitcode(), -signal);
    EXPECT_FALSE(process.is_alive());
  }
  EXPECT_TRUE(no_children());
}

TEST(MpProcess, MistakesAreNamed) {
  mp::Process process({.name = "idle"}, nothing);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, process.join()),
            "the process 'idle' was not started: start() comes first");
  process.start();
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, process.start()), "the process 'idle' was started already");
}

TEST(MpProcess, ADaemonEndsWithItsHandle) {
  int pid = 0;
  {
    mp::Process daemon({.daemon = true}, sleep_long);
    daemon.start();
    pid = daemon.pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_TRUE(no_children());
}

BACKEND_TEST(MpProcess, MP_04_AProcessOverItsLimitIsKilled) {
  EXPECT_EQ(co_await mp::run_process({.timeout = 10s}, add, 2, 3), 5);
  EXPECT_STREQ(
      (co_await error_of<eddy::TimeoutError>(mp::run_process({.timeout = 50ms}, nap, 60'000))).what(),
      "the process ran longer than 50ms and was killed");
  EXPECT_TRUE(no_children());
}

BACKEND_TEST(MpProcess, MP_04_ACancelledRunProcessKillsTheProcess) {
  auto body = []() -> Coro<> { co_await mp::run_process({}, nap, 60'000); };
  auto task = eddy::create_task(body());
  co_await eddy::sleep(5ms);
  task.cancel();
  co_await error_of<CancelledError>(task);
  EXPECT_TRUE(no_children());
}

BACKEND_TEST(MpProcess, ACrashOfRunProcessIsAnError) {
  const auto error = co_await error_of<mp::ProcessDied>(mp::run_process({}, crash, 0));
  EXPECT_STREQ(error.what(), "the process died by signal 11 (Segmentation fault) before it gave a result");
  EXPECT_EQ(error.exitcode(), -SIGSEGV);
  EXPECT_STREQ((co_await error_of<eddy::KeyError>(mp::run_process({}, fail))).what(), "no novel");
}

BACKEND_TEST(MpProcess, SeveralTasksMayWaitForItsEnd) {
  mp::Process process(nap, 20);
  process.start();
  auto wait = [&]() -> Coro<int> { co_return co_await process.wait(); };
  auto [a, b] = co_await eddy::gather(wait(), wait());
  EXPECT_EQ(a + b, 0);
}

BACKEND_TEST(MpProcess, MP_05_AChildReportsItsProgress) {
  eddy::ProcessPoolExecutor pool{{.max_workers = 1}};
  auto [here, there] = mp::pipe<Progress>();
  auto job = pool.submit(work_with_progress, 17, there);
  there.close();
  std::string text;
  for (int i = 0; i < 4; ++i) {
    const auto progress = co_await here.recv();
    text += std::to_string(progress.task) + ":" + std::to_string(static_cast<int>(progress.part * 100)) + " ";
  }
  EXPECT_EQ(text, "17:25 17:50 17:75 17:100 ");
  EXPECT_EQ(job.result(), 17);
  co_await error_of<eddy::EOFError>(here.recv());
}

// --- the pool under its other name ------------------------------------------------------------------

TEST(MpPool, MPX_3_MapsInOrderAsTheyComeAndOverTuples) {
  mp::Pool pool(2);
  EXPECT_EQ(pool.apply(add, 1, 2), 3);
  EXPECT_EQ(pool.apply_async(add, 1, 3).result(), 4);
  EXPECT_EQ(pool.map(nap, std::vector{3, 1, 2}, 2), (std::vector{3, 1, 2}));
  EXPECT_EQ(pool.starmap(add, std::vector<std::tuple<int, int>>{{1, 2}, {3, 4}}), (std::vector{3, 7}));
  std::vector<int> in_order, as_they_come;
  for (int ms : pool.imap(nap, std::vector{400, 1})) in_order.push_back(ms);
  for (int ms : pool.imap_unordered(nap, std::vector{400, 1})) as_they_come.push_back(ms);
  EXPECT_EQ(in_order, (std::vector{400, 1}));
  EXPECT_EQ(as_they_come, (std::vector{1, 400}));
}
