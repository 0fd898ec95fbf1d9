// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "exec/code_address.hpp"
#include "support.hpp"

using eddy::BrokenProcessPool;
using eddy::CancelledError;
using eddy::ProcessPoolExecutor;
using eddy::testing::error_of;

namespace {

eddy::EventLoop& loop() { return eddy::get_running_loop(); }

// --- what runs in the workers -----------------------------------------------------------------------

int own_pid(int) { return ::getpid(); }
int square(int n) { return n * n; }
double nap(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  return seconds;
}
int echo_once(eddy::mp::Connection<int> parent) { return parent.blocking_recv(); }
struct Nap {
  double operator()(double seconds) const { return nap(seconds); }
};
struct Crash {
  int operator()(int) const {
    ::signal(SIGABRT, SIG_DFL);
    ::raise(SIGABRT);
    return 0;
  }
};
struct Exit {
  void operator()(int code) const { ::_exit(code); }
};
std::string twice(std::string_view text) { return std::string(text) + std::string(text); }
void fail_with_key(int key) { throw eddy::KeyError("no key " + std::to_string(key)); }

struct NoSuchNovel : std::runtime_error {
  using runtime_error::runtime_error;
};
void fail_with_own_type() { throw NoSuchNovel("chapter 7"); }
void fail_with_number() { throw 42; }

int initialised = 0;
std::string greeting;
void set_up() { initialised = 7; }
void set_up_with(std::string text, int number) {
  greeting = text;
  initialised = number;
}
void set_up_badly() { throw eddy::ValueError("no such file"); }
std::string what_was_set_up() { return greeting + std::to_string(initialised); }

// Made before main(), by code: a worker's static objects are there.
const std::string made_before_main = [] { return std::string("made ") + "before main"; }();
std::string static_object() { return made_before_main; }

std::mutex held_by_parent;
int lock_the_mutex() {
  const std::lock_guard lock(held_by_parent);
  return 1;
}

std::vector<int> open_descriptors() {
  std::vector<int> fds;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    fds.push_back(std::stoi(entry.path().filename()));
  std::sort(fds.begin(), fds.end());
  fds.pop_back();  // the directory's own
  return fds;
}

int square_in_a_pool_of_its_own(int n) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  return pool.submit(square, n).result();
}

// Waits for the end of a process that is not our child.
bool ends(int pid, int milliseconds) {
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return true;
  pollfd entry{fd, POLLIN, 0};
  const bool ended = ::poll(&entry, 1, milliseconds) > 0;
  ::close(fd);
  return ended;
}

bool no_children() { return ::waitpid(-1, nullptr, WNOHANG) < 0; }

void wait_until_started(const ProcessPoolExecutor& pool) {
  while (pool.worker_pids().empty()) std::this_thread::yield();
}

}  // namespace

// --- values -----------------------------------------------------------------------------------------

TEST(ProcessPool, EXE_07_MapKeepsTheOrderAndWorksInOtherProcesses) {
  ProcessPoolExecutor pool{{.max_workers = 3}};
  EXPECT_EQ(pool.map(nap, std::vector{0.06, 0.03, 0.04}), (std::vector{0.06, 0.03, 0.04}));
  std::set<int> pids;
  for (int pid : pool.map(own_pid, std::vector{1, 2, 3})) pids.insert(pid);
  EXPECT_EQ(pids.count(::getpid()), 0u);
}

TEST(ProcessPool, GivesValuesTextsAndNothing) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  EXPECT_EQ(pool.submit(square, 12).result(), 144);
  EXPECT_EQ(pool.submit(twice, "ab").result(), "abab");
  pool.submit([] {}).result();
  EXPECT_EQ(pool.submit([](std::string a, int b) { return a + std::to_string(b); }, "n", 3).result(), "n3");
}

TEST(ProcessPool, CarriesMegabytesBothWays) {
  ProcessPoolExecutor pool{{.max_workers = 2}};
  const std::string text(5'000'000, 'x');
  EXPECT_EQ(pool.submit(twice, text).result().size(), 10'000'000u);
  const std::string edge(32 * 1024, 'y');  // about the length at which bytes no longer fit into a packet
  for (std::size_t cut = 0; cut < 200; cut += 8) {
    EXPECT_EQ(pool.submit(twice, edge.substr(cut)).result().size(), 2 * (edge.size() - cut));
  }
}

TEST(ProcessPool, FunctionsFindStaticObjectsMade) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  EXPECT_EQ(pool.submit(static_object).result(), "made before main");
}

TEST(ProcessPool, LocksOfTheParentAreFreeInAWorker) {
  const std::lock_guard lock(held_by_parent);
  ProcessPoolExecutor pool{{.max_workers = 1}};
  EXPECT_EQ(pool.submit(lock_the_mutex).result(10s), 1);
}

TEST(ProcessPool, AWorkerHasNoDescriptorsOfTheParent) {
  const int leaky = ::dup(1);  // without close-on-exec
  ProcessPoolExecutor pool{{.max_workers = 1}};
  EXPECT_EQ(pool.submit(open_descriptors).result(), (std::vector{0, 1, 2, 3, 4}));
  ::close(leaky);
}

TEST(ProcessPool, AWorkerMayHaveAPoolItself) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  EXPECT_EQ(pool.submit(square_in_a_pool_of_its_own, 5).result(), 25);
}

TEST(ProcessPool, MapSendsChunks) {
  ProcessPoolExecutor pool{{.max_workers = 2}};
  std::vector<int> numbers(25), squares;
  for (int i = 0; i < 25; ++i) numbers[static_cast<std::size_t>(i)] = i, squares.push_back(i * i);
  EXPECT_EQ(pool.map(square, numbers, {.chunksize = 10}), squares);
  EXPECT_EQ(pool.map(square, std::vector<int>{}, {.chunksize = 10}), std::vector<int>{});
}

TEST(ProcessPool, CF_2_MapGivesUpAfterItsTimeout) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  EXPECT_EQ(TEXT_OF(eddy::TimeoutError, pool.map(nap, std::vector{0.2, 0.2}, {.timeout = 50ms})),
            "map: not every result was there after 50ms");
}

// --- errors -----------------------------------------------------------------------------------------

TEST(ProcessPool, ExceptionsComeBackWithTheirTypes) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  EXPECT_EQ(TEXT_OF(eddy::KeyError, pool.submit(fail_with_key, 3).result()), "no key 3");
  EXPECT_EQ(TEXT_OF(eddy::RemoteError, pool.submit(fail_with_own_type).result()),
            "(anonymous namespace)::NoSuchNovel: chapter 7");
  EXPECT_EQ(TEXT_OF(eddy::RemoteError, pool.submit(fail_with_number).result()),
            "int, thrown in another process");
  EXPECT_EQ(pool.submit(square, 2).result(), 4);  // the worker lives on
}

TEST(ProcessPool, CF_4_ACrashBreaksThePoolAndNamesTheSignal) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  auto crash = pool.submit(Crash(), 0);
  auto behind = pool.submit(square, 2);
  const std::string text =
      "a worker process of the pool died by signal 6 (Aborted) while it ran (anonymous namespace)::Crash";
  EXPECT_EQ(TEXT_OF(BrokenProcessPool, crash.result()), text);
  EXPECT_EQ(TEXT_OF(BrokenProcessPool, behind.result()), text);
  EXPECT_EQ(TEXT_OF(BrokenProcessPool, pool.submit(square, 2)), text);
}

int crash(int n) { return Crash()(n); }

TEST(ProcessPool, ACrashOfAPlainFunctionIsNamedByItsPlaceInTheProgram) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  const auto text = TEXT_OF(BrokenProcessPool, pool.submit(crash, 0).result());
  EXPECT_EQ(text, "a worker process of the pool died by signal 6 (Aborted) while it ran " +
                      eddy::detail::describe_code(reinterpret_cast<const void*>(&crash)));
  EXPECT_NE(text.find("while it ran exec_tests+0x"), text.npos);
}

TEST(ProcessPool, ACrashEndsWhatOtherWorkersRun) {
  ProcessPoolExecutor pool{{.max_workers = 2}};
  auto other = pool.submit(nap, 30.0);
  auto crash = pool.submit(Exit(), 3);
  EXPECT_EQ(TEXT_OF(BrokenProcessPool, crash.result()),
            "a worker process of the pool ended with exit code 3 while it ran (anonymous namespace)::Exit");
  EXPECT_THROW(other.result(5s), BrokenProcessPool);
}

TEST(ProcessPool, AWorkerThatDiesIdleBreaksThePool) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  const int pid = pool.submit(own_pid, 0).result();
  ::kill(pid, SIGKILL);
  EXPECT_TRUE(ends(pid, 5000));
  std::string text;
  while (text.empty()) text = TEXT_OF(BrokenProcessPool, pool.submit(square, 1).result());
  EXPECT_EQ(text, "a worker process of the pool died by signal 9 (Killed) while it waited for a job");
}

// As in a program whose main() runs although it was started as a worker: it must not start workers in turn.
TEST(ProcessPool, AProgramThatEddyDoesNotEnterStartsNoWorkers) {
  ::setenv("EDDY_WORKER", "1", 1);
  ProcessPoolExecutor pool{{.max_workers = 1}};
  EXPECT_EQ(TEXT_OF(BrokenProcessPool, pool.submit(square, 1).result()),
            "a worker process of the pool could not be started: cannot start a process: this program's own "
            "start does not pass "
            "through eddy, as in a plug-in that was loaded with dlopen; link eddy into the program itself");
  ::unsetenv("EDDY_WORKER");
}

TEST(ProcessPool, AnInitializerRunsFirstInEachProcess) {
  ProcessPoolExecutor plain{{.max_workers = 1, .initializer = set_up}};
  EXPECT_EQ(plain.submit(what_was_set_up).result(), "7");
  ProcessPoolExecutor with({.max_workers = 1}, set_up_with, "hello", 8);
  EXPECT_EQ(with.submit(what_was_set_up).result(), "hello8");
}

TEST(ProcessPool, AFailingInitializerBreaksThePool) {
  ProcessPoolExecutor pool{{.max_workers = 2, .initializer = set_up_badly}};
  const std::string text = "the initializer of a worker process of the pool failed: no such file";
  EXPECT_EQ(TEXT_OF(BrokenProcessPool, pool.submit(square, 1).result()), text);
  EXPECT_EQ(TEXT_OF(BrokenProcessPool, pool.submit(square, 1)), text);
}

TEST(ProcessPool, ATimeLimitKillsTheProcessAndThatJobAlone) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  const int before = pool.submit(own_pid, 0).result();
  auto late = pool.with_timeout(50ms).submit(Nap(), 30.0);
  auto behind = pool.submit(own_pid, 0);
  EXPECT_EQ(TEXT_OF(eddy::TimeoutError, late.result()),
            "(anonymous namespace)::Nap ran longer than 50ms and its process was killed");
  EXPECT_NE(behind.result(), before);
  EXPECT_EQ(pool.with_timeout(10s).submit(square, 3).result(), 9);
}

// --- workers ----------------------------------------------------------------------------------------

TEST(ProcessPool, EXE_08_AllProcessesStartWithTheFirstJobOrByNeed) {
  ProcessPoolExecutor at_once{{.max_workers = 3}};
  EXPECT_TRUE(at_once.worker_pids().empty());
  at_once.submit(square, 1).result();
  EXPECT_EQ(at_once.worker_pids().size(), 3u);
  ProcessPoolExecutor by_need{{.max_workers = 3, .prestart = false}};
  by_need.submit(square, 1).result();
  by_need.submit(square, 1).result();
  EXPECT_EQ(by_need.worker_pids().size(), 1u);
}

TEST(ProcessPool, AWorkerIsReplacedAfterSoManyJobs) {
  ProcessPoolExecutor pool{{.max_workers = 1, .max_tasks_per_child = 2}};
  std::vector<int> pids;
  for (int i = 0; i < 6; ++i) pids.push_back(pool.submit(own_pid, 0).result());
  EXPECT_EQ(pids[0], pids[1]);
  EXPECT_NE(pids[1], pids[2]);
  EXPECT_EQ(std::set<int>(pids.begin(), pids.end()).size(), 3u);
}

TEST(ProcessPool, LeavesNoProcessAndNoDescriptor) {
  const auto before = open_descriptors();
  {
    ProcessPoolExecutor pool{{.max_workers = 2}};
    pool.map(square, std::vector{1, 2, 3, 4});
    pool.submit(twice, std::string(100'000, 'x')).result();
  }
  EXPECT_TRUE(no_children());
  {
    ProcessPoolExecutor pool{{.max_workers = 2}};
    EXPECT_THROW(pool.submit(Crash(), 0).result(), BrokenProcessPool);
  }
  EXPECT_TRUE(no_children());
  EXPECT_EQ(open_descriptors(), before);
}

namespace {
// A program that has a pool, tells a worker's pid, and is killed.
void have_a_busy_pool(eddy::mp::Connection<int> parent) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  const int pid = pool.submit(own_pid, 0).result();
  pool.submit(nap, 60.0);
  while (pool.submit(square, 1).running()) {
  }
  parent.blocking_send(pid);
  std::this_thread::sleep_for(60s);
}
}  // namespace

TEST(ProcessPool, WorkersDieWithAProgramThatIsKilled) {
  auto [here, there] = eddy::mp::pipe<int>();
  eddy::mp::Process program(have_a_busy_pool, there);
  program.start();
  const int worker = here.blocking_recv(30s);
  program.kill();
  program.join();
  EXPECT_TRUE(ends(worker, 10'000));
}

// --- shutdown ---------------------------------------------------------------------------------------

TEST(ProcessPool, SYS_04_ShutdownRunsWhatWasSubmittedAndRefusesMore) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  auto first = pool.submit(nap, 0.02);
  auto second = pool.submit(square, 3);
  pool.shutdown();
  EXPECT_TRUE(first.done() && second.done());
  EXPECT_EQ(second.result(), 9);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, pool.submit(square, 1)),
            "the process pool takes no new jobs after shutdown()");
  pool.shutdown();
}

TEST(ProcessPool, ShutdownCancelsWhatHasNotBegun) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  auto running = pool.submit(nap, 0.05);
  auto waiting = pool.submit(square, 3);
  while (!running.running()) std::this_thread::yield();
  pool.shutdown(false, true);
  EXPECT_TRUE(waiting.cancelled());
  EXPECT_EQ(running.result(), 0.05);
}

TEST(ProcessPool, APoolThatNeverWorkedEnds) {
  ProcessPoolExecutor pool;
  ProcessPoolExecutor other;
  other.kill_workers();
}

TEST(ProcessPool, CF_4_TerminateAndKillEndTheWorkers) {
  for (auto end : {&ProcessPoolExecutor::terminate_workers, &ProcessPoolExecutor::kill_workers}) {
    ProcessPoolExecutor pool{{.max_workers = 1}};
    auto running = pool.submit(Nap(), 60.0);
    auto waiting = pool.submit(square, 3);
    while (!running.running()) std::this_thread::yield();
    (pool.*end)();
    EXPECT_EQ(TEXT_OF(BrokenProcessPool, running.result()),
              "the worker processes of the pool were ended while one ran (anonymous namespace)::Nap");
    EXPECT_TRUE(waiting.cancelled());
    EXPECT_THROW(pool.submit(square, 1), eddy::RuntimeError);
  }
  EXPECT_TRUE(no_children());
}

TEST(ProcessPool, CancelsAQueuedJobButNotARunningOne) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  auto running = pool.submit(nap, 0.05);
  auto queued = pool.submit(square, 3);
  while (!running.running()) std::this_thread::yield();
  EXPECT_FALSE(running.cancel());
  EXPECT_TRUE(queued.cancel());
  EXPECT_THROW(queued.result(), CancelledError);
  EXPECT_EQ(running.result(), 0.05);
}

TEST(ProcessPool, WorksWithAsCompletedAndWait) {
  ProcessPoolExecutor pool{{.max_workers = 2}};
  auto [here, there] = eddy::mp::pipe<int>();
  std::vector jobs{pool.submit(echo_once, there), pool.submit(square, 2)};
  std::vector<int> order;
  for (auto& job : eddy::concurrent::as_completed(jobs)) {
    order.push_back(job.result());
    if (order.size() == 1) here.blocking_send(7);  // the first one had to wait for it
  }
  EXPECT_EQ(order, (std::vector{4, 7}));
  EXPECT_EQ(eddy::concurrent::wait(jobs).done.size(), 2u);
}

TEST(ProcessPool, ManyThreadsShareAPool) {
  ProcessPoolExecutor pool{{.max_workers = 2}};
  std::atomic<int> sum{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) sum += pool.submit(square, 2).result();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(sum, 400);
}

// --- beside a loop ----------------------------------------------------------------------------------

BACKEND_TEST(ProcessPoolOnALoop, SYS_01_GivesValuesAndExceptionsWhileTheLoopGoesOn) {
  ProcessPoolExecutor pool{{.max_workers = 2}};
  int ticks = 0;
  auto tick = [&]() -> Coro<> {
    for (;; ++ticks) co_await eddy::sleep(1ms);
  };
  auto ticking = eddy::create_task(tick());
  auto [a, b] =
      co_await eddy::gather(loop().run_in_executor(pool, nap, 0.03), loop().run_in_executor(pool, square, 4));
  EXPECT_EQ(a, 0.03);
  EXPECT_EQ(b, 16);
  EXPECT_GT(ticks, 1);
  EXPECT_STREQ((co_await error_of<eddy::KeyError>(loop().run_in_executor(pool, fail_with_key, 1))).what(),
               "no key 1");
  co_await error_of<eddy::TimeoutError>(loop().run_in_executor(pool.with_timeout(20ms), nap, 60.0));
  ticking.cancel();
}

BACKEND_TEST(ProcessPoolOnALoop, SYS_02_ACancelledWaitDropsAQueuedJobAndAbandonsARunningOne) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  auto running = pool.submit(nap, 0.05);
  auto queued = pool.submit(square, 3);
  auto wait_for_first = [&]() -> Coro<> { co_await eddy::wrap_future(running); };
  auto wait_for_second = [&]() -> Coro<> { co_await eddy::wrap_future(queued); };
  auto first = eddy::create_task(wait_for_first());
  auto second = eddy::create_task(wait_for_second());
  while (!running.running()) co_await eddy::sleep(1ms);
  first.cancel();
  second.cancel();
  co_await error_of<CancelledError>(first);
  co_await error_of<CancelledError>(second);
  EXPECT_TRUE(queued.cancelled());
  EXPECT_FALSE(running.done());  // the wait is over, the work is not
  EXPECT_EQ(running.result(), 0.05);
}

TEST(ProcessPoolOnALoop, ALoopThatClosesLeavesTheJobAlone) {
  ProcessPoolExecutor pool{{.max_workers = 1}};
  auto job = pool.submit(nap, 0.03);
  {
    eddy::EventLoop closing;
    closing.set_exception_handler([](const eddy::ExceptionContext&) {});
    auto body = [&]() -> Coro<> { co_await eddy::wrap_future(job); };
    closing.create_task(body());
    closing.run_until_complete(eddy::sleep(1ms));
    wait_until_started(pool);
    while (!job.running()) std::this_thread::yield();
  }
  EXPECT_EQ(job.result(), 0.03);
}

// Results and cancellations cross each other.
BACKEND_TEST(ProcessPoolOnALoop, ManyJobsAndCancellationsLoseNothing) {
  ProcessPoolExecutor pool{{.max_workers = 2}};
  auto body = [&](int n) -> Coro<int> { co_return co_await loop().run_in_executor(pool, square, n); };
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 100; ++i) tasks.push_back(eddy::create_task(body(i)));
  co_await eddy::sleep(1ms);
  for (std::size_t i = 0; i < tasks.size(); i += 3) tasks[i].cancel();
  int ended = 0;
  for (int i = 0; i < 100; ++i) {
    const auto& task = tasks[static_cast<std::size_t>(i)];
    try {
      const int value = co_await task;
      EXPECT_EQ(value, i * i);
      ++ended;
    } catch (const CancelledError&) {
      EXPECT_EQ(i % 3, 0);
    }
  }
  EXPECT_GE(ended, 66);
}
